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
type predicate func(*scanRow) bool

// compile makes one predicate of filters that must all hold. It is not safe for concurrent use.
func compile(filters []Filter) predicate {
	all := make([]predicate, len(filters))
	for i := range filters {
		all[i] = compileFilter(filters[i])
	}
	return every(all)
}

func every(all []predicate) predicate {
	switch len(all) {
	case 0:
		return func(*scanRow) bool { return true }
	case 1:
		return all[0]
	}
	return func(e *scanRow) bool {
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
		return func(e *scanRow) bool { return !of[0](e) }
	case JoinAnd:
		return every(of)
	}
	return func(e *scanRow) bool {
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

func compileColumn(f Filter) predicate {
	if t := newColumnTest(f); t != nil {
		return t.of
	}
	read, ok := textColumn(f.Column)
	if !ok {
		panic("filter on " + string(f.Column) + ", which is no text column")
	}
	holds := textTest(f)
	return func(e *scanRow) bool { return holds(read(e)) }
}

// textTest compares the text of a column. An empty one is a missing value: it matches exists:false, ne
// and not_in, and nothing else.
func textTest(f Filter) func(text string) bool {
	switch f.Op {
	case OpExists:
		wanted := f.Values[0].Text == "true"
		return func(text string) bool { return (text != "") == wanted }
	case OpEq, OpIn, OpNe, OpNotIn:
		negated := f.Op == OpNe || f.Op == OpNotIn
		if len(f.Values) == 1 {
			value := f.Values[0].Text
			return func(text string) bool { return (text != "" && text == value) != negated }
		}
		values := map[string]bool{}
		for _, v := range f.Values {
			values[v.Text] = true
		}
		delete(values, "")
		return func(text string) bool { return values[text] != negated }
	}
	value := f.Values[0].Text
	return func(text string) bool { return text != "" && textHolds(f.Op, text, value) }
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
		return func(*scanRow) bool { return wanted }
	case OpEq, OpIn, OpNe, OpNotIn:
		negated := f.Op == OpNe || f.Op == OpNotIn
		return func(e *scanRow) bool {
			return slices.ContainsFunc(f.Values, func(v Literal) bool { return v.Time == e.time }) != negated
		}
	}
	value := f.Values[0].Time
	return func(e *scanRow) bool { return f.Op.holds(int(e.time - value)) }
}

// textColumn returns what reads a text column.
func textColumn(name event.Column) (read func(*scanRow) string, ok bool) {
	if c := columnOf(name); c != noColumn && c != colSite && c != colRest {
		return func(e *scanRow) string { return e.text(c) }, true
	}
	switch name {
	case event.ColumnID:
		return (*scanRow).eventID, true
	case event.ColumnAnonymousID:
		return (*scanRow).anonymousID, true
	case event.ColumnSessionID:
		return (*scanRow).sessionID, true
	case event.ColumnURL:
		return (*scanRow).url, true
	}
	return nil, false
}

// compileProperty compares a property. It is looked up only here, so events pay for it only if a
// filter asks.
func compileProperty(f Filter) predicate {
	t := newPropertyTest(f)
	find := t.reader.of
	switch f.Op {
	case OpExists:
		wanted := f.Values[0].Text == "true"
		return func(e *scanRow) bool { return !isMissing(find(e)) == wanted }
	case OpEq, OpIn:
		return func(e *scanRow) bool { return t.equals(find(e)) }
	case OpNe, OpNotIn:
		return func(e *scanRow) bool { return !t.equals(find(e)) }
	}
	return func(e *scanRow) bool { return t.stands(find(e)) }
}
