package querytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"millimetric/index/event"
	"millimetric/query"
)

// propertyJSON is a property as it stands in a row: numbers that are equal are written alike.
func propertyJSON(e event.Event, name string) string {
	switch v := valueOf(e, query.Filter{Property: name}).(type) {
	case nil:
		return "null"
	case json.Number:
		return plainNumber(string(v))
	case string:
		return string(quoted(v))
	case bool:
		return fmt.Sprint(v)
	}
	// Lists and objects stand as they were sent.
	var whole map[string]json.RawMessage
	if err := json.Unmarshal([]byte(e.Properties), &whole); err != nil {
		panic(err)
	}
	if value, ok := whole[name]; ok {
		return string(value)
	}
	value := json.RawMessage(e.Properties)
	for _, step := range strings.Split(name, ".") {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(value, &object); err != nil {
			panic(err)
		}
		value = object[step]
	}
	return string(value)
}

// plainNumber writes a number plainly if it has at most 21 digits before the point and five zeros
// behind it, else as digits with an exponent.
func plainNumber(text string) string {
	n := number(text)
	if n.Sign() == 0 {
		return "0"
	}
	size := new(big.Rat).Abs(n)
	ten := big.NewRat(10, 1)
	exponent := 0
	for ; size.Cmp(ten) >= 0; exponent++ {
		size.Quo(size, ten)
	}
	for ; size.Cmp(big.NewRat(1, 1)) < 0; exponent-- {
		size.Mul(size, ten)
	}
	if exponent >= -6 && exponent <= 20 {
		return exactly(n)
	}
	text = exactly(size) + fmt.Sprintf("e%d", exponent)
	if n.Sign() < 0 {
		text = "-" + text
	}
	return text
}

// exactly writes a number with as many decimals as it has.
func exactly(n *big.Rat) string {
	for digits := 0; ; digits++ {
		text := n.FloatString(digits)
		if number(text).Cmp(n) == 0 {
			return text
		}
	}
}

// valuesBefore orders rows by their group values, which are JSON: nulls last, then numbers, strings and
// all else, each among their own.
func valuesBefore(a, b []string) bool {
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		if x, y := rankOf(a[i]), rankOf(b[i]); x != y {
			return x < y
		}
		switch rankOf(a[i]) {
		case 0:
			return number(a[i]).Cmp(number(b[i])) < 0
		case 1:
			var x, y string
			if err := json.Unmarshal([]byte(a[i]), &x); err != nil {
				panic(err)
			}
			if err := json.Unmarshal([]byte(b[i]), &y); err != nil {
				panic(err)
			}
			return x < y
		}
		return bytes.Compare([]byte(a[i]), []byte(b[i])) < 0
	}
	return false
}

func rankOf(value string) int {
	switch value[0] {
	case 'n':
		return 3
	case 't', 'f', '[', '{':
		return 2
	case '"':
		return 1
	}
	return 0
}
