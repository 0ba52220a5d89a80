package index

import "slices"

// What the columns of a source hold is never written out as JSON to be read again: numbers go on as
// numbers, values by their codes, each of which is looked at once.

// written is a value as it stands in JSON, which many rows may have.
type written struct {
	text   string
	number bool // it is one that parseNumber takes
	n      int64
	places int
	code   uint32 // in the column that takes it, plus one; 0 before it has one
}

func writtenOf(text string) *written {
	w := &written{text: text}
	w.n, w.places, w.number = parseNumber(text)
	return w
}

// addWritten is add for a value that comes again.
func (t *typed) addWritten(row uint32, w *written) {
	if !t.takes() {
		return
	}
	t.rows = append(t.rows, row)
	if !t.mixed {
		if w.number {
			t.addNumber(w.n, w.places, w.text)
			return
		}
		t.mix()
	}
	if len(t.written.texts) == typedValuesMax {
		t.many = true
		return
	}
	if w.code == 0 {
		w.code = t.written.number(w.text) + 1
	}
	t.codes = append(t.codes, w.code-1)
}

// addShort is add for what appendNumber writes of n.
func (t *typed) addShort(row uint32, n int64, scale int, trimmed bool) {
	for trimmed && scale > 0 && n%10 == 0 {
		n /= 10
		scale--
	}
	if t.mixed {
		t.rows = append(t.rows, row)
		if len(t.written.texts) == typedValuesMax {
			t.many = true
			return
		}
		t.codes = append(t.codes, t.written.numberBytes(appendNumber(nil, n, scale, false)))
		return
	}
	mark := byte(scale)
	if scale > 0 && n%10 == 0 {
		mark |= markZeroEnd
	}
	t.rows = append(t.rows, row)
	t.addMarked(n, mark)
}

// hole is a typed column of a source, which is read from its first row to its last.
type hole struct {
	property *Property
	dict     *Dict
	known    []*written // by code; numbers have none
	chunk    int        // that is unpacked; -1 before the first
	at       int
	rows     []uint32 // of the chunk
	values   []uint64
}

func newHole(p *Property) *hole {
	h := &hole{property: p, chunk: -1}
	if p.Kind == PropertyValues {
		h.dict, h.known = p.Dict(), make([]*written, p.store.count)
	}
	return h
}

// value returns the integer of a row.
func (h *hole) value(row uint32) (uint64, error) {
	if chunk := int(row) / ChunkRows; chunk != h.chunk {
		if err := h.load(chunk); err != nil {
			return 0, err
		}
	}
	row %= ChunkRows
	for h.at < len(h.rows) && h.rows[h.at] < row {
		h.at++
	}
	if h.at == len(h.rows) || h.rows[h.at] != row {
		return 0, damaged("row %d of chunk %d isn't among those of its property", row, h.chunk)
	}
	return h.values[h.at], nil
}

func (h *hole) load(chunk int) error {
	h.chunk, h.at = -1, 0
	set, err := h.property.RowsIn(chunk)
	if err != nil {
		return err
	}
	ints, err := h.property.valuesIn(chunk, set.Count())
	if err != nil {
		return err
	}
	h.rows = set.Between(h.rows[:0], 0, ChunkRows)
	h.values = slices.Grow(h.values[:0], len(h.rows))[:len(h.rows)]
	if len(h.rows) > 0 {
		ints.Unpack64(h.values)
	}
	h.chunk = chunk
	return nil
}

// number returns what stands in a column of numbers for v.
func (h *hole) number(v uint64) (int64, error) {
	n := h.property.least + int64(v)
	if v > 2*numberMax || n > numberMax || n < -numberMax {
		return 0, damaged("a number of a property is %d off", v)
	}
	return n, nil
}

// text returns what stands in a column of values for v.
func (h *hole) text(v uint64) (*written, error) {
	if v >= uint64(len(h.known)) {
		return nil, damaged("value %d of %d", v, len(h.known))
	}
	if w := h.known[v]; w != nil {
		return w, nil
	}
	value, err := h.dict.At(uint32(v))
	if err != nil {
		return nil, err
	}
	if !isValue(value) {
		return nil, damaged("value %d of a property", v)
	}
	text := jsonOf(value)
	if text == "" || valueEnd(text) != len(text) || valueOf(text) != value {
		return nil, damaged("value %d of a property", v)
	}
	h.known[v] = writtenOf(text)
	return h.known[v], nil
}

// addTo adds the value of a row of the source to a column as that of a row of the result.
func (h *hole) addTo(t *typed, row, to uint32) error {
	if !t.takes() {
		return nil
	}
	v, err := h.value(row)
	if err != nil {
		return err
	}
	if h.dict != nil {
		w, err := h.text(v)
		if err == nil {
			t.addWritten(to, w)
		}
		return err
	}
	n, err := h.number(v)
	if err == nil {
		t.addShort(to, n, h.property.Scale, h.property.trimmed)
	}
	return err
}

// append appends the value of a row of the source, as JSON.
func (h *hole) append(dst []byte, row uint32) ([]byte, error) {
	v, err := h.value(row)
	if err != nil {
		return nil, err
	}
	if h.dict != nil {
		w, err := h.text(v)
		if err != nil {
			return nil, err
		}
		return append(dst, w.text...), nil
	}
	n, err := h.number(v)
	return appendNumber(dst, n, h.property.Scale, h.property.trimmed), err
}
