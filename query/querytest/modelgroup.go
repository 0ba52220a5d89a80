package querytest

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strings"

	"millimetric/index/event"
)

// groupValue is the value of one column of a group: nil where it is missing, else a string, a bool,
// a number, or the JSON of a list or an object.
type groupValue any

func valuesOf(e event.Event, columns []event.Column) []groupValue {
	values := make([]groupValue, 0, len(columns))
	for _, column := range columns {
		values = append(values, columnOf(e, column))
	}
	return values
}

func columnOf(e event.Event, column event.Column) groupValue {
	text := ""
	switch name, isProperty := strings.CutPrefix(string(column), "properties."); {
	case isProperty:
		return rawProperty(json.RawMessage(e.Properties), name)
	case column == "host":
		u, _ := event.SplitURL(e.URL)
		text = u.Host
	case column == "referrer_host":
		u, _ := event.SplitURL(e.Referrer)
		text = u.Host
	default:
		text, _ = e.Text(column)
	}
	if text == "" {
		return nil
	}
	return text
}

// rawProperty looks for the literal name, then for dots as nesting.
func rawProperty(properties json.RawMessage, name string) groupValue {
	find := func(object json.RawMessage, key string) (json.RawMessage, bool) {
		var members map[string]json.RawMessage
		if json.Unmarshal(object, &members) != nil {
			return nil, false
		}
		found, ok := members[key]
		return found, ok
	}
	text, ok := find(properties, name)
	if !ok {
		text = properties
		for _, step := range strings.Split(name, ".") {
			if text, ok = find(text, step); !ok {
				return nil
			}
		}
	}
	var value any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		panic(err) // events hold valid JSON
	}
	switch value := value.(type) {
	case json.Number:
		return number(string(value))
	case []any, map[string]any:
		return text
	}
	return value
}

// compareGroups orders groups value by value: numbers, strings, false, true, lists and objects by
// their text, and what is missing.
func compareGroups(a, b []groupValue) int {
	for i := range a {
		if order := compareGroupValues(a[i], b[i]); order != 0 {
			return order
		}
	}
	return 0
}

func compareGroupValues(a, b groupValue) int {
	kinds := func(v groupValue) int {
		switch v.(type) {
		case *big.Rat:
			return 0
		case string:
			return 1
		case bool:
			return 2
		case json.RawMessage:
			return 3
		}
		return 4
	}
	if kinds(a) != kinds(b) {
		return kinds(a) - kinds(b)
	}
	switch a := a.(type) {
	case *big.Rat:
		return a.Cmp(b.(*big.Rat))
	case string:
		return strings.Compare(a, b.(string))
	case bool:
		return strings.Compare(value(a), value(b))
	case json.RawMessage:
		return bytes.Compare(a, b.(json.RawMessage))
	}
	return 0
}

func belongs(e event.Event, columns []event.Column, group []groupValue) bool {
	return compareGroups(valuesOf(e, columns), group) == 0
}

// in returns the events that belong to a group.
func in(events []event.Event, columns []event.Column, group []groupValue) []event.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return !belongs(e, columns, group) })
}

// groupsOf returns the groups of some events, each once.
func groupsOf(columns []event.Column, lists ...[]event.Event) [][]groupValue {
	var groups [][]groupValue
	for _, events := range lists {
		for _, e := range events {
			if !slices.ContainsFunc(groups, func(g []groupValue) bool { return belongs(e, columns, g) }) {
				groups = append(groups, valuesOf(e, columns))
			}
		}
	}
	return groups
}

// namedValues are the members of a row that say which group it is.
func namedValues(columns []event.Column, group []groupValue) []any {
	var members []any
	for i, column := range columns {
		var shown any
		switch v := group[i].(type) {
		case *big.Rat:
			shown = plain(v)
		case json.RawMessage:
			shown = raw(v)
		default:
			shown = v
		}
		members = append(members, string(column), shown)
	}
	return members
}
