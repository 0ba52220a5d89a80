package query

import (
	"slices"
	"strings"

	"millimetric/index/event"
)

// Filter is one condition on an event: a leaf that compares one field, or a join of filters.
type Filter struct {
	Join Join
	Of   []Filter // of a join; JoinNot has exactly one

	Column   event.Column // of a leaf, if Property is ""
	Property string       // the name after "properties."
	Entry    bool         // the field is that of the visit's entry
	Op       Op
	Values   []Literal // one, but for OpIn and OpNotIn
}

// Join says how the filters of a join make one.
type Join string

// The joins. A leaf has JoinNone.
const (
	JoinNone Join = ""
	JoinAnd  Join = "and"
	JoinOr   Join = "or"
	JoinNot  Join = "not"
)

// Op says how a field is compared with the values.
type Op string

// The ops.
const (
	OpEq       Op = "eq"
	OpNe       Op = "ne"
	OpIn       Op = "in"
	OpNotIn    Op = "not_in"
	OpContains Op = "contains"
	OpPrefix   Op = "prefix"
	OpExists   Op = "exists"
	OpGt       Op = "gt"
	OpGte      Op = "gte"
	OpLt       Op = "lt"
	OpLte      Op = "lte"
)

var ops = []Op{OpEq, OpNe, OpIn, OpNotIn, OpContains, OpPrefix, OpExists, OpGt, OpGte, OpLt, OpLte}

func (o Op) ordered() bool { return o == OpGt || o == OpGte || o == OpLt || o == OpLte }

// holds tells whether the order of field and value (negative: the field is less) is what o asks for.
func (o Op) holds(order int) bool {
	switch o {
	case OpGt:
		return order > 0
	case OpGte:
		return order >= 0
	case OpLt:
		return order < 0
	}
	return order <= 0
}

// LiteralKind is the kind of a literal; values of different kinds are never equal.
type LiteralKind byte

// The kinds of literals. The zero kind is of no literal.
const (
	LiteralText LiteralKind = iota + 1
	LiteralNumber
	LiteralBool
)

// Literal is a value that a filter names.
type Literal struct {
	Kind LiteralKind
	Text string     // a string's content, a number as it was written, or true or false
	Time event.Time // what Text means, where the field is the timestamp
}

// predicate tells whether an event is one of those that a question is about.
type predicate func(*event.Event) bool

// compile makes one predicate of conditions that must all hold. It is not safe for concurrent use.
func compile(matches []Match, filters []Filter) predicate {
	var all []predicate
	for _, m := range matches {
		read, ok := textColumn(m.Column)
		if !ok {
			panic("match on " + string(m.Column) + ", which is no text column")
		}
		all = append(all, func(e *event.Event) bool { return read(e) == m.Value })
	}
	for _, f := range filters {
		all = append(all, compileFilter(f))
	}
	return every(all)
}

func every(all []predicate) predicate {
	switch len(all) {
	case 0:
		return func(*event.Event) bool { return true }
	case 1:
		return all[0]
	}
	return func(e *event.Event) bool {
		for _, p := range all {
			if !p(e) {
				return false
			}
		}
		return true
	}
}

func compileFilter(f Filter) predicate {
	if f.Join == JoinNone {
		return compileLeaf(f)
	}
	of := make([]predicate, len(f.Of))
	for i := range f.Of {
		of[i] = compileFilter(f.Of[i])
	}
	switch f.Join {
	case JoinNot:
		return func(e *event.Event) bool { return !of[0](e) }
	case JoinAnd:
		return every(of)
	}
	return func(e *event.Event) bool {
		for _, p := range of {
			if p(e) {
				return true
			}
		}
		return false
	}
}

func compileLeaf(f Filter) predicate {
	switch {
	case f.Property != "":
		return compileProperty(f)
	case f.Column == event.ColumnTimestamp:
		return compileTimestamp(f)
	}
	return compileColumn(f)
}

// compileColumn compares a text column. An empty value is a missing one: it matches exists:false,
// ne and not_in, and nothing else.
func compileColumn(f Filter) predicate {
	read, ok := textColumn(f.Column)
	if !ok {
		panic("filter on " + string(f.Column) + ", which is no text column")
	}
	switch f.Op {
	case OpExists:
		wanted := f.Values[0].Text == "true"
		return func(e *event.Event) bool { return (read(e) != "") == wanted }
	case OpEq, OpIn, OpNe, OpNotIn:
		negated := f.Op == OpNe || f.Op == OpNotIn
		if len(f.Values) == 1 {
			value := f.Values[0].Text
			return func(e *event.Event) bool {
				text := read(e)
				return (text != "" && text == value) != negated
			}
		}
		values := map[string]bool{}
		for _, v := range f.Values {
			values[v.Text] = true
		}
		delete(values, "")
		return func(e *event.Event) bool { return values[read(e)] != negated }
	}
	value := f.Values[0].Text
	return func(e *event.Event) bool {
		text := read(e)
		return text != "" && textHolds(f.Op, text, value)
	}
}

// textHolds compares two strings by an op other than equality.
func textHolds(op Op, text, value string) bool {
	switch op {
	case OpContains:
		return strings.Contains(text, value)
	case OpPrefix:
		return strings.HasPrefix(text, value)
	}
	return op.holds(strings.Compare(text, value))
}

func compileTimestamp(f Filter) predicate {
	switch f.Op {
	case OpExists:
		wanted := f.Values[0].Text == "true"
		return func(*event.Event) bool { return wanted }
	case OpEq, OpIn, OpNe, OpNotIn:
		negated := f.Op == OpNe || f.Op == OpNotIn
		return func(e *event.Event) bool {
			return slices.ContainsFunc(f.Values, func(v Literal) bool { return v.Time == e.Time }) != negated
		}
	}
	value := f.Values[0].Time
	return func(e *event.Event) bool { return f.Op.holds(int(e.Time - value)) }
}

// textColumn returns what reads a text column. Reading through it costs one call, where Event.Text
// would compare names for every event.
func textColumn(c event.Column) (read func(*event.Event) string, ok bool) {
	switch c {
	case event.ColumnName:
		return func(e *event.Event) string { return e.Name }, true
	case event.ColumnAnonymousID:
		return func(e *event.Event) string { return e.AnonymousID }, true
	case event.ColumnUserID:
		return func(e *event.Event) string { return e.UserID }, true
	case event.ColumnSource:
		return func(e *event.Event) string { return e.Source }, true
	case event.ColumnMedium:
		return func(e *event.Event) string { return e.Medium }, true
	case event.ColumnCampaign:
		return func(e *event.Event) string { return e.Campaign }, true
	case event.ColumnPath:
		return func(e *event.Event) string { return e.Path }, true
	case event.ColumnCountry:
		return func(e *event.Event) string { return e.Country }, true
	case event.ColumnDevice:
		return func(e *event.Event) string { return e.Device }, true
	case event.ColumnBrowser:
		return func(e *event.Event) string { return e.Browser }, true
	case event.ColumnOS:
		return func(e *event.Event) string { return e.OS }, true
	}
	if _, ok := (&event.Event{}).Text(c); !ok {
		return nil, false
	}
	return func(e *event.Event) string { text, _ := e.Text(c); return text }, true
}

// compileProperty compares a property. It is looked up only here, so events pay for it only if a
// filter asks.
func compileProperty(f Filter) predicate {
	t := newPropertyTest(f)
	find := t.reader.find
	switch f.Op {
	case OpExists:
		wanted := f.Values[0].Text == "true"
		return func(e *event.Event) bool { return !isMissing(find(e.Properties)) == wanted }
	case OpEq, OpIn:
		return func(e *event.Event) bool { return t.equals(find(e.Properties)) }
	case OpNe, OpNotIn:
		return func(e *event.Event) bool { return !t.equals(find(e.Properties)) }
	}
	return func(e *event.Event) bool { return t.stands(find(e.Properties)) }
}
