package query

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// propertyReader finds one property in the JSON of events. It keeps its decoder, so that looking
// makes no garbage; it is not safe for concurrent use.
type propertyReader struct {
	name   string
	steps  []string // the name cut at its dots
	marks  [2]string
	text   strings.Reader
	dec    *jsontext.Decoder
	buffer []byte
	sealed sealedProperty
}

func newPropertyReader(name string) *propertyReader {
	p := &propertyReader{name: name, steps: strings.Split(name, ".")}
	p.marks = [2]string{`"` + name + `"`, `"` + p.steps[0] + `"`}
	p.dec = jsontext.NewDecoder(&p.text)
	return p
}

// find returns the JSON of the property in a valid, compact JSON object, "" where it is missing.
// The literal name comes first; only where the object has no such key, dots lead into objects.
func (p *propertyReader) find(object string) string {
	if !p.mayStand(object) {
		return ""
	}
	literal, first := p.search(object, p.name, p.steps[0])
	if literal != "" || len(p.steps) == 1 {
		return literal
	}
	return p.follow(first)
}

// mayStand tells whether an object may have the property: most lack it. A key that is spelt with
// escapes can't be ruled out.
func (p *propertyReader) mayStand(object string) bool {
	return strings.Contains(object, p.marks[0]) || strings.Contains(object, p.marks[1]) || strings.IndexByte(object, '\\') >= 0
}

// follow goes the steps after the first, from the value of that.
func (p *propertyReader) follow(at string) string {
	for _, step := range p.steps[1:] {
		if at == "" || at[0] != '{' {
			return ""
		}
		at, _ = p.search(at, step, step)
	}
	return at
}

// search returns the values of two keys of an object, "" where there is none.
func (p *propertyReader) search(object, literal, first string) (atLiteral, atFirst string) {
	p.text.Reset(object)
	p.dec.Reset(&p.text, jsontext.AllowDuplicateNames(true))
	if _, err := p.dec.ReadToken(); err != nil {
		return "", ""
	}
	for p.dec.PeekKind() == jsontext.KindString {
		key, err := p.dec.ReadValue()
		if err != nil {
			return "", ""
		}
		p.buffer, err = jsontext.AppendUnquote(p.buffer[:0], key)
		if err != nil {
			return "", ""
		}
		isLiteral, isFirst := string(p.buffer) == literal, string(p.buffer) == first
		value, err := p.dec.ReadValue()
		if err != nil {
			return "", ""
		}
		if !isLiteral && !isFirst {
			continue
		}
		// The value is a stretch of the object, so no copy of it is needed.
		end := int(p.dec.InputOffset())
		found := object[end-len(value) : end]
		if isLiteral {
			return found, found
		}
		atFirst = found
	}
	return "", atFirst
}

// elements calls yield for each element of a JSON array, until it returns false.
func (p *propertyReader) elements(array string, yield func(element string) bool) {
	p.text.Reset(array)
	p.dec.Reset(&p.text, jsontext.AllowDuplicateNames(true))
	if _, err := p.dec.ReadToken(); err != nil {
		return
	}
	for p.dec.PeekKind() != jsontext.KindEndArray {
		value, err := p.dec.ReadValue()
		if err != nil {
			return
		}
		end := int(p.dec.InputOffset())
		if !yield(array[end-len(value) : end]) {
			return
		}
	}
}

// propertyTest compares the JSON of a property with the literals of one filter.
type propertyTest struct {
	op       Op
	reader   *propertyReader
	texts    []string
	decimals []decimal
	bools    []string
	scratch  decimal
	buffer   []byte
}

// newPropertyTest sorts the literals by kind, as values of different kinds are never compared.
func newPropertyTest(f Filter) *propertyTest {
	t := &propertyTest{op: f.Op, reader: newPropertyReader(f.Property)}
	for _, v := range f.Values {
		switch v.Kind {
		case LiteralText:
			t.texts = append(t.texts, v.Text)
		case LiteralNumber:
			var d decimal
			d.read(v.Text)
			t.decimals = append(t.decimals, d)
		case LiteralBool:
			t.bools = append(t.bools, v.Text)
		}
	}
	slices.Sort(t.texts)
	slices.SortFunc(t.decimals, func(a, b decimal) int { return a.compare(&b) })
	return t
}

// isMissing tells whether a property counts as missing: null is as good as not there.
func isMissing(value string) bool { return value == "" || value == "null" }

// equals tells whether the value, or some element of it, is one of the literals.
func (t *propertyTest) equals(value string) bool {
	if isMissing(value) {
		return false
	}
	if value[0] != '[' {
		return t.equalsScalar(value)
	}
	found := false
	t.reader.elements(value, func(element string) bool {
		found = t.equalsScalar(element)
		return !found
	})
	return found
}

func (t *propertyTest) equalsScalar(value string) bool {
	switch value[0] {
	case '"':
		if len(t.texts) == 0 {
			return false
		}
		_, found := slices.BinarySearch(t.texts, t.unquoted(value))
		return found
	case 't', 'f':
		return slices.Contains(t.bools, value)
	case 'n', '{', '[':
		return false
	}
	if len(t.decimals) == 0 {
		return false
	}
	t.scratch.read(value)
	_, found := slices.BinarySearchFunc(t.decimals, &t.scratch, func(d decimal, want *decimal) int { return d.compare(want) })
	return found
}

// stands tells whether the value stands in the order, or holds the text, that the op asks for.
func (t *propertyTest) stands(value string) bool {
	if isMissing(value) {
		return false
	}
	switch value[0] {
	case '"':
		return len(t.texts) > 0 && textHolds(t.op, t.unquoted(value), t.texts[0])
	case 't', 'f', '{', '[':
		return false
	}
	if len(t.decimals) == 0 {
		return false
	}
	t.scratch.read(value)
	return t.op.holds(t.scratch.compare(&t.decimals[0]))
}

// unquoted returns the content of a JSON string.
func (t *propertyTest) unquoted(value string) string {
	if strings.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1]
	}
	t.buffer, _ = jsontext.AppendUnquote(t.buffer[:0], value)
	return string(t.buffer)
}
