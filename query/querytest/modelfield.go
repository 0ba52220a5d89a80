package querytest

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"millimetric/index/event"
	"millimetric/query"
)

// fieldText returns a text for the field of an event: the same for values that are the same, ""
// where the event has none.
func fieldText(f query.Field, e event.Event) string {
	if f.Property != "" {
		return propertyText(e, f.Property)
	}
	host := func(text string) string { u, _ := event.SplitURL(text); return u.Host }
	switch f.Name {
	case "host":
		return host(e.URL)
	case "referrer_host":
		return host(e.Referrer)
	}
	text, ok := e.Text(event.Column(f.Name))
	if !ok {
		panic("no column " + f.Name)
	}
	return text
}

// propertyText is the JSON of a property: a number as it is commonly written, a string without
// needless escapes, and all else as it is.
func propertyText(e event.Event, name string) string {
	value := rawProperty(e.Properties, name)
	switch {
	case value == nil || string(value) == "null":
		return ""
	case value[0] == '"':
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			panic(err)
		}
		return string(quoted(text))
	case strings.ContainsRune("[{tf", rune(value[0])):
		return string(value)
	}
	return plainNumber(number(string(value)))
}

// rawProperty looks for the literal name first, then follows its dots.
func rawProperty(object string, name string) json.RawMessage {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		return nil // no object
	}
	if value, ok := members[name]; ok {
		return value
	}
	step, rest, dotted := strings.Cut(name, ".")
	if !dotted || members[step] == nil {
		return nil
	}
	return followed(members[step], rest)
}

// followed goes on at the dots of a name; within, no key has dots.
func followed(value json.RawMessage, name string) json.RawMessage {
	var members map[string]json.RawMessage
	if value[0] != '{' || json.Unmarshal(value, &members) != nil {
		return nil
	}
	step, rest, dotted := strings.Cut(name, ".")
	if !dotted || members[step] == nil {
		return members[step]
	}
	return followed(members[step], rest)
}

// plainNumber writes a decimal without an exponent, unless it has more than 21 digits before the
// point or begins with more than five zeros behind it.
func plainNumber(n *big.Rat) string {
	if n.Sign() == 0 {
		return "0"
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	exponent := 0 // of the first digit
	one, ten := big.NewRat(1, 1), big.NewRat(10, 1)
	digits := new(big.Rat).Abs(n)
	for digits.Cmp(ten) >= 0 {
		digits.Quo(digits, ten)
		exponent++
	}
	for digits.Cmp(one) < 0 {
		digits.Mul(digits, ten)
		exponent--
	}
	if exponent >= -6 && exponent <= 20 {
		text := n.FloatString(1100)
		return strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	mantissa := strings.TrimRight(strings.TrimRight(digits.FloatString(1100), "0"), ".")
	return sign + mantissa + "e" + strconv.Itoa(exponent)
}

// fieldValue is how an answer shows a text of fieldText.
func fieldValue(f query.Field, text string) any {
	if f.Property != "" && text != "" {
		return raw(text)
	}
	return orNull(text)
}

// fieldLess orders texts of fieldText: none last; of columns by bytes; of properties numbers first,
// then strings, then false and true, then all else.
func fieldLess(f query.Field, a, b string) bool {
	if a == "" || b == "" {
		return b == "" && a != ""
	}
	if f.Property == "" {
		return a < b
	}
	kind := func(text string) int {
		kinds := []string{"-0123456789", `"`, "tf", "[{"}
		return slices.IndexFunc(kinds, func(first string) bool { return strings.ContainsRune(first, rune(text[0])) })
	}
	if kind(a) != kind(b) {
		return kind(a) < kind(b)
	}
	switch a[0] {
	case '"':
		var x, y string
		if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
			panic("no strings: " + a + b)
		}
		return x < y
	case 't', 'f', '[', '{':
		return a < b
	}
	return number(a).Cmp(number(b)) < 0
}

// rounded is the nearest number with so many decimals, of two equally near the one that ends evenly.
func rounded(x *big.Rat, decimals int) raw {
	unit := big.NewInt(1)
	for range decimals {
		unit.Mul(unit, big.NewInt(10))
	}
	scaled := new(big.Rat).Mul(x, new(big.Rat).SetInt(unit))
	below := new(big.Int).Div(scaled.Num(), scaled.Denom())
	over := new(big.Rat).Sub(scaled, new(big.Rat).SetInt(below))
	half := over.Cmp(big.NewRat(1, 2))
	if half > 0 || half == 0 && below.Bit(0) == 1 {
		below.Add(below, big.NewInt(1))
	}
	text := new(big.Rat).SetFrac(below, unit).FloatString(decimals)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return raw(text)
}
