package querytest

import (
	"encoding/json"
	"slices"
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
	value := propertyAt(e.Properties, name)
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
	return plainNumber(string(value))
}

// propertyAt looks for the literal name first, then follows its dots.
func propertyAt(object string, name string) json.RawMessage {
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
