package query

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// Limits on filters: each event meets every filter, so these bound the work per event.
const (
	filtersMax      = 256 // in one question, at all depths together
	filterDepthMax  = 16
	filterValuesMax = 1000 // of one in or not_in
	propertyNameMax = 256  // bytes
)

const propertyPrefix = "properties."

// filters reads a list of filters, and returns them with their compact text.
func (r *reader) filters(name string, zone *time.Location) ([]Filter, string) {
	f, ok := r.take(name)
	if !ok {
		return nil, "[]"
	}
	value := f.json
	if value == nil {
		value = jsontext.Value(f.text)
		if !value.IsValid() {
			r.errs.Add(name, "Expected a JSON list of filters")
			return nil, "[]"
		}
	}
	p := &filterReader{errs: r.errs, zone: zone, entries: r.entries, count: r.filtered}
	filters := p.list(name, value, 1)
	text := value.Clone()
	if err := text.Compact(); err != nil {
		r.errs.Add(name, "Expected a JSON list of filters")
	}
	return filters, string(text)
}

// filterReader reads filters and counts them.
type filterReader struct {
	errs    event.FieldErrors
	zone    *time.Location
	entries bool
	count   *int // in the whole question
}

func (p *filterReader) list(path string, value jsontext.Value, depth int) []Filter {
	elements, ok := elementsOf(value)
	if !ok {
		p.errs.Add(path, "Expected a list of filters")
		return nil
	}
	filters := make([]Filter, 0, len(elements))
	for i, element := range elements {
		if *p.count >= filtersMax {
			p.errs.Add(path, "Too many filters; at most "+strconv.Itoa(filtersMax)+" in all")
			break
		}
		filters = append(filters, p.filter(path+"."+strconv.Itoa(i), element, depth))
	}
	return filters
}

// filter reads one filter: a leaf, or a list of filters under "or" or "and", or one under "not".
func (p *filterReader) filter(path string, value jsontext.Value, depth int) Filter {
	*p.count++
	if depth > filterDepthMax {
		p.errs.Add(path, "Nested too deep; at most "+strconv.Itoa(filterDepthMax))
		return Filter{}
	}
	members, ok := membersOf(value)
	if !ok {
		p.errs.Add(path, "Expected an object")
		return Filter{}
	}
	for _, m := range members {
		if m.name != "or" && m.name != "and" && m.name != "not" {
			continue
		}
		for _, other := range members {
			if other.name != m.name {
				p.errs.Add(path+"."+shortName(other.name), "Must not stand beside "+m.name)
			}
		}
		if m.name == "not" {
			return Filter{Join: JoinNot, Of: []Filter{p.filter(path+".not", m.value, depth+1)}}
		}
		return Filter{Join: Join(m.name), Of: p.list(path+"."+m.name, m.value, depth+1)}
	}
	return p.leaf(path, members)
}

func (p *filterReader) leaf(path string, members []jsonMember) Filter {
	var f Filter
	sent := map[string]jsontext.Value{}
	for _, m := range members {
		if m.name != "field" && m.name != "op" && m.name != "value" {
			p.errs.Add(path+"."+shortName(m.name), "Unknown field")
		}
		sent[m.name] = m.value
	}
	fieldOK := p.field(path+".field", sent["field"], &f)
	opOK := p.op(path+".op", sent["op"], &f)
	if fieldOK && opOK {
		p.values(path+".value", sent["value"], &f)
	}
	return f
}

// word reads a member of a filter that must be there and be text.
func (p *filterReader) word(path string, value jsontext.Value) (string, bool) {
	if value == nil {
		p.errs.Add(path, "Required")
		return "", false
	}
	text, ok := textOf(value)
	if !ok {
		p.errs.Add(path, "Expected a string")
	}
	return text, ok
}

func (p *filterReader) field(path string, value jsontext.Value, f *Filter) bool {
	text, ok := p.word(path, value)
	if !ok {
		return false
	}
	if p.entries {
		text, f.Entry = strings.CutPrefix(text, entryPrefix)
	}
	if name, isProperty := strings.CutPrefix(text, propertyPrefix); isProperty && name != "" && len(name) <= propertyNameMax {
		f.Property = name
		return true
	}
	f.Column = event.Column(text)
	if _, isText := textColumn(f.Column); !isText && f.Column != event.ColumnTimestamp {
		p.errs.Add(path, "Unknown field; expected a column or properties.<name>")
		return false
	}
	return true
}

func (p *filterReader) op(path string, value jsontext.Value, f *Filter) bool {
	text, ok := p.word(path, value)
	if !ok {
		return false
	}
	f.Op = Op(text)
	if !slices.Contains(ops, f.Op) {
		words := make([]string, len(ops))
		for i, op := range ops {
			words[i] = string(op)
		}
		p.errs.Add(path, "Must be one of: "+strings.Join(words, ", "))
		return false
	}
	if f.Column == event.ColumnTimestamp && (f.Op == OpContains || f.Op == OpPrefix) {
		p.errs.Add(path, "Doesn't go with timestamp")
		return false
	}
	return true
}

// values reads what the field is compared with.
func (p *filterReader) values(path string, value jsontext.Value, f *Filter) {
	if value == nil {
		p.errs.Add(path, "Required")
		return
	}
	if f.Op != OpIn && f.Op != OpNotIn {
		f.Values = []Literal{p.literal(path, value, f)}
		return
	}
	elements, ok := elementsOf(value)
	if !ok {
		p.errs.Add(path, "Expected a list")
		return
	}
	if len(elements) > filterValuesMax {
		p.errs.Add(path, "Too many values; at most "+strconv.Itoa(filterValuesMax))
		return
	}
	f.Values = make([]Literal, 0, len(elements))
	for i, element := range elements {
		f.Values = append(f.Values, p.literal(path+"."+strconv.Itoa(i), element, f))
	}
}

// literal reads one value, of a kind that the field and the op can meet: what could never match is
// a mistake.
func (p *filterReader) literal(path string, value jsontext.Value, f *Filter) Literal {
	literal, ok := scalar(value)
	isBool := literal.Kind == LiteralBool
	switch {
	case f.Op == OpExists:
		if !isBool {
			p.errs.Add(path, "Must be true or false")
		}
	case f.Property == "" || f.Op == OpContains || f.Op == OpPrefix:
		if literal.Kind != LiteralText {
			p.errs.Add(path, "Expected a string")
			return literal
		}
	case !ok:
		p.errs.Add(path, "Expected a string, a number, true or false")
	case isBool && f.Op.ordered():
		p.errs.Add(path, "Expected a string or a number")
	}
	if f.Column == event.ColumnTimestamp && f.Op != OpExists {
		t, err := event.ParseTime(literal.Text, p.zone)
		if err != nil {
			p.errs.Add(path, err.Error())
		}
		literal.Time = t
	}
	return literal
}

// filtersSetting writes filters as they are sent.
func filtersSetting(filters []Filter) Value {
	list := make([]Value, len(filters))
	for i, f := range filters {
		list[i] = f.setting()
	}
	return List(list)
}

func (f *Filter) setting() Value {
	switch f.Join {
	case JoinNot:
		return Object(Member{"not", f.Of[0].setting()})
	case JoinAnd, JoinOr:
		return Object(Member{string(f.Join), filtersSetting(f.Of)})
	}
	name := string(f.Column)
	if f.Property != "" {
		name = propertyPrefix + f.Property
	}
	if f.Entry {
		name = entryPrefix + name
	}
	values := make([]Value, len(f.Values))
	for i, literal := range f.Values {
		values[i] = Value{text: literal.Text, kind: valueJSON}
		if literal.Kind == LiteralText {
			values[i] = Text(literal.Text)
		}
	}
	value := List(values)
	if f.Op != OpIn && f.Op != OpNotIn {
		value = values[0]
	}
	return Object(Member{"field", Text(name)}, Member{"op", Text(string(f.Op))}, Member{"value", value})
}

func scalar(value jsontext.Value) (Literal, bool) {
	switch value.Kind() {
	case jsontext.KindString:
		text, ok := textOf(value)
		return Literal{Kind: LiteralText, Text: text}, ok
	case jsontext.KindNumber:
		return Literal{Kind: LiteralNumber, Text: string(value)}, true
	case jsontext.KindTrue, jsontext.KindFalse:
		return Literal{Kind: LiteralBool, Text: string(value)}, true
	}
	return Literal{}, false
}
