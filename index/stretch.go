package index

import (
	"slices"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// Stretch is rows of a segment that lie in one chunk, for who needs few of its rows or has no memory for all: only what
// is asked for is unpacked. What is read into has one element for each row.
type Stretch struct {
	segment  *Segment
	chunk    int
	from, to int
}

// Stretch returns the rows from from up to to, which lie in one chunk.
func (s *Segment) Stretch(from, to int) Stretch {
	chunk := from / ChunkRows
	if from < 0 || from >= to || to > min((chunk+1)*ChunkRows, s.rows) {
		panic("index: a stretch of rows that lies in no chunk")
	}
	return Stretch{segment: s, chunk: chunk, from: from, to: to}
}

// stretch returns the rows of a chunk.
func (s *Segment) stretch(chunk int) Stretch {
	from, to := s.ChunkBounds(chunk)
	return Stretch{segment: s, chunk: chunk, from: from, to: to}
}

// Bounds returns the rows: from inclusive, to exclusive.
func (t Stretch) Bounds() (from, to int) { return t.from, t.to }

// Times reads the times of the rows into dst, which grows where it is too small.
func (t Stretch) Times(dst []event.Time) ([]event.Time, error) {
	return unpackAbove(t, "time", t.segment.times, dst, t.segment.minTime, t.segment.maxTime)
}

// Seqs reads the positions of the rows into dst, which grows where it is too small.
func (t Stretch) Seqs(dst []event.Seq) ([]event.Seq, error) {
	return unpackAbove(t, "position", t.segment.seqs, dst, t.segment.minSeq, t.segment.maxSeq)
}

// unpackAbove is unpackOf for values that are kept less the least of the segment.
func unpackAbove[T ~int64 | ~uint64](t Stretch, what string, pieces span, dst []T, least, most T) ([]T, error) {
	dst, err := unpackOf(t, pieces, dst)
	if err == nil && !offset(dst, least, most) {
		err = damaged("a %s of chunk %d lies outside of the segment", what, t.chunk)
	}
	if err != nil {
		return nil, err
	}
	return dst, nil
}

// Codes is Segment.Codes for the rows.
func (t Stretch) Codes(c event.Column, runs *Runs, dst []uint32) ([]uint32, error) {
	s := t.segment
	i := touchIndex(c)
	if i < 0 {
		return t.codes(&s.columns[c].codes, runs, dst)
	}
	dst, err := t.codes(&s.touches.codes, runs, dst)
	if err != nil {
		return nil, err
	}
	return dst, s.touchCodes(i, dst)
}

// TouchCodes is Segment.TouchCodes for the rows.
func (t Stretch) TouchCodes(runs *Runs, dst []uint32) ([]uint32, error) {
	return t.codes(&t.segment.touches.codes, runs, dst)
}

// SessionCodes is Segment.SessionCodes for the rows.
func (t Stretch) SessionCodes(runs *Runs, dst []uint32) ([]uint32, error) {
	return t.codes(&t.segment.sessions, runs, dst)
}

// SessionsDerived is Segment.SessionsDerived for the rows.
func (t Stretch) SessionsDerived(runs *Runs, dst []uint32) ([]uint32, error) {
	return t.codes(&t.segment.derived, runs, dst)
}

// PathsInURL is Segment.PathsInURL for the rows.
func (t Stretch) PathsInURL(runs *Runs, dst []uint32) ([]uint32, error) {
	return t.codes(&t.segment.inURL, runs, dst)
}

// unpackOf reads what the rows have of a list whose pieces have as many values as chunks have rows.
func unpackOf[T ~uint32 | ~uint64 | ~int64](t Stretch, pieces span, dst []T) ([]T, error) {
	first, end := t.segment.ChunkBounds(t.chunk)
	ints, err := t.segment.ints(pieces.first+t.chunk, end-first)
	if err != nil {
		return nil, err
	}
	dst = slices.Grow(dst[:0], t.to-t.from)[:t.to-t.from]
	encode.UnpackPart(&ints, t.from-first, dst)
	return dst, nil
}

// codes reads the codes of a chunk of rows into dst.
func (s *Segment) codes(c *codeColumn, runs *Runs, chunk int, dst []uint32) ([]uint32, error) {
	return s.stretch(chunk).codes(c, runs, dst)
}

// codes reads the codes of the rows into dst.
func (t Stretch) codes(c *codeColumn, runs *Runs, dst []uint32) ([]uint32, error) {
	switch c.shape {
	case shapeOne:
		dst = slices.Grow(dst[:0], t.to-t.from)[:t.to-t.from]
		for i := range dst {
			dst[i] = c.one
		}
		return dst, nil
	case shapePerRow:
		dst, err := unpackOf(t, c.chunks, dst)
		if err != nil {
			return nil, err
		}
		return dst, below(dst, c.limit)
	}
	dst = slices.Grow(dst[:0], t.to-t.from)[:t.to-t.from]
	return dst, t.spread(c, runs, dst)
}

// spread fills dst with the codes of the rows' visitors.
func (t Stretch) spread(c *codeColumn, runs *Runs, dst []uint32) error {
	from, to, last := t.from, t.to, len(runs.Ordinals)
	if first := int(runs.Starts[0]); first > from || int(runs.Starts[last]) < to {
		clear(dst) // of what isn't filled now, the caller may read anything but rubbish of another column
		if from, to = max(from, first), min(to, int(runs.Starts[last])); from >= to {
			return nil
		}
	}
	if err := t.spreadRuns(c, runs, from, to, dst); err != nil {
		return err
	}
	rows, codes, err := t.segment.exceptions(c, t.chunk)
	if err != nil {
		return err
	}
	lead := t.from - t.chunk*ChunkRows
	at, _ := slices.BinarySearch(rows, uint32(lead))
	for ; at < len(rows) && int(rows[at]) < lead+len(dst); at++ {
		dst[int(rows[at])-lead] = codes[at]
	}
	return nil
}

// spreadRuns fills those elements of dst that are rows from and up to to.
func (t Stretch) spreadRuns(c *codeColumn, runs *Runs, from, to int, dst []uint32) error {
	s := t.segment
	first, last := runs.Of(uint32(from)), runs.Of(uint32(to-1))
	firsts := make([]uint32, min(visitorChunk, last-first+1))
	for run := first; run <= last; {
		visitor := runs.first + run
		piece := visitor / visitorChunk
		count := min(visitorChunk, s.visitors-piece*visitorChunk)
		ints, err := s.ints(c.chunks.first+piece, count)
		if err != nil {
			return err
		}
		own := firsts[:min(last+1-run, count-visitor%visitorChunk)]
		encode.UnpackPart(&ints, visitor%visitorChunk, own)
		if err := below(own, c.limit); err != nil {
			return err
		}
		for _, code := range own {
			encode.Fill(dst, max(from, int(runs.Starts[run]))-t.from, min(to, int(runs.Starts[run+1]))-t.from, code)
			run++
		}
	}
	return nil
}
