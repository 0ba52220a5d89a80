package index

import "millimetric/index/event"

// Touch says where a visit came from.
type Touch struct {
	Source, Medium, Campaign string
	Confidence, Rule         string
}

// Retouch says what the touch of a row shall be, of which the URL and the referrer are known.
type Retouch func(url, referrer string, now Touch) Touch

// retoucher tells of rows of a segment what their touches are and shall be. Rows with the same codes are alike, so
// each combination of them is looked at once. It reads the segment from its first row to its last.
type retoucher struct {
	segment *Segment
	runs    *Runs
	retouch Retouch
	columns [retouchColumns]func(chunk int, dst []uint32) ([]uint32, error)
	dicts   [retouchTexts]*Dict
	touches [len(touchNames)]*Dict
	tables  [len(touchNames)][]uint32

	codes [retouchColumns][]uint32 // of the chunk at hand
	chunk int                      // -1 before the first
	known map[[retouchColumns]uint32]*retouched
}

// retouched is what a combination of codes comes to.
type retouched struct {
	now, then touch
	number    uint32 // of then in the result; unset before a row has it
}

// The columns that decide; those with texts come first.
const (
	retouchSite = iota
	retouchPath
	retouchRest
	retouchReferrer
	retouchInURL
	retouchTouch
	retouchColumns
	retouchTexts = retouchInURL
)

// retouchedMax bounds the combinations that are remembered; what recurs comes back at once.
const retouchedMax = 1 << 18

func newRetoucher(s *Segment, runs *Runs, retouch Retouch) (*retoucher, error) {
	r := &retoucher{segment: s, runs: runs, retouch: retouch, chunk: -1, known: map[[retouchColumns]uint32]*retouched{}}
	for i, name := range [retouchTexts]event.Column{ColumnSite, event.ColumnPath, ColumnRest, event.ColumnReferrer} {
		r.dicts[i] = s.dict(&s.columns[name].store, true)
		r.columns[i] = func(chunk int, dst []uint32) ([]uint32, error) { return s.Codes(name, runs, chunk, dst) }
	}
	r.columns[retouchInURL] = func(chunk int, dst []uint32) ([]uint32, error) { return s.PathsInURL(runs, chunk, dst) }
	r.columns[retouchTouch] = func(chunk int, dst []uint32) ([]uint32, error) { return s.TouchCodes(runs, chunk, dst) }
	for i := range touchNames {
		var err error
		if r.tables[i], err = s.touchTable(i); err != nil {
			return nil, err
		}
		r.touches[i] = s.dict(&s.touches.stores[i], false)
	}
	return r, nil
}

// row returns what a row's touch is and shall be.
func (r *retoucher) row(row uint32) (*retouched, error) {
	if chunk := int(row) / ChunkRows; chunk != r.chunk {
		for i, read := range r.columns {
			var err error
			if r.codes[i], err = read(chunk, r.codes[i]); err != nil {
				return nil, err
			}
		}
		r.chunk = chunk
	}
	var key [retouchColumns]uint32
	for i := range key {
		key[i] = r.codes[i][row%ChunkRows]
	}
	found := r.known[key]
	if found != nil {
		return found, nil
	}
	found, err := r.look(key)
	if err != nil {
		return nil, err
	}
	if len(r.known) == retouchedMax {
		clear(r.known)
	}
	r.known[key] = found
	return found, nil
}

// look asks about a combination of codes.
func (r *retoucher) look(key [retouchColumns]uint32) (*retouched, error) {
	var take taker
	var texts [retouchTexts]string
	for i := range texts {
		texts[i] = take.text(r.dicts[i], key[i])
	}
	found := &retouched{number: unset}
	for i := range touchNames {
		found.now[i] = take.text(r.touches[i], r.tables[i][key[retouchTouch]])
	}
	if take.err != nil {
		return nil, take.err
	}
	path := texts[retouchPath]
	if key[retouchInURL] == 0 {
		path = ""
	}
	then := r.retouch(texts[retouchSite]+path+texts[retouchRest], texts[retouchReferrer],
		Touch{found.now[0], found.now[1], found.now[2], found.now[3], found.now[4]})
	found.then = touch{then.Source, then.Medium, then.Campaign, then.Confidence, then.Rule}
	return found, nil
}

// EachTouch tells of each row of a segment what its touch is, and what it would become.
func (s *Segment) EachTouch(retouch Retouch, yield func(now, then Touch)) error {
	runs, err := s.Runs()
	if err != nil {
		return err
	}
	r, err := newRetoucher(s, runs, retouch)
	if err != nil {
		return err
	}
	for row := range uint32(s.rows) {
		found, err := r.row(row)
		if err != nil {
			return err
		}
		now, then := &found.now, &found.then
		yield(Touch{now[0], now[1], now[2], now[3], now[4]}, Touch{then[0], then[1], then[2], then[3], then[4]})
	}
	return nil
}

// writeRetouched writes other touches than the sources have.
func (m *merger) writeRetouched(retouch Retouch) error {
	readers := make([]*retoucher, len(m.sources))
	for i, s := range m.sources {
		var err error
		if readers[i], err = newRetoucher(s.segment, s.runs, retouch); err != nil {
			return err
		}
	}
	merged, to := &touchNumbers{codes: m.merged}, 0
	for _, part := range m.stretches {
		for row := part.from; row < part.to; row++ {
			found, err := readers[part.source].row(row)
			if err != nil {
				return err
			}
			if found.number == unset {
				found.number = merged.number(found.then)
			}
			m.merged[to] = found.number
			to++
		}
	}
	m.writeTouches(merged)
	return nil
}
