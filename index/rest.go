package index

import (
	"errors"
	"slices"
	"strings"

	"millimetric/index/bitmap"
	"millimetric/index/encode"
)

// What the typed columns hold needn't be kept twice: it is cut out of the objects. The rest of
// {"plan":"pro","note":"hi"} is {"plan":,"note":"hi"} where plan has a column. A value is cut only
// where the column gives it back to the byte; compact JSON never has an empty value, so a reader
// knows where to put it. Of members with the same name the first is cut.
//
//	shape  uv  restByRow or restByCode
//	restByRow   a text store of rows
//	restByCode  a code column, a text store
//
// Mostly the rests of thousands of rows are the same: then they have codes.
const (
	restByRow  = 0
	restByCode = 1
	// restShare: codes pay where there are this many times more rows than rests.
	restShare = 8
)

type restColumn struct {
	shape byte
	codes codeColumn
	store textStore
}

func (b *builder) writeRest(columns []*typed) {
	rests := b.rests(columns)
	codes, texts := make([]uint32, len(rests)), []string{}
	known := map[string]uint32{}
	for i, rest := range rests {
		if i > 0 && rest == rests[i-1] {
			codes[i] = codes[i-1]
			continue
		}
		code, ok := known[rest]
		if !ok {
			code = uint32(len(texts))
			known[rest] = code
			texts = append(texts, rest)
		}
		codes[i] = code
		if len(texts) > len(rests)/restShare && len(texts) > 1 {
			b.head.uv(restByRow)
			b.writeRowTexts("properties", false, func(i int) string { return rests[i] })
			return
		}
	}
	order, ranked := sortedCodes(texts)
	for i, c := range codes {
		codes[i] = order[c]
	}
	b.head.uv(restByCode)
	b.writeCodes("properties", codes, uint32(len(ranked)), true)
	b.writeSorted("properties", ranked)
}

// rests returns the objects of all rows without what the columns hold.
func (b *builder) rests(columns []*typed) []string {
	rests := make([]string, len(b.rows))
	byName, next := map[string]*typed{}, map[string]int{}
	for _, t := range columns {
		byName[t.name] = t
	}
	var out []byte
	for i := range b.rows {
		object := b.rows[i].Event.Properties
		rests[i] = object
		if len(columns) == 0 || object == "{}" {
			continue
		}
		copied := 0
		out = out[:0]
		walkObject(object, func(name string, start, end int) bool {
			t := byName[name]
			if t == nil {
				return true
			}
			at := next[name]
			if at == len(t.members) || t.members[at].row != uint32(i) {
				return true // the second of its name
			}
			next[name]++
			if t.cut[at] {
				out = append(out, object[copied:start]...)
				copied = end
			}
			return true
		})
		if copied > 0 {
			rests[i] = string(append(out, object[copied:]...))
		}
	}
	return rests
}

// jsonOf undoes valueOf for all values but texts that were written with escapes.
func jsonOf(value string) string {
	switch value[0] {
	case ValueText:
		return `"` + value[1:] + `"`
	case ValueNull:
		return "null"
	}
	return value[1:]
}

func (s *Segment) readRest(r *headReader) {
	s.rest.shape = byte(r.length(restByCode))
	if s.rest.shape == restByRow {
		s.rest.store = readTextStore(r)
		if s.rest.store.count != s.rows && s.rest.store.count != 1 {
			r.fail()
		}
		return
	}
	s.rest.codes, s.rest.store = s.readCodeColumn(r), readTextStore(r)
	if s.rest.store.count != int(s.rest.codes.limit) {
		r.fail()
	}
}

// restReader makes objects out of rests and columns.
type restReader struct {
	segment *Segment
	point   *pointReader
	dict    *Dict
	asked   int // rows read one by one since a chunk was unpacked
	chunk   int
	codes   []uint32
	columns map[string]*propertyReader
	buffer  []byte
}

func (s *Segment) restReader(point *pointReader) *restReader {
	r := &restReader{segment: s, point: point, chunk: -1, columns: map[string]*propertyReader{}}
	r.dict = s.dict(&s.rest.store, s.rest.shape == restByRow)
	return r
}

// rest returns what is left of a row's object.
func (r *restReader) rest(row uint32) (string, error) {
	if r.segment.rest.shape == restByRow {
		return r.dict.At(rowOf(r.dict, row))
	}
	chunk := int(row) / ChunkRows
	if chunk != r.chunk {
		if r.asked++; r.asked <= pointsMax {
			code, err := r.point.code(&r.segment.rest.codes, row)
			if err != nil {
				return "", err
			}
			return r.dict.At(code)
		}
		var err error
		r.chunk = -1
		if r.codes, err = r.segment.codes(&r.segment.rest.codes, r.point.runs, chunk, r.codes); err != nil {
			return "", err
		}
		r.chunk, r.asked = chunk, 0
	}
	return r.dict.At(r.codes[row%ChunkRows])
}

// object returns the object of a row.
func (r *restReader) object(row uint32) (string, error) {
	rest, err := r.rest(row)
	if err != nil || len(r.segment.properties) == 0 {
		return rest, err
	}
	out, copied := r.buffer[:0], 0
	for at := 1; at < len(rest)-1; {
		nameEnd := at + valueEnd(rest[at:len(rest)-1])
		start := nameEnd + 1
		if nameEnd < at+2 || start >= len(rest) || rest[nameEnd] != ':' {
			return "", damaged("rest of row %d", row)
		}
		if rest[start] != ',' && start != len(rest)-1 {
			end := start + valueEnd(rest[start:len(rest)-1])
			if end <= start {
				return "", damaged("rest of row %d", row)
			}
			at = end + 1
			continue
		}
		column, err := r.column(unquote(rest[at:nameEnd]))
		if err != nil {
			return "", err
		}
		if out, err = column.append(append(out, rest[copied:start]...), row); err != nil {
			return "", err
		}
		copied, at = start, start+1
	}
	if copied == 0 {
		return rest, nil
	}
	r.buffer = append(out, rest[copied:]...)
	return string(r.buffer), nil
}

func (r *restReader) column(name string) (*propertyReader, error) {
	column := r.columns[name]
	if column == nil {
		p := r.segment.properties[name]
		if p == nil {
			return nil, damaged("a rest lacks a property that has no column")
		}
		rows, err := p.Rows()
		if err != nil {
			return nil, err
		}
		column = &propertyReader{property: p, dict: p.Dict(), rows: rows, chunk: -1}
		r.columns[name] = column
	}
	return column, nil
}

// propertyReader reads single values of a typed column. For a few rows it ranks them in the set; for
// many it lists the rows.
type propertyReader struct {
	property *Property
	dict     *Dict
	rows     bitmap.Set
	asked    int
	listed   []uint32
	at       int
	chunk    int
	ints     encode.Ints
	unpacked []uint64
}

// rankedAsks is how many rows are ranked before they are listed: a rank is about as much work as
// listing a thousand rows.
const rankedAsks = 100

// place returns which of the column's rows row is.
func (p *propertyReader) place(row uint32) (at int, found bool) {
	if p.asked++; p.asked <= rankedAsks {
		return p.rows.Rank(row), p.rows.Has(row)
	}
	if p.listed == nil {
		p.listed = p.rows.Numbers()
	}
	if p.at+1 < len(p.listed) && p.listed[p.at+1] == row {
		p.at++
		return p.at, true
	}
	p.at, found = slices.BinarySearch(p.listed, row)
	return p.at, found
}

// code returns value at of the column. Once the rows are listed, whole chunks are unpacked.
func (p *propertyReader) code(at int) (uint64, error) {
	if chunk := at / ChunkRows; chunk != p.chunk {
		count := min(ChunkRows, p.property.Count-chunk*ChunkRows)
		ints, err := p.property.segment.ints(p.property.values.first+chunk, count)
		if err != nil {
			return 0, err
		}
		p.ints, p.chunk, p.unpacked = ints, chunk, p.unpacked[:0]
	}
	if p.listed == nil {
		return p.ints.At(at % ChunkRows), nil
	}
	if len(p.unpacked) == 0 {
		p.unpacked = slices.Grow(p.unpacked, p.ints.Len())[:p.ints.Len()]
		p.ints.Unpack64(p.unpacked)
	}
	return p.unpacked[at%ChunkRows], nil
}

// append appends the value of a row, as JSON.
func (p *propertyReader) append(dst []byte, row uint32) ([]byte, error) {
	at, found := p.place(row)
	if !found {
		return nil, damaged("row %d isn't among those of its property", row)
	}
	code, err := p.code(at)
	if err != nil {
		return nil, err
	}
	if p.property.Kind == PropertyNumbers {
		if code > 2*numberMax {
			return nil, damaged("a number of row %d is %d off", row, code)
		}
		return appendNumber(dst, p.property.least+int64(code), p.property.Scale, p.property.trimmed), nil
	}
	if code >= uint64(p.dict.Len()) {
		return nil, damaged("value %d of %d", code, p.dict.Len())
	}
	value, err := p.dict.At(uint32(code))
	if err != nil || value == "" || !strings.ContainsRune("nsbzj", rune(value[0])) {
		return nil, errors.Join(err, damaged("value of row %d", row))
	}
	if value[0] == ValueText {
		return append(append(append(dst, '"'), value[1:]...), '"'), nil
	}
	return append(dst, jsonOf(value)...), nil
}

// Properties returns the properties of a row.
func (r *Reader) Properties(row uint32) (string, error) { return r.rest.object(row) }

// Rest returns the properties of a row without the values that typed columns hold: what is after a
// name there is nothing. Whoever asks for a property without a column finds it here, at less cost.
func (r *Reader) Rest(row uint32) (string, error) { return r.rest.rest(row) }
