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

// rests takes what is left of the objects of all rows, in their order. It numbers them until there
// are too many for that; then it is full, and whoever scans begins anew with rests that are listed.
type rests struct {
	numbered
	most int     // how many rests may have codes
	list *lister // of all rows' rests, where they have no codes
}

// fixedRest is a rest that many rows have.
type fixedRest struct {
	text string
	code int // -1 before it has one
}

func (r *rests) full() bool { return len(r.texts) > 1 && len(r.texts) > r.most }

func (r *rests) addFixed(row int, rest *fixedRest) {
	if r.list != nil {
		r.list.add(rest.text)
		return
	}
	if rest.code < 0 {
		rest.code = int(r.number(rest.text))
	}
	r.codes[row] = uint32(rest.code)
}

func (r *rests) addText(row int, rest string) {
	if r.list != nil {
		r.list.add(rest)
		return
	}
	r.codes[row] = r.number(rest)
}

func (r *rests) addBytes(row int, rest []byte) {
	if r.list != nil {
		r.list.add(string(rest))
		return
	}
	r.codes[row] = r.numberBytes(rest)
}

// writeRest writes the rests of all rows. scan adds them; it stops where out is full.
func (d *draft) writeRest(scan func(out *rests) error) error {
	d.codes = sized(d.codes, d.rowCount())
	r := &rests{numbered: numbered{codes: d.codes}, most: d.rowCount() / restShare}
	r.copies = true
	if err := scan(r); err != nil {
		return err
	}
	if r.full() {
		r = &rests{list: &lister{packer: d.head.packer, kind: "properties"}}
		if err := scan(r); err != nil {
			return err
		}
		d.head.uv(restByRow)
		r.list.write(&d.head)
		return nil
	}
	places, rising := ranks(r.texts)
	for i, c := range r.codes {
		r.codes[i] = places[c]
	}
	d.head.uv(restByCode)
	d.writeCodes(&d.head, "properties", r.codes, uint32(len(rising)), true)
	d.head.sorted("properties", rising)
	return nil
}

// rests adds the objects of all rows without what the columns hold.
func (o *objects) rests(rows []Row, columns []*typed, out *rests) {
	cuts := newCuts(columns)
	cutters := make([]*cutter, len(o.shapes))
	for i := 0; i < len(rows) && !out.full(); i++ {
		if len(columns) == 0 {
			out.addText(i, rows[i].Event.Properties)
			continue
		}
		if c := o.cutterOf(i, cutters, cuts); c != nil && c.wholly {
			out.addFixed(i, &c.rest)
		} else {
			o.addRest(i, rows[i].Event.Properties, c, cuts, out)
		}
	}
}

// cutterOf returns the cutter for the object of a row, nil where its shape isn't remembered.
func (o *objects) cutterOf(row int, cutters []*cutter, cuts cuts) *cutter {
	number := o.shapeOf[row]
	if int(number) >= len(cutters) {
		return nil
	}
	if cutters[number] == nil {
		cutters[number] = newCutter(o.shapes[number], cuts)
	}
	return cutters[number]
}

// addRest adds what is left of the object of a row, for which cutterOf has returned c.
func (o *objects) addRest(row int, object string, c *cutter, cuts cuts, out *rests) {
	if c == nil {
		s, _ := o.find(object)
		c = newCutter(s, cuts)
	}
	if c.wholly {
		out.addFixed(row, &c.rest)
		return
	}
	out.addBytes(row, o.cut(object, c))
}

// cuts counts the members of each column while a scan passes them.
type cuts map[*typed]*int

func newCuts(columns []*typed) cuts {
	next := cuts{}
	for _, t := range columns {
		next[t] = new(int)
	}
	return next
}

// cutter cuts the values that columns hold out of objects of one shape.
type cutter struct {
	shape  *shape
	next   []*int    // by value: the next member of its column, nil where it has none
	wholly bool      // all values are always cut
	rest   fixedRest // what is left then
}

func newCutter(s *shape, next cuts) *cutter {
	c := &cutter{shape: s, wholly: true, rest: fixedRest{s.text, -1}}
	for _, t := range s.members {
		c.next = append(c.next, next[t])
		c.wholly = c.wholly && next[t] != nil && t.wholly
	}
	return c
}

// cut returns the object without the values that columns give back.
func (o *objects) cut(object string, c *cutter) []byte {
	if !o.fits(c.shape, object) {
		panic("index: an object has lost its shape")
	}
	out := o.scratch[:0]
	for k, part := range c.shape.parts {
		out = append(out, part...)
		if k == len(o.values) {
			break
		}
		t, cut := c.shape.members[k], false
		if c.next[k] != nil {
			if cut = t.wholly; !cut {
				cut = t.cut[*c.next[k]]
			}
			*c.next[k]++
		}
		if !cut {
			out = append(out, object[o.values[k].start:o.values[k].end]...)
		}
	}
	o.scratch = out
	return out
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

// isValue reports whether a text begins as valueOf makes it begin.
func isValue(value string) bool {
	return value != "" && strings.IndexByte("nsbzj", value[0]) >= 0
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
	texts   *arena
	dict    *Dict
	nearBy  int // the chunk of the row asked for last; -1 before the first
	asked   int // rows of that chunk that were read one by one
	row     uint32
	code    uint32 // of that row
	chunk   int    // that is unpacked; -1 for none
	codes   []uint32
	columns map[string]*propertyReader
	plans   []*restPlan // by code
	buffer  []byte
}

// restPlan is a rest taken apart: before each column's value a part, and one behind the last.
type restPlan struct {
	parts   []string
	columns []*propertyReader
}

func (s *Segment) restReader(point *pointReader, texts *arena) *restReader {
	r := &restReader{segment: s, point: point, texts: texts, nearBy: -1, chunk: -1, columns: map[string]*propertyReader{}}
	r.dict = s.dict(&s.rest.store, s.rest.shape == restByRow)
	return r
}

// rest returns what is left of a row's object.
func (r *restReader) rest(row uint32, run int) (string, error) {
	if r.segment.rest.shape == restByRow {
		return r.dict.At(rowOf(r.dict, row))
	}
	code, err := r.codeOf(row, run)
	if err != nil {
		return "", err
	}
	return r.dict.At(code)
}

// object returns the object of a row.
func (r *restReader) object(row uint32, run int) (string, error) {
	plan, err := r.planOf(row, run)
	if err != nil {
		return "", err
	}
	if len(plan.columns) == 0 {
		return plan.parts[0], nil
	}
	out := r.buffer[:0]
	for i, column := range plan.columns {
		if out, err = column.append(append(out, plan.parts[i]...), row); err != nil {
			return "", err
		}
	}
	r.buffer = append(out, plan.parts[len(plan.columns)]...)
	r.texts.room(len(r.buffer))
	r.texts.text.Write(r.buffer)
	return r.texts.take(), nil
}

// planOf returns the plan of a row's rest, which is kept where rests have codes.
func (r *restReader) planOf(row uint32, run int) (*restPlan, error) {
	if r.segment.rest.shape == restByRow {
		rest, err := r.rest(row, run)
		if err != nil {
			return nil, err
		}
		return r.plan(rest)
	}
	code, err := r.codeOf(row, run)
	if err != nil {
		return nil, err
	}
	if r.plans == nil {
		r.plans = make([]*restPlan, r.dict.Len())
	}
	if int(code) < len(r.plans) && r.plans[code] != nil {
		return r.plans[code], nil
	}
	rest, err := r.dict.At(code)
	if err != nil {
		return nil, err
	}
	if r.plans[code], err = r.plan(rest); err != nil {
		r.plans[code] = nil
	}
	return r.plans[code], err
}

func (r *restReader) plan(rest string) (*restPlan, error) {
	plan := &restPlan{}
	copied := 0
	for at := 1; at < len(rest)-1 && len(r.segment.properties) > 0; {
		nameEnd := at + valueEnd(rest[at:len(rest)-1])
		start := nameEnd + 1
		if nameEnd < at+2 || start >= len(rest) || rest[nameEnd] != ':' {
			return nil, damaged("a rest of %d bytes", len(rest))
		}
		if rest[start] != ',' && start != len(rest)-1 {
			end := start + valueEnd(rest[start:len(rest)-1])
			if end <= start {
				return nil, damaged("a rest of %d bytes", len(rest))
			}
			at = end + 1
			continue
		}
		column, err := r.column(unquote(rest[at:nameEnd]))
		if err != nil {
			return nil, err
		}
		plan.parts, plan.columns = append(plan.parts, rest[copied:start]), append(plan.columns, column)
		copied, at = start, start+1
	}
	plan.parts = append(plan.parts, rest[copied:])
	return plan, nil
}

func (r *restReader) column(name string) (*propertyReader, error) {
	column := r.columns[name]
	if column == nil {
		p := r.segment.Property(name)
		if p == nil {
			return nil, damaged("a rest lacks a property that has no column")
		}
		column = &propertyReader{property: p, dict: p.Dict(), chunk: -1}
		r.columns[name] = column
	}
	return column, nil
}

// propertyReader reads single values of a typed column, chunk by chunk. For a few rows of a chunk it
// ranks them in the set; for many it lists the rows and unpacks the values.
type propertyReader struct {
	property *Property
	dict     *Dict
	chunk    int
	rows     bitmap.Set
	ints     encode.Ints
	asked    int
	at       int
	listed   []uint32
	values   []uint64
}

// rankedAsks is how many rows are ranked before they are listed.
const rankedAsks = 100

func (p *propertyReader) load(chunk int) (err error) {
	p.asked = 0
	if chunk == p.chunk+1 && len(p.listed) > 0 {
		p.asked = rankedAsks // whoever read all of the last chunk will read all of this one
	}
	p.chunk, p.at, p.listed = -1, -1, p.listed[:0]
	if p.rows, err = p.property.RowsIn(chunk); err != nil {
		return err
	}
	if p.ints, err = p.property.valuesIn(chunk, p.rows.Count()); err != nil {
		return err
	}
	p.chunk = chunk
	return nil
}

// value returns the integer of a row.
func (p *propertyReader) value(row uint32) (value uint64, err error) {
	if chunk := int(row) / ChunkRows; chunk != p.chunk {
		if err := p.load(chunk); err != nil {
			return 0, err
		}
	}
	row %= ChunkRows
	if p.asked++; p.asked <= rankedAsks {
		if !p.rows.Has(row) {
			return 0, damaged("row %d isn't among those of its property", row)
		}
		return p.ints.At(p.rows.Rank(row)), nil
	}
	if len(p.listed) == 0 {
		p.listed = p.rows.Between(p.listed, 0, ChunkRows)
		p.values = slices.Grow(p.values[:0], p.ints.Len())[:p.ints.Len()]
		p.ints.Unpack64(p.values)
	}
	if p.at++; p.at >= len(p.listed) || p.listed[p.at] != row {
		found := false
		if p.at, found = slices.BinarySearch(p.listed, row); !found {
			return 0, damaged("row %d isn't among those of its property", row)
		}
	}
	return p.values[p.at], nil
}

// append appends the value of a row, as JSON.
func (p *propertyReader) append(dst []byte, row uint32) ([]byte, error) {
	code, err := p.value(row)
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
	if err != nil || !isValue(value) {
		return nil, errors.Join(err, damaged("value of row %d", row))
	}
	if value[0] == ValueText {
		return append(append(append(dst, '"'), value[1:]...), '"'), nil
	}
	return append(dst, jsonOf(value)...), nil
}

// Properties returns the properties of a row.
func (r *Reader) Properties(row uint32) (string, error) {
	if err := r.visit(row); err != nil {
		return "", err
	}
	return r.rest.object(row, int(r.run))
}

// Rest returns the properties of a row without the values that typed columns hold: what is after a
// name there is nothing. Whoever asks for a property without a column finds it here, at less cost.
func (r *Reader) Rest(row uint32) (string, error) {
	if err := r.visit(row); err != nil {
		return "", err
	}
	return r.rest.rest(row, int(r.run))
}
