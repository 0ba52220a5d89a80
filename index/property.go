package index

import (
	"maps"
	"slices"

	"millimetric/index/bitmap"
	"millimetric/index/encode"
)

// Properties that many rows have become columns of their own; rest.go keeps what isn't in them. Only members of the outermost object do, by their literal names, and of two of the same name
// the first. A row that isn't in the column's rows has no such member.
//
//	columns  uv  and of each:
//	name     text
//	kind     1 byte  PropertyNumbers or PropertyValues
//	count    uv      how many rows have it
//	PropertyNumbers  scale (uv), trimmed (uv, 0 or 1: see appendNumber), least (sv)
//	PropertyValues   a text store of the distinct values, each a letter and a text, see below
//	rows     one piece for each ChunkRows rows: the set of those that have it, less the first of
//	         the chunk
//	values   one for each: integers, the numbers of those rows in their order, times ten to the
//	         power of scale, less the least; or their codes
const (
	typedColumnsMax = 32 // each costs a pass over all raw texts when it is checked
	// typedShare is the share of rows that must have a property: below it, the raw blocks that hold
	// it are few.
	typedShare     = 1000
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

// writeProperties writes the typed columns, then what of the objects isn't in them.
func (b *builder) writeProperties(most int) {
	columns := b.objects.settle(len(b.rows), typedMost(most))
	b.head.uv(uint64(len(columns)))
	for _, t := range columns {
		b.head.property(t)
	}
	_ = b.writeRest(func(out *rests) error { // only readers of other segments fail
		b.objects.rests(b.rows, columns, out)
		return nil
	})
}

// property writes a typed column.
func (w *headWriter) property(t *typed) {
	const kind = "typed properties"
	w.text(t.name)
	w.uv(uint64(t.kind()))
	w.uv(uint64(len(t.rows)))
	if t.mixed {
		w.sorted(kind, t.texts)
		w.add(rowPieces(w.packer, kind, t.rows)...)
		w.add(valuePieces(w.packer, kind, t.rows, t.codes, 0)...)
		return
	}
	least := slices.Min(t.numbers)
	trimmed := uint64(0)
	if t.trimmed {
		trimmed = 1
	}
	w.uv(uint64(t.scale))
	w.uv(trimmed)
	w.sv(least)
	w.add(rowPieces(w.packer, kind, t.rows)...)
	w.add(valuePieces(w.packer, kind, t.rows, t.numbers, least)...)
}

// rowPieces and valuePieces leave out the chunks behind the last row that has the property.
func rowPieces(k *packer, kind string, rows []uint32) []piece {
	var pieces []piece
	own := make([]uint32, 0, min(len(rows), ChunkRows))
	for first := uint32(0); len(rows) > 0; first += ChunkRows {
		n, _ := slices.BinarySearch(rows, first+ChunkRows)
		own = own[:0]
		for _, row := range rows[:n] {
			own = append(own, row-first)
		}
		k.plain = bitmap.Of(own).Append(k.plain[:0])
		pieces = append(pieces, k.pack(kind, encode.SavingIntegers))
		rows = rows[n:]
	}
	return pieces
}

// valuePieces makes pieces of the values less the least.
func valuePieces[T uint32 | int64](k *packer, kind string, rows []uint32, values []T, least T) []piece {
	var pieces []piece
	own := make([]uint64, 0, min(len(rows), ChunkRows))
	for first := uint32(0); len(rows) > 0; first += ChunkRows {
		n, _ := slices.BinarySearch(rows, first+ChunkRows)
		own = own[:0]
		for _, v := range values[:n] {
			own = append(own, uint64(v-least))
		}
		pieces = append(pieces, intsPiece(k, kind, own, true))
		rows, values = rows[n:], values[n:]
	}
	return pieces
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
		if p.Kind == PropertyNumbers {
			p.Scale, p.trimmed, p.least = r.length(scaleMax), r.length(1) == 1, r.sv()
		} else {
			p.store = readTextStore(r)
		}
		p.rows, p.values = r.span(), r.span()
		if p.Kind == 0 || p.Count == 0 || p.rows.count > s.Chunks() || p.values.count != p.rows.count || s.properties[p.Name] != nil {
			r.fail()
			return
		}
		s.properties[p.Name] = p
	}
	s.readRest(r)
}

// Property returns the column of a property, nil where it has none: then only the raw texts tell.
func (s *Segment) Property(name string) *Property {
	p := s.properties[name]
	if p == nil || p.segment == s {
		return p
	}
	own := *p // it is that of the segment which this one is a copy of
	own.segment = s
	return &own
}

// PropertyNames returns the names of the properties that have columns, sorted.
func (s *Segment) PropertyNames() []string { return slices.Sorted(maps.Keys(s.properties)) }

// RowsIn returns the rows of a chunk that have the property, less the first row of the chunk.
func (p *Property) RowsIn(chunk int) (bitmap.Set, error) {
	if chunk >= p.rows.count {
		return bitmap.Set{}, nil
	}
	from, to := p.segment.ChunkBounds(chunk)
	return p.segment.set(span{p.rows.first + chunk, 1}, uint64(to-from))
}

// valuesIn returns the integers of the rows of a chunk that have the property, of which there are
// count.
func (p *Property) valuesIn(chunk, count int) (encode.Ints, error) {
	if chunk >= p.values.count {
		return encode.Ints{}, nil
	}
	return p.segment.ints(p.values.first+chunk, count)
}

// Rows returns the rows that have the property.
func (p *Property) Rows() (bitmap.Set, error) {
	rows := make([]uint32, 0, p.Count)
	for chunk := range p.rows.count {
		set, err := p.RowsIn(chunk)
		if err != nil {
			return bitmap.Set{}, err
		}
		from := len(rows)
		rows = set.Between(rows, 0, ChunkRows)
		for i := range rows[from:] {
			rows[from+i] += uint32(chunk * ChunkRows)
		}
	}
	if len(rows) != p.Count {
		return bitmap.Set{}, damaged("%d rows have a property, the header says %d", len(rows), p.Count)
	}
	return bitmap.Of(rows), nil
}

// offsets returns the integers of all rows that have the property.
func (p *Property) offsets() ([]uint64, error) {
	all := make([]uint64, 0, p.Count)
	for chunk := range p.values.count {
		set, err := p.RowsIn(chunk)
		if err != nil {
			return nil, err
		}
		ints, err := p.valuesIn(chunk, set.Count())
		if err != nil {
			return nil, err
		}
		from := len(all)
		all = slices.Grow(all, ints.Len())[:from+ints.Len()]
		ints.Unpack64(all[from:])
	}
	if len(all) != p.Count {
		return nil, damaged("%d rows have a value of a property, the header says %d", len(all), p.Count)
	}
	return all, nil
}

// CodesIn returns the rows of a chunk that have the property, less the first row of the chunk, and
// the codes of their values; in rows and codes, which grow where they are too small.
func (p *Property) CodesIn(chunk int, rows, codes []uint32) ([]uint32, []uint32, error) {
	rows, ints, err := p.listIn(chunk, rows)
	if err != nil {
		return nil, nil, err
	}
	codes = slices.Grow(codes[:0], len(rows))[:len(rows)]
	ints.Unpack32(codes)
	return rows, codes, below(codes, uint32(p.store.count))
}

// NumbersIn is CodesIn for numbers, which are times ten to the power of Scale.
func (p *Property) NumbersIn(chunk int, rows []uint32, numbers []int64) ([]uint32, []int64, error) {
	rows, ints, err := p.listIn(chunk, rows)
	if err != nil {
		return nil, nil, err
	}
	numbers = slices.Grow(numbers[:0], len(rows))[:len(rows)]
	encode.UnpackInts(&ints, numbers)
	for i, offset := range numbers {
		if uint64(offset) > 2*numberMax {
			return nil, nil, damaged("a number of a property is %d off", uint64(offset))
		}
		numbers[i] = p.least + offset
	}
	return rows, numbers, nil
}

func (p *Property) listIn(chunk int, rows []uint32) ([]uint32, encode.Ints, error) {
	set, err := p.RowsIn(chunk)
	if err != nil {
		return nil, encode.Ints{}, err
	}
	rows = set.Between(rows[:0], 0, ChunkRows)
	ints, err := p.valuesIn(chunk, len(rows))
	return rows, ints, err
}

// Numbers returns the numbers of the rows that have the property, in their order, times ten to the
// power of Scale.
func (p *Property) Numbers() ([]int64, error) {
	offsets, err := p.offsets()
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, len(offsets))
	for i, offset := range offsets {
		if offset > 2*numberMax {
			return nil, damaged("a number of a property is %d off", offset)
		}
		numbers[i] = p.least + int64(offset)
	}
	return numbers, nil
}

// Codes returns the codes of the values of those rows, in their order.
func (p *Property) Codes() ([]uint32, error) {
	offsets, err := p.offsets()
	if err != nil {
		return nil, err
	}
	codes := make([]uint32, len(offsets))
	for i, code := range offsets {
		if code >= uint64(p.store.count) {
			return nil, damaged("value %d of %d", code, p.store.count)
		}
		codes[i] = uint32(code)
	}
	return codes, nil
}

// Dict returns the distinct values of the property.
func (p *Property) Dict() *Dict { return p.segment.dict(&p.store, false) }
