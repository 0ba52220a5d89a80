package index

import "millimetric/index/event"

// Times are kept less the least time of the segment, seqs less the least seq, both in pieces of
// ChunkRows rows: integers in the order of the rows.
//
// In the order of the times, seqs would take a third of the space, as events mostly arrive in that
// order. But a reader would have to sort each chunk, at five times the cost, and a replay asks for
// the seqs of all rows.

func (d *draft) writeOrder() {
	for i := range d.times {
		d.times[i] -= uint64(d.minTime)
		d.seqs[i] -= uint64(d.minSeq)
	}
	d.head.add(chunked(d.head.packer, "time", d.times, false)...)
	d.head.add(chunked(d.head.packer, "seq", d.seqs, false)...)
}

// Times reads the times of a chunk of rows into dst, which grows where it is too small.
func (s *Segment) Times(chunk int, dst []event.Time) ([]event.Time, error) {
	return s.stretch(chunk).Times(dst)
}

// Seqs reads the positions of a chunk of rows into dst, which grows where it is too small.
func (s *Segment) Seqs(chunk int, dst []event.Seq) ([]event.Seq, error) {
	return s.stretch(chunk).Seqs(dst)
}

// offset adds least to all values, and reports whether none is above most then.
func offset[T ~int64 | ~uint64](values []T, least, most T) bool {
	span, greatest := uint64(most)-uint64(least), uint64(0)
	for i, v := range values {
		greatest = max(greatest, uint64(v))
		values[i] = v + least
	}
	return greatest <= span
}
