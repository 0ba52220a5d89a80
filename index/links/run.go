// Package links keeps which visitors are which users: lists of event.Link as immutable runs.
//
// A run is made of small checksummed pieces, which whoever uses the package stores, and is read from
// front to back, in the order of positions. A merge leaves out the links that say nothing new. The
// package joins nobody and decides nothing about persons. It opens no files and starts no goroutines;
// nothing reaches disk. Damage is an error of kind event.ErrDamaged. Layout: FORMAT.md.
package links

import (
	"encoding/binary"
	"fmt"
	"math"

	"millimetric/index/event"
	"millimetric/index/ids"
	"millimetric/index/piece"
)

// A run is a list of pieces: the head, then lists of links. The head has: links (uv), lists (uv), the
// first position and how many positions the last one is behind it (uv each; 0 where there is no link).
const (
	magic      = "mlnk"
	runVersion = 1
	// listsMax keeps piece numbers within 32 bits.
	listsMax = math.MaxUint32 - 1
)

var kind = piece.Kind{Magic: magic, Version: runVersion}

// head is what a run says of itself.
type head struct {
	count, lists int
	first, last  event.Seq
}

func (h head) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.count))
	dst = binary.AppendUvarint(dst, uint64(h.lists))
	dst = binary.AppendUvarint(dst, uint64(h.first))
	return binary.AppendUvarint(dst, uint64(h.last-h.first))
}

func readHead(fields *piece.Fields) (h head, sound bool) {
	h.count, h.lists = int(fields.Uvarint(math.MaxInt)), int(fields.Uvarint(listsMax))
	h.first = event.Seq(fields.Uvarint(math.MaxUint64))
	h.last = h.first + event.Seq(fields.Uvarint(uint64(math.MaxUint64-h.first)))
	if h.count == 0 {
		return h, fields.Done() && h == head{}
	}
	return h, fields.Done() && h.lists > 0 && h.count >= h.lists && uint64(h.last-h.first) >= uint64(h.count-1)
}

// Build writes a run of links, whose positions must rise. The stamp tells the run from all others that
// are or were kept beside it.
func Build(stamp uint64, links []event.Link, emit ids.Emit) error {
	w := newWriter(stamp, emit)
	for _, l := range links {
		if err := w.add(l); err != nil {
			return err
		}
	}
	return w.finish()
}

// writer cuts links into lists. It keeps one of these.
type writer struct {
	head
	out   *piece.Writer
	list  list
	plain []byte
}

func newWriter(stamp uint64, emit ids.Emit) *writer {
	return &writer{out: piece.NewWriter(kind, stamp, emit)}
}

func (w *writer) add(l event.Link) error {
	if w.count > 0 && l.Seq <= w.last {
		panic(fmt.Sprintf("links: position %d follows %d", l.Seq, w.last))
	}
	if w.count == 0 {
		w.first = l.Seq
	}
	w.count++
	w.last = l.Seq
	if w.list.add(l); w.list.bytes < listBytes {
		return nil
	}
	return w.endList()
}

func (w *writer) endList() error {
	w.lists++
	plain, saving := w.list.append(w.plain[:0])
	w.plain = plain
	w.list.reset()
	return w.out.Put(piece.ID(w.lists), plain, saving)
}

func (w *writer) finish() error {
	if len(w.list.seqs) > 0 {
		if err := w.endList(); err != nil {
			return err
		}
	}
	return w.out.PutHead(w.head.append(nil))
}

// Run is a list of links that doesn't change. It keeps nothing in memory but its head, so that it is
// as safe for concurrent use as its pieces are.
type Run struct {
	head
	stamp  uint64
	pieces ids.Pieces
}

// Open reads the head of a run that was written with the stamp.
func Open(stamp uint64, pieces ids.Pieces) (*Run, error) {
	fields, err := kind.OpenHead(pieces, stamp)
	if err != nil {
		return nil, err
	}
	h, sound := readHead(&fields)
	if !sound {
		return nil, piece.Damaged("head of a run of %d links in %d lists", h.count, h.lists)
	}
	return &Run{h, stamp, pieces}, nil
}

// Len returns how many links there are.
func (r *Run) Len() int { return r.count }

// SeqRange returns the first and the last position, 0 and 0 where there is no link.
func (r *Run) SeqRange() (first, last event.Seq) { return r.first, r.last }

// Stamp returns what Open was given.
func (r *Run) Stamp() uint64 { return r.stamp }

// PieceCount returns how many pieces there are: their numbers are below it.
func (r *Run) PieceCount() int { return 1 + r.lists }

// Each yields all links in the order of positions, until yield returns false. What was yielded before
// an error is right.
func (r *Run) Each(yield func(event.Link) bool) error {
	seen, last := 0, event.Seq(0)
	for number := 1; number <= r.lists; number++ {
		plain, err := piece.Open(r.pieces, r.stamp, piece.ID(number))
		if err != nil {
			return err
		}
		opened, err := openList(plain)
		if err != nil {
			return err
		}
		first := opened.seqs[0]
		if seen == 0 && first != r.first || seen > 0 && first <= last {
			return piece.Damaged("list %d of links begins at position %d", number, first)
		}
		seen += len(opened.seqs)
		last = opened.seqs[len(opened.seqs)-1]
		if seen > r.count || number == r.lists && (seen != r.count || last != r.last) {
			return piece.Damaged("run has %d links up to position %d, its head says %d up to %d", seen, last, r.count, r.last)
		}
		for i := range opened.seqs {
			if !yield(opened.link(i)) {
				return nil
			}
		}
	}
	return nil
}

// Check reads the whole run, and reports the first damage.
func (r *Run) Check() error { return r.Each(func(event.Link) bool { return true }) }

// Merge writes one run of the links of several, whose positions must not overlap and must rise from run
// to run. It leaves out the links that drop reports true for, where drop isn't nil; of the others it
// keeps each that comes before all earlier ones of its visitor. So the last link of a visitor in the
// run is its earliest, and the last one up to a position was its earliest then. It holds the earliest
// time of each visitor in memory.
func Merge(stamp uint64, runs []*Run, drop func(event.Link) bool, emit ids.Emit) error {
	w := newWriter(stamp, emit)
	earliest := map[string]event.Time{}
	for _, r := range runs {
		var failed error
		err := r.Each(func(l event.Link) bool {
			// Positions rise: a link comes before an earlier one if its time does.
			if time, known := earliest[l.AnonymousID]; known && l.Time >= time || drop != nil && drop(l) {
				return true
			}
			earliest[l.AnonymousID] = l.Time
			failed = w.add(l)
			return failed == nil
		})
		if err != nil {
			return err
		}
		if failed != nil {
			return failed
		}
	}
	return w.finish()
}
