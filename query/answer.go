package query

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// Answer is what a question gives: a table, and what stands around it. All of it but the cost is
// the same, byte for byte, whenever the same question is asked of the same events.
type Answer struct {
	Head    []Member  // what stands before the rows; all of an answer that is no table
	Columns []string  // nil where the answer is no table: it has no rows then
	Rows    [][]Value // one value per column
	Cut     []Member  // how to go on, where rows were cut and the answer is explained
	Left    int       // how many groups come after those that are shown
	Foot    []Member  // what stands after the rows
	AsOf    event.Seq
	Cost    Cost     // what it took; shown only where it is explained
	Lost    []Loss   // of a replay that isn't exact: why
	Explain *Explain // nil unless asked for
}

// Member is one named value of an answer.
type Member struct {
	Name  string
	Value Value
}

// Explain says how an answer came about.
type Explain struct {
	Settings []Member // all settings that were used, defaults included
	Cost     Cost
}

// Value is one value of an answer: its kind and its text as JSON has it, but for text, which isn't
// quoted yet.
type Value struct {
	text string
	kind valueKind
}

type valueKind byte

const (
	valueNull valueKind = iota
	valueText
	valueJSON
)

// Text is a string.
func Text(s string) Value { return Value{text: s, kind: valueText} }

// TextOrNull is a string, or null where it is empty.
func TextOrNull(s string) Value {
	if s == "" {
		return Value{}
	}
	return Text(s)
}

// Int is a whole number.
func Int(n int64) Value { return Value{text: strconv.FormatInt(n, 10), kind: valueJSON} }

// Bool is true or false.
func Bool(b bool) Value { return Value{text: strconv.FormatBool(b), kind: valueJSON} }

// Texts is a list of strings.
func Texts(list []string) Value {
	out := []byte{'['}
	for i, s := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, s)
	}
	return Value{text: string(append(out, ']')), kind: valueJSON}
}

// Object is a JSON object of members in their order.
func Object(members ...Member) Value {
	return Value{text: string(append(appendMembers([]byte{'{'}, members), '}')), kind: valueJSON}
}

// List is a JSON list.
func List(values []Value) Value {
	out := []byte{'['}
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = v.AppendJSON(out)
	}
	return Value{text: string(append(out, ']')), kind: valueJSON}
}

// Ratio is part/whole, rounded once, half to even, to four decimals; a ratio over zero is null. It
// is reckoned in whole numbers, so that it is the same on every machine.
func Ratio(part, whole int64) Value {
	if whole == 0 {
		return Value{}
	}
	const unit = 10_000
	n, rest := part*unit/whole, part*unit%whole
	if 2*rest > whole || 2*rest == whole && n%2 == 1 {
		n++
	}
	text := strconv.FormatInt(n/unit, 10) + "." + strconv.FormatInt(unit+n%unit, 10)[1:]
	for text[len(text)-1] == '0' && text[len(text)-2] != '.' {
		text = text[:len(text)-1]
	}
	return Value{text: text, kind: valueJSON}
}

// AppendJSON appends the value as JSON.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case valueNull:
		return append(dst, "null"...)
	case valueText:
		return appendText(dst, v.text)
	}
	return append(dst, v.text...)
}

// AppendJSON appends the whole answer as one JSON object.
func (a *Answer) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = appendMembers(dst, a.Head)
	if len(a.Head) > 0 {
		dst = append(dst, ',')
	}
	if a.Columns != nil {
		dst = append(dst, `"rows":`...)
		dst = append(a.AppendRows(dst), ',')
	}
	if len(a.Cut) > 0 {
		dst = append(appendMembers(dst, a.Cut), ',')
	}
	if dst = appendMembers(dst, a.Foot); len(a.Foot) > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, `"as_of":"`...)
	dst = strconv.AppendUint(dst, uint64(a.AsOf), 10)
	dst = append(dst, '"')
	if a.Lost != nil {
		dst = appendReplay(dst, a.Lost)
	}
	if a.Explain != nil {
		dst = append(dst, `,"exact":true,"settings":{`...)
		dst = appendMembers(dst, a.Explain.Settings)
		dst = append(dst, `},"cost":{`...)
		dst = a.Explain.Cost.appendJSON(dst)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// Next is the cursor with which a cut answer goes on, "" where there is none.
func (a *Answer) Next() string {
	for _, m := range a.Cut {
		if m.Name == "next" {
			return m.Value.text
		}
	}
	return ""
}

// rowsAheadMax is the room in bytes that rows are given before they are written: the first may be the longest by far.
const rowsAheadMax = 1 << 20

// AppendRows appends the rows alone, as a JSON array of objects.
func (a *Answer) AppendRows(dst []byte) []byte {
	names := make([][]byte, len(a.Columns))
	for i, column := range a.Columns {
		names[i] = append(appendText(nil, column), ':')
	}
	dst = append(dst, '[')
	first := len(dst)
	for i, row := range a.Rows {
		if i == 1 { // the others are about as long as the first, so most of them need no more room
			dst = slices.Grow(dst, min((len(dst)-first)*len(a.Rows), rowsAheadMax))
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		for j, value := range row {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, names[j]...)
			dst = value.AppendJSON(dst)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendMembers(dst []byte, members []Member) []byte {
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, m.Name), ':')
		dst = m.Value.AppendJSON(dst)
	}
	return dst
}

// appendText quotes a string. Bad UTF-8 can't be stored, so it needs no more than the replacement
// that AppendQuote makes of it.
func appendText(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// timeText is a moment as every answer shows it.
func timeText(t event.Time) string { return t.Std().Format("2006-01-02T15:04:05.000Z") }

// settings lists all settings of a question, those that every question has first.
func settings(q Question, asOf event.Seq) []Member {
	c := q.Settings()
	actor := c.Actor
	if actor == "" {
		actor = ActorVisitor
	}
	filters := c.filtersText
	if filters == "" {
		filters = "[]"
	}
	var members []Member
	if c.To != 0 { // the range of a question about now follows from its own settings
		members = []Member{{"from", Text(timeText(c.From))}, {"to", Text(timeText(c.To))}}
	}
	members = append(members, []Member{
		{"tz", Text(c.Zone.String())},
		{"filters", Value{text: filters, kind: valueJSON}}, {"include_bots", Bool(c.IncludeBots)},
		{"actor", Text(string(actor))}, {"as_of", Text(strconv.FormatUint(uint64(asOf), 10))},
	}...)
	return append(members, q.own()...)
}

// matchSettings lists plain parameters such as source=google.
func matchSettings(matches []Match) []Member {
	var members []Member
	for _, m := range matches {
		members = append(members, Member{m.Param, Text(m.Value)})
	}
	return members
}
