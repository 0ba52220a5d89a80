package index

import (
	"encoding/binary"
	"fmt"

	"millimetric/index/event"
)

// headWriter writes the header and, in the same order, gathers the pieces that it speaks of. So a
// piece needs no number in the header: the reader counts along.
type headWriter struct {
	*packer
	out    []byte
	pieces []piece
}

func (w *headWriter) uv(v uint64) { w.out = binary.AppendUvarint(w.out, v) }
func (w *headWriter) sv(v int64)  { w.out = binary.AppendVarint(w.out, v) }

func (w *headWriter) text(s string) {
	w.uv(uint64(len(s)))
	w.out = append(w.out, s...)
}

// add gathers pieces and writes how many they are.
func (w *headWriter) add(pieces ...piece) {
	w.uv(uint64(len(pieces)))
	w.pieces = append(w.pieces, pieces...)
}

// join adds what another has written behind what this one has.
func (w *headWriter) join(other *headWriter) {
	w.out, w.pieces = append(w.out, other.out...), append(w.pieces, other.pieces...)
	*other = headWriter{packer: other.packer}
}

// headReader takes the header apart. After the first value that isn't there, bad is set and every
// further value is 0.
type headReader struct {
	rest []byte
	bad  bool
	next int // number of the next piece
}

// span is a stretch of pieces.
type span struct{ first, count int }

func (r *headReader) fail() { r.bad, r.rest = true, nil }

func (r *headReader) uv() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *headReader) sv() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// length reads a number that is at most most.
func (r *headReader) length(most int) int {
	v := r.uv()
	if v > uint64(most) {
		r.fail()
		return 0
	}
	return int(v)
}

func (r *headReader) text() string {
	n := r.length(len(r.rest))
	if n > len(r.rest) { // the length itself took some
		r.fail()
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *headReader) span() span {
	// No piece is empty, and there are never more of them than values, whatever they hold.
	s := span{r.next, r.length(piecesMax)}
	r.next += s.count
	return s
}

func damaged(format string, args ...any) error {
	return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf(format, args...)}
}
