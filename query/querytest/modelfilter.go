package querytest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"millimetric/index/event"
	"millimetric/query"
)

// holdsAll tells whether an event meets all conditions.
func holdsAll(e event.Event, matches []query.Match, filters []query.Filter) bool {
	for _, m := range matches {
		if value, _ := e.Text(m.Column); value != m.Value {
			return false
		}
	}
	for _, f := range filters {
		if !holds(e, f) {
			return false
		}
	}
	return true
}

func holds(e event.Event, f query.Filter) bool {
	switch f.Join {
	case query.JoinAnd:
		return holdsAll(e, nil, f.Of)
	case query.JoinOr:
		return slices.ContainsFunc(f.Of, func(one query.Filter) bool { return holds(e, one) })
	case query.JoinNot:
		return !holds(e, f.Of[0])
	}
	value := valueOf(e, f)
	switch f.Op {
	case query.OpExists:
		return (value != nil) == (f.Values[0].Text == "true")
	case query.OpEq, query.OpIn:
		return isSome(value, f.Values)
	case query.OpNe, query.OpNotIn:
		return !isSome(value, f.Values)
	case query.OpContains:
		text, ok := value.(string)
		return ok && strings.Contains(text, f.Values[0].Text)
	case query.OpPrefix:
		text, ok := value.(string)
		return ok && strings.HasPrefix(text, f.Values[0].Text)
	}
	order, ok := compare(value, f.Values[0])
	if _, isBool := value.(bool); !ok || isBool {
		return false
	}
	return order > 0 && f.Op == query.OpGt || order >= 0 && f.Op == query.OpGte ||
		order < 0 && f.Op == query.OpLt || order <= 0 && f.Op == query.OpLte
}

// valueOf returns the field of an event that a filter is about: nil where it is missing, else a
// string, a bool, a json.Number, a time, a list or a map.
func valueOf(e event.Event, f query.Filter) any {
	if f.Property != "" {
		var properties map[string]any
		dec := json.NewDecoder(strings.NewReader(e.Properties))
		dec.UseNumber()
		if err := dec.Decode(&properties); err != nil {
			panic(fmt.Sprintf("properties %q: %v", e.Properties, err))
		}
		return property(properties, f.Property)
	}
	if f.Column == event.ColumnTimestamp {
		return e.Time
	}
	if text, _ := e.Text(f.Column); text != "" {
		return text
	}
	return nil
}

func property(properties map[string]any, name string) any {
	if value, ok := properties[name]; ok {
		return value
	}
	var at any = properties
	for _, step := range strings.Split(name, ".") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[step]
	}
	return at
}

// isSome tells whether a value, or an element of it if it is a list, is one of the literals.
func isSome(value any, literals []query.Literal) bool {
	elements, ok := value.([]any)
	if !ok {
		elements = []any{value}
	}
	for _, element := range elements {
		for _, literal := range literals {
			if order, ok := compare(element, literal); ok && order == 0 {
				return true
			}
		}
	}
	return false
}

// compare orders a value and a literal; ok is false where they are of different kinds.
func compare(value any, literal query.Literal) (order int, ok bool) {
	switch value := value.(type) {
	case event.Time:
		return int(value - literal.Time), true
	case string:
		return strings.Compare(value, literal.Text), literal.Kind == query.LiteralText
	case bool:
		return strings.Compare(fmt.Sprint(value), literal.Text), literal.Kind == query.LiteralBool
	case json.Number:
		if literal.Kind != query.LiteralNumber {
			return 0, false
		}
		return number(string(value)).Cmp(number(literal.Text)), true
	}
	return 0, false
}

func number(text string) *big.Rat {
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("no number: " + text)
	}
	return n
}
