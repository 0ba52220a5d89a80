package index

import (
	"slices"
	"strconv"
	"strings"

	"millimetric/index/event"
)

// What questions read of rows beside the coded columns, without making events of them.

// AnonymousIDs returns the anonymous ids of the visitors, by the numbers of their runs.
func (s *Segment) AnonymousIDs() *Dict { return s.dict(&s.anonymous, true) }

// SessionIDs are the session ids of a segment.
type SessionIDs struct{ dict *Dict }

// SessionIDs returns the session ids, for the numbers that SessionCodes gives. They keep what they
// have opened last, so they are not safe for concurrent use.
func (s *Segment) SessionIDs() *SessionIDs { return &SessionIDs{s.dict(&s.sessionT, true)} }

// At returns the id of a session, of which the visitor and the time of some event are known.
func (i *SessionIDs) At(code uint32, anonymousID string, at event.Time) (string, error) {
	text, err := i.dict.At(code)
	return sessionID(text, anonymousID, at), err
}

// Sent returns the id of a session where one was sent; sent is false where it is made of the visitor and
// the half-hour of any of its events, as event.Time counts them.
func (i *SessionIDs) Sent(code uint32) (id string, sent bool, err error) {
	text, err := i.dict.At(code)
	return sessionID(text, "", 0), text != "", err
}

// DerivedHalf returns the half-hour of which a session id would be made for a visitor, so that ids can be
// compared without making them; ok is false for an id that isn't such a one.
func DerivedHalf(id, anonymousID string) (half int64, ok bool) {
	digits, ok := strings.CutPrefix(id, anonymousID+"-")
	if !ok {
		return 0, false
	}
	half, err := strconv.ParseInt(digits, 10, 64)
	return half, err == nil && strconv.FormatInt(half, 10) == digits
}

// EventIDs are the ids that clients gave to the events of a segment.
type EventIDs struct{ dict *Dict }

// EventIDs returns the ids of the events. They keep what they have opened last, so they are not safe
// for concurrent use.
func (s *Segment) EventIDs() *EventIDs { return &EventIDs{s.dict(&s.ids, true)} }

// At returns the id of a row's event, "" where it has none.
func (i *EventIDs) At(row uint32) (string, error) { return i.dict.At(rowOf(i.dict, row)) }

// SessionsDerived reads for each row of a chunk whether its session id was derived: 1 or 0.
func (s *Segment) SessionsDerived(runs *Runs, chunk int, dst []uint32) ([]uint32, error) {
	return s.codes(&s.derived, runs, chunk, dst)
}

// PathsInURL reads for each row of a chunk whether the URL goes on with the path behind its site, and
// with ColumnRest only behind that: 1 or 0.
func (s *Segment) PathsInURL(runs *Runs, chunk int, dst []uint32) ([]uint32, error) {
	return s.codes(&s.inURL, runs, chunk, dst)
}

// IntegersIn reads the integers of the rows of a chunk that have the property, of which there are
// count, into dst, which grows where it is too small: numbers times ten to the power of Scale, or the
// codes of values.
func (p *Property) IntegersIn(chunk, count int, dst []int64) ([]int64, error) {
	ints, err := p.valuesIn(chunk, count)
	if err != nil {
		return nil, err
	}
	if ints.Len() != count {
		return nil, damaged("chunk %d has %d values of a property, not %d", chunk, ints.Len(), count)
	}
	offsets := make([]uint64, count)
	ints.Unpack64(offsets)
	dst = slices.Grow(dst[:0], count)[:count]
	most := uint64(2 * numberMax)
	if p.Kind == PropertyValues {
		most = uint64(p.store.count) - 1
	}
	for i, offset := range offsets {
		if offset > most {
			return nil, damaged("a value of a property is %d, above %d", offset, most)
		}
		dst[i] = int64(offset)
		if p.Kind == PropertyNumbers {
			dst[i] += p.least
		}
	}
	return dst, nil
}

// AppendNumber appends a number that IntegersIn gave, as JSON.
func (p *Property) AppendNumber(dst []byte, n int64) []byte {
	return appendNumber(dst, n, p.Scale, p.trimmed)
}

// JSON returns what a text of Dict stands for, its letter in front, as JSON. Texts that held escapes
// are left to the caller: ok is false for them.
func (p *Property) JSON(text string) (value string, ok bool) {
	if text == "" || text[0] == ValueText {
		return "", false
	}
	return jsonOf(text), true
}

// RestPiece tells which piece holds the rest of a row, counted from 0, so that whoever reads rests
// knows how many it opened.
func (r *Reader) RestPiece(row uint32) (int, error) {
	store := &r.segment.rest.store
	place := rowOf(r.rest.dict, row)
	if r.segment.rest.shape == restByCode {
		if err := r.visit(row); err != nil {
			return 0, err
		}
		code, err := r.rest.codeOf(row, int(r.run))
		if err != nil {
			return 0, err
		}
		place = code
	}
	if store.kind == storeInline {
		return 0, nil
	}
	at, found := slices.BinarySearch(store.firsts, int(place))
	if !found {
		at--
	}
	return at, nil
}

// Watch returns the segment with its sections read through what wrap makes of them.
func (s *Segment) Watch(wrap func(Sections) Sections) *Segment {
	c := *s
	c.src = wrap(s.src)
	return &c
}

// Times returns the times of rows, which rise. A chunk of which many are asked for is unpacked.
func (r *Reader) Times(rows []uint32) ([]event.Time, error) {
	times := make([]event.Time, 0, len(rows))
	var unpacked []event.Time
	for len(rows) > 0 {
		chunk, many := int(rows[0])/ChunkRows, 0
		for many < len(rows) && int(rows[many])/ChunkRows == chunk {
			many++
		}
		var err error
		if many > pointsMax {
			unpacked, err = r.segment.Times(chunk, unpacked)
		}
		for _, row := range rows[:many] {
			if err != nil {
				return nil, err
			}
			var t event.Time
			if many > pointsMax {
				t = unpacked[row%ChunkRows]
			} else {
				t, err = r.point.time(row)
			}
			times = append(times, t)
		}
		if err != nil {
			return nil, err
		}
		rows = rows[many:]
	}
	return times, nil
}

// RowsWith returns the rows that have a code in a column, rising, without unpacking the codes of all
// rows where those are kept by visitor. It is for codes of which there are few.
func (r *Reader) RowsWith(c event.Column, code uint32) ([]uint32, error) {
	s := r.segment
	own := s.columns[c]
	if own == nil || own.codes.shape != shapePerRun {
		return s.rowsByScan(c, code)
	}
	var rows []uint32
	firsts := make([]uint32, min(visitorChunk, s.visitors))
	for piece := range own.codes.chunks.count {
		count := min(visitorChunk, s.visitors-piece*visitorChunk)
		ints, err := s.ints(own.codes.chunks.first+piece, count)
		if err != nil {
			return nil, err
		}
		ints.Unpack32(firsts[:count])
		for i, first := range firsts[:count] {
			if first != code {
				continue
			}
			starts, err := r.point.visitorsFrom(piece)
			if err != nil {
				return nil, err
			}
			for row := starts[i]; row < starts[i+1]; row++ {
				rows = append(rows, row)
			}
		}
	}
	return s.withExceptions(&own.codes, code, rows)
}

// withExceptions takes out of rows those that have another code than their visitor's first row, and
// puts in those that alone have it.
func (s *Segment) withExceptions(c *codeColumn, code uint32, rows []uint32) ([]uint32, error) {
	var others, more []uint32
	for chunk := range s.Chunks() {
		except, codes, err := s.exceptions(c, chunk)
		if err != nil {
			return nil, err
		}
		for i, row := range except {
			row += uint32(chunk * ChunkRows)
			if codes[i] == code {
				more = append(more, row)
			} else {
				others = append(others, row)
			}
		}
	}
	kept := rows[:0]
	for _, row := range rows {
		if _, other := slices.BinarySearch(others, row); !other {
			kept = append(kept, row)
		}
	}
	rows = append(kept, more...)
	slices.Sort(rows)
	return slices.Compact(rows), nil
}

func (s *Segment) rowsByScan(c event.Column, code uint32) (rows []uint32, err error) {
	var runs *Runs
	if own := s.columns[c]; own == nil || own.codes.shape == shapePerRun {
		if runs, err = s.Runs(); err != nil {
			return nil, err
		}
	}
	var codes []uint32
	for chunk := range s.Chunks() {
		if codes, err = s.Codes(c, runs, chunk, codes); err != nil {
			return nil, err
		}
		for i, other := range codes {
			if other == code {
				rows = append(rows, uint32(chunk*ChunkRows+i))
			}
		}
	}
	return rows, nil
}
