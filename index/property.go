package index

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"millimetric/index/bitmap"
)

// Properties that many rows have become columns of their own; rest.go keeps what isn't in them. Only members of the outermost object do, by their literal names, and of two of the same name
// the first. A row that isn't in the column's rows has no such member.
//
//	columns  uv  and of each:
//	name     text
//	kind     1 byte  PropertyNumbers or PropertyValues
//	count    uv      how many rows have it
//	rows     pieces of their set
//	PropertyNumbers  scale (uv), trimmed (uv, 0 or 1: see appendNumber), least (sv), pieces of
//	                 integers: the numbers of those rows in their order, times ten to the power of
//	                 scale, less the least
//	PropertyValues   a text store of the distinct values, pieces with the codes of those rows. A
//	                 value is a letter and a text, see the constants below.
const (
	typedColumnsMax = 32 // each costs a pass over all raw texts when it is checked
	// typedShare is the share of rows that must have a property: below it, the raw blocks that hold
	// it are few.
	typedShare     = 100
	typedValuesMax = 1 << 16
	typedNamesMax  = 4096 // names that are counted: objects with ids for names make no columns
	scaleMax       = 9
)

// PropertyKind says how a property's values are kept.
type PropertyKind byte

// A column has numbers where all of its values are numbers that an integer and a common scale hold
// exactly; else it has values of any kind.
const (
	PropertyNumbers PropertyKind = 1
	PropertyValues  PropertyKind = 2
)

// The letters before the texts of PropertyValues.
const (
	ValueNumber = 'n' // as it was written
	ValueText   = 's' // without quotes and escapes
	ValueBool   = 'b' // true or false
	ValueNull   = 'z' // nothing follows
	ValueJSON   = 'j' // an array or an object, as it was written
)

// Property is a property that has a column.
type Property struct {
	Name  string
	Kind  PropertyKind
	Count int // of rows that have it
	Scale int // a number is its integer divided by ten to this power

	segment *Segment
	rows    span
	trimmed bool
	least   int64
	values  span
	store   textStore
}

// member is a value of one row, as it stands in the JSON.
type member struct {
	row   uint32
	value string
}

// typed is a property on its way to becoming a column.
type typed struct {
	name    string
	kind    PropertyKind
	members []member
	cut     []bool // by member: a reader can make its text from the column, so the rest needn't hold it

	numbers []int64 // PropertyNumbers
	scale   int
	trimmed bool

	codes []uint32 // PropertyValues
	texts []string
}

// writeProperties writes the typed columns, then what of the objects isn't in them.
func (b *builder) writeProperties(most int) {
	if most == 0 {
		most = typedColumnsMax
	}
	var columns []*typed
	for _, t := range b.common(max(most, 0)) {
		if t.settle() {
			columns = append(columns, t)
		}
	}
	b.head.uv(uint64(len(columns)))
	for _, t := range columns {
		b.writeProperty(t)
	}
	b.writeRest(columns)
}

// common returns the properties that enough rows have, the most common first. There are none where
// some row's properties aren't the compact JSON that they ought to be: nothing could be said of it.
func (b *builder) common(most int) []*typed {
	byName := map[string]*typed{}
	for i := range b.rows {
		object := b.rows[i].Event.Properties
		whole := walkObject(object, func(name string, start, end int) bool {
			t := byName[name]
			if t == nil {
				if len(byName) == typedNamesMax {
					return true
				}
				t = &typed{name: name}
				byName[name] = t
			}
			if n := len(t.members); n == 0 || t.members[n-1].row != uint32(i) {
				t.members = append(t.members, member{uint32(i), object[start:end]})
			}
			return true
		})
		if !whole {
			return nil
		}
	}
	maps.DeleteFunc(byName, func(name string, t *typed) bool {
		// A dot may lead into an object where the literal name is missing: a column can't tell.
		return len(t.members)*typedShare < len(b.rows) || strings.Contains(name, ".")
	})
	columns := slices.SortedFunc(maps.Values(byName), func(a, z *typed) int {
		return cmp.Or(cmp.Compare(len(z.members), len(a.members)), cmp.Compare(a.name, z.name))
	})
	return columns[:min(len(columns), most)]
}

// settle decides how a column keeps its values. It reports false where there are too many.
func (t *typed) settle() bool {
	var ok bool
	if t.numbers, t.scale, ok = integersOf(t.members); ok {
		t.kind = PropertyNumbers
		if t.settleText(false) < len(t.members)/2 {
			t.trimmed = true
			t.settleText(true)
		}
		return true
	}
	return t.settleValues()
}

// settleText finds out which numbers are written as appendNumber writes them, and how many.
func (t *typed) settleText(trimmed bool) int {
	t.cut = make([]bool, len(t.members))
	count := 0
	var text []byte
	for i, m := range t.members {
		if text = appendNumber(text[:0], t.numbers[i], t.scale, trimmed); string(text) == m.value {
			t.cut[i] = true
			count++
		}
	}
	return count
}

// settleValues numbers the values as they are written, and then what they mean.
func (t *typed) settleValues() bool {
	t.kind = PropertyValues
	written, codes := []string{}, make([]uint32, len(t.members))
	known := map[string]uint32{}
	for i, m := range t.members {
		code, ok := known[m.value]
		if !ok {
			if len(written) == typedValuesMax {
				return false
			}
			code = uint32(len(written))
			known[m.value] = code
			written = append(written, m.value)
		}
		codes[i] = code
	}
	values, cut := make([]string, len(written)), make([]bool, len(written))
	for i, w := range written {
		values[i] = valueOf(w)
		cut[i] = jsonOf(values[i]) == w
	}
	var ranks []uint32
	ranks, t.texts = sortedCodes(values)
	t.codes, t.cut = codes, make([]bool, len(codes))
	for i, c := range codes {
		t.codes[i], t.cut[i] = ranks[c], cut[c]
	}
	return len(t.texts) <= listedMin || len(t.texts) <= len(t.codes)/listedShare
}

func (b *builder) writeProperty(t *typed) {
	const kind = "typed properties"
	rows := make([]uint32, len(t.members))
	for i, m := range t.members {
		rows[i] = m.row
	}
	b.head.text(t.name)
	b.head.uv(uint64(t.kind))
	b.head.uv(uint64(len(rows)))
	b.head.add(setPieces(kind, rows)...)
	if t.kind == PropertyValues {
		b.writeSorted(kind, t.texts)
		b.head.add(chunked(kind, t.codes, true)...)
		return
	}
	least := slices.Min(t.numbers)
	offsets := make([]uint64, len(t.numbers))
	for i, n := range t.numbers {
		offsets[i] = uint64(n - least)
	}
	trimmed := uint64(0)
	if t.trimmed {
		trimmed = 1
	}
	b.head.uv(uint64(t.scale))
	b.head.uv(trimmed)
	b.head.sv(least)
	b.head.add(chunked(kind, offsets, true)...)
}

// integersOf returns all values as integers of one scale, if they are such.
func integersOf(members []member) (numbers []int64, scale int, ok bool) {
	for _, m := range members {
		_, places, ok := parseNumber(m.value)
		if !ok {
			return nil, 0, false
		}
		scale = max(scale, places)
	}
	numbers = make([]int64, len(members))
	for i, m := range members {
		n, places, _ := parseNumber(m.value)
		for ; places < scale; places++ {
			if n > numberMax/10 || n < -numberMax/10 {
				return nil, 0, false
			}
			n *= 10
		}
		numbers[i] = n
	}
	return numbers, scale, true
}

// numberMax keeps the difference of any two numbers inside an int64.
const numberMax = 1 << 61

// parseNumber returns a JSON number as an integer and how many decimal places that has, as many as
// are written. ok is false for what is no number, has an exponent, or doesn't fit.
func parseNumber(text string) (n int64, places int, ok bool) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || len(fraction) > scaleMax || point && fraction == "" {
		return 0, 0, false
	}
	for _, part := range [2]string{whole, fraction} {
		for _, c := range []byte(part) {
			if c < '0' || c > '9' || n > (numberMax-9)/10 {
				return 0, 0, false
			}
			n = n*10 + int64(c-'0')
		}
	}
	if negative {
		n = -n
	}
	return n, len(fraction), true
}

// appendNumber writes a number with as many places as its column has, or, trimmed, without zeros at
// the end.
func appendNumber(dst []byte, n int64, scale int, trimmed bool) []byte {
	text := strconv.AppendInt(dst, n, 10)
	if scale == 0 {
		return text
	}
	digits := len(dst)
	if n < 0 {
		digits++
	}
	for len(text)-digits <= scale {
		text = slices.Insert(text, digits, '0')
	}
	text = slices.Insert(text, len(text)-scale, '.')
	// The point is there, so neither of the two gets at what was in dst.
	if trimmed {
		text = bytes.TrimRight(text, "0")
		text = bytes.TrimSuffix(text, []byte("."))
	}
	return text
}

// valueOf returns a letter and a text for a JSON value.
func valueOf(value string) string {
	switch value[0] {
	case '"':
		return string(rune(ValueText)) + unquote(value)
	case 't', 'f':
		return string(rune(ValueBool)) + value
	case 'n':
		return string(rune(ValueNull))
	case '{', '[':
		return string(rune(ValueJSON)) + value
	}
	return string(rune(ValueNumber)) + value
}

func (s *Segment) readProperties(r *headReader) {
	s.properties = map[string]*Property{}
	for range r.length(typedNamesMax) {
		p := &Property{segment: s, Name: r.text(), Kind: PropertyKind(r.length(int(PropertyValues))), Count: r.length(s.rows)}
		p.rows = r.span()
		if p.Kind == PropertyNumbers {
			p.Scale, p.trimmed, p.least = r.length(scaleMax), r.length(1) == 1, r.sv()
		} else {
			p.store = readTextStore(r)
		}
		p.values = r.span()
		if p.Kind == 0 || p.Count == 0 || p.values.count != chunksOf(p.Count) || s.properties[p.Name] != nil {
			r.fail()
			return
		}
		s.properties[p.Name] = p
	}
	s.readRest(r)
}

// Property returns the column of a property, nil where it has none: then only the raw texts tell.
func (s *Segment) Property(name string) *Property { return s.properties[name] }

// PropertyNames returns the names of the properties that have columns, sorted.
func (s *Segment) PropertyNames() []string { return slices.Sorted(maps.Keys(s.properties)) }

// Rows returns the rows that have the property.
func (p *Property) Rows() (bitmap.Set, error) {
	set, err := p.segment.set(p.rows, uint64(p.segment.rows))
	if err == nil && set.Count() != p.Count {
		err = damaged("%d rows have a property, the header says %d", set.Count(), p.Count)
	}
	return set, err
}

// Numbers returns the numbers of those rows, in their order, times ten to the power of Scale.
func (p *Property) Numbers() ([]int64, error) {
	numbers := make([]int64, 0, p.Count)
	offsets := make([]uint64, ChunkRows)
	for i := range p.values.count {
		count := min(ChunkRows, p.Count-i*ChunkRows)
		ints, err := p.segment.ints(p.values.first+i, count)
		if err != nil {
			return nil, err
		}
		ints.Unpack64(offsets[:count])
		for _, offset := range offsets[:count] {
			if offset > 2*numberMax {
				return nil, damaged("a number of a property is %d off", offset)
			}
			numbers = append(numbers, p.least+int64(offset))
		}
	}
	return numbers, nil
}

// Codes returns the codes of the values of those rows, in their order.
func (p *Property) Codes() ([]uint32, error) {
	return p.segment.all32(p.values, p.Count, uint32(p.store.count))
}

// Dict returns the distinct values of the property.
func (p *Property) Dict() *Dict { return p.segment.dict(&p.store, false) }
