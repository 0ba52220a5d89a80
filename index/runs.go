package index

import (
	"slices"

	"millimetric/index/bitmap"
	"millimetric/index/encode"
)

// Runs are visitors of a segment, by rising ordinal, and where the rows of each begin: all of them,
// or those that follow each other from some on.
type Runs struct {
	Ordinals []uint32
	Starts   []uint32 // one more than visitors: the last is where the rows of the last end

	first int // the number of the first visitor in the segment
}

// The record of the visitors:
//
//	pieces of sets of their ordinals, see sets.go
//	pieces of the first row of each, visitorChunk of them in a piece
//	text store: the anonymous id of each

// writeRuns writes the visitors; the record of their ids is at hand.
func (d *draft) writeRuns(ids *headWriter) {
	d.head.add(setPieces(d.head.packer, "visitors", d.ordinals)...)
	d.head.add(pieced(d.head.packer, "visitors", d.starts[:len(d.ordinals)], visitorChunk, false)...)
	d.head.join(ids)
}

func (s *Segment) readRuns(r *headReader) {
	s.ordinals, s.runStarts, s.anonymous = r.span(), r.span(), readTextStore(r)
	if s.anonymous.count != s.visitors || s.runStarts.count != piecesOf(s.visitors, visitorChunk) {
		r.fail()
	}
}

// VisitorSet returns the ordinals of all visitors.
func (s *Segment) VisitorSet() (bitmap.Set, error) { return s.set(s.ordinals, 1<<32) }

// Runs reads all visitors and their rows.
func (s *Segment) Runs() (*Runs, error) {
	set, err := s.VisitorSet()
	if err != nil {
		return nil, err
	}
	runs := &Runs{Ordinals: set.Numbers()}
	if len(runs.Ordinals) != s.visitors {
		return nil, damaged("%d visitors are in the set, %d in the header", len(runs.Ordinals), s.visitors)
	}
	if runs.Starts, err = s.list(s.runStarts, visitorChunk, s.visitors, uint32(s.rows)); err != nil {
		return nil, err
	}
	runs.Starts = append(runs.Starts, uint32(s.rows))
	return runs, s.checkStarts(runs)
}

// checkStarts checks that each visitor has rows, which are the segment's.
func (s *Segment) checkStarts(runs *Runs) error {
	if start := runs.Starts[0]; runs.first == 0 && start != 0 || start > uint32(s.rows) {
		return damaged("visitor %d begins at row %d", runs.first, start)
	}
	for i, start := range runs.Starts[1:] {
		if start <= runs.Starts[i] || start > uint32(s.rows) {
			return damaged("visitor %d ends at row %d, and begins at %d", runs.first+i, start, runs.Starts[i])
		}
	}
	return nil
}

// Of returns which of the runs row lies in.
func (r *Runs) Of(row uint32) int {
	at, found := slices.BinarySearch(r.Starts, row)
	if !found {
		at--
	}
	return at
}

// RunReader reads the visitors of a segment some at a time, so that a scan of many segments needn't
// hold those of all. It keeps the set of ordinals, and is not safe for concurrent use.
type RunReader struct {
	segment *Segment
	set     bitmap.Set
	runs    Runs
	chunk   int // of visitors, that starts holds the first rows of; -1 before the first
	starts  []uint32
}

// RunReader returns a reader of visitors.
func (s *Segment) RunReader() (*RunReader, error) {
	set, err := s.VisitorSet()
	if err == nil && set.Count() != s.visitors {
		err = damaged("%d visitors are in the set, %d in the header", set.Count(), s.visitors)
	}
	if err != nil {
		return nil, err
	}
	return &RunReader{segment: s, set: set, chunk: -1}, nil
}

// Between returns the visitors whose ordinals are not below from, and below to. They are valid until
// the next call. Asking for ordinals that rise is cheapest.
func (r *RunReader) Between(from, to uint32) (*Runs, error) {
	first := r.set.Rank(from)
	r.runs.first = first
	r.runs.Ordinals = r.set.Between(r.runs.Ordinals[:0], from, to)
	r.runs.Starts = r.runs.Starts[:0]
	last := first + len(r.runs.Ordinals)
	for at := first; at <= last; {
		if at == r.segment.visitors {
			r.runs.Starts = append(r.runs.Starts, uint32(r.segment.rows))
			break
		}
		if err := r.load(at / visitorChunk); err != nil {
			return nil, err
		}
		own := r.starts[at%visitorChunk : min(len(r.starts), last+1-r.chunk*visitorChunk)]
		r.runs.Starts = append(r.runs.Starts, own...)
		at += len(own)
	}
	return &r.runs, r.segment.checkStarts(&r.runs)
}

func (r *RunReader) load(chunk int) error {
	if chunk == r.chunk {
		return nil
	}
	r.chunk = -1
	s := r.segment
	count := min(visitorChunk, s.visitors-chunk*visitorChunk)
	ints, err := s.ints(s.runStarts.first+chunk, count)
	if err != nil {
		return err
	}
	r.starts = slices.Grow(r.starts[:0], count)[:count]
	encode.UnpackInts(&ints, r.starts)
	r.chunk = chunk
	return nil
}
