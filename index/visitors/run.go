// Package visitors maps visitors to their ordinals, exactly.
//
// A visitor is represented by the keyed hash of its id (ids.Hasher). Those that came lately are in a
// Recent, a table in memory; the others are in runs: immutable, sorted by hash, and made of small
// checksummed pieces, which whoever uses the package stores. A Set asks several runs at once. Filters
// and pieces are those of package ids, whose runs have no numbers beside their hashes: that a visitor
// isn't in a run is known from 9 to 10 bits in memory, and one that is costs one piece of some 8 KiB.
//
// The package gives no ordinals, it keeps them. It opens no files and starts no goroutines; nothing
// reaches disk. Damage is an error of kind event.ErrDamaged, never an answer. Layout: FORMAT.md.
package visitors

import (
	"encoding/binary"
	"math"
	"math/bits"

	"millimetric/index/ids"
	"millimetric/index/piece"
)

// A run is a list of pieces: the head, then filters, then rests, as of package ids, but that each
// hash has an ordinal. The head has: hashes (uv), bucket bits (uv), ordinal bits (uv), greatest ordinal
// (uv; 0 where there is none).
const (
	magic      = "mvis"
	runVersion = 1
	// ordinalBitsMax is what an ordinal has.
	ordinalBitsMax = 32
)

var kind = piece.Kind{Magic: magic, Version: runVersion}

// Entry is a visitor.
type Entry struct {
	Hash    ids.Hash
	Ordinal uint32
}

// Build writes a run of entries, whose hashes must rise. The stamp tells the run from all others that
// are or were kept beside it.
func Build(stamp uint64, entries []Entry, emit ids.Emit) error {
	most := uint32(0)
	for _, e := range entries {
		most = max(most, e.Ordinal)
	}
	w := newWriter(stamp, len(entries), most, emit)
	for _, e := range entries {
		if err := w.add(e); err != nil {
			return err
		}
	}
	return w.finish()
}

// writer writes one run. It keeps one filter and one rest.
type writer struct {
	out         *piece.Writer
	body        *ids.BodyWriter
	ordinalBits int
	most        uint32
}

// newWriter returns a writer of at most count entries with ordinals up to bound.
func newWriter(stamp uint64, count int, bound uint32, emit ids.Emit) *writer {
	w := &writer{out: piece.NewWriter(kind, stamp, emit), ordinalBits: bits.Len32(bound)}
	w.body = ids.NewBodyWriter(w.out, count, ids.HashBits, w.ordinalBits)
	return w
}

func (w *writer) add(e Entry) error {
	w.most = max(w.most, e.Ordinal)
	return w.body.Add(e.Hash, e.Ordinal)
}

func (w *writer) finish() error {
	if err := w.body.Finish(); err != nil {
		return err
	}
	head := binary.AppendUvarint(w.body.AppendCounts(nil), uint64(w.ordinalBits))
	return w.out.PutHead(binary.AppendUvarint(head, uint64(w.most)))
}

// Run is a map from hashes to ordinals that doesn't change. Look-ups keep filters in memory, as many
// as Share allows. A Run is not safe for concurrent use: whoever merges or checks beside look-ups opens
// the run once more.
type Run struct {
	body *ids.Body
	most uint32
}

// Open reads the head of a run that was written with the stamp. No filter is kept until Share says.
func Open(stamp uint64, pieces ids.Pieces) (*Run, error) {
	fields, err := kind.OpenHead(pieces, stamp)
	if err != nil {
		return nil, err
	}
	count, bucketBits := ids.ReadCounts(&fields)
	ordinalBits, most := fields.Uvarint(ordinalBitsMax), fields.Uvarint(math.MaxUint32)
	if !fields.Done() || bits.Len64(most) > int(ordinalBits) {
		return nil, piece.Damaged("head of a run of %d visitors with ordinals up to %d", count, most)
	}
	return &Run{ids.NewBody(stamp, count, bucketBits, ids.HashBits, int(ordinalBits), pieces), uint32(most)}, nil
}

// Len returns how many visitors there are.
func (r *Run) Len() int { return r.body.Len() }

// Most returns the greatest ordinal, 0 where there is none.
func (r *Run) Most() uint32 { return r.most }

// Stamp returns what Open was given.
func (r *Run) Stamp() uint64 { return r.body.Stamp() }

// PieceCount returns how many pieces there are: their numbers are below it.
func (r *Run) PieceCount() int { return r.body.PieceCount() }

// Check reads the whole run, and reports the first damage.
func (r *Run) Check() error {
	most := uint32(0)
	err := r.Each(func(v Entry) error {
		most = max(most, v.Ordinal)
		return nil
	})
	if err == nil && most != r.most {
		err = piece.Damaged("the greatest ordinal of a run is %d, its head says %d", most, r.most)
	}
	return err
}

// Each calls yield with each visitor, by rising hash, until it fails.
func (r *Run) Each(yield func(Entry) error) error {
	return ids.MergeBodies([]*ids.Body{r.body}, func(h ids.Hash, ordinal uint32) error { return yield(Entry{h, ordinal}) })
}

// Share is ids.ShareBodies for runs.
func Share(bytes int, runs []*Run) (granted int) { return ids.ShareBodies(bytes, bodiesOf(runs)) }

func bodiesOf(runs []*Run) []*ids.Body {
	bodies := make([]*ids.Body, len(runs))
	for i, r := range runs {
		bodies[i] = r.body
	}
	return bodies
}

// Merge writes one run of the visitors of several, under a stamp of its own. Where keep isn't nil,
// those that it reports false for are left out. A visitor of several runs must have one ordinal. What it
// needs of memory doesn't depend on how many visitors there are: of each run, a filter and the hashes
// of a rest.
func Merge(stamp uint64, runs []*Run, keep func(Entry) bool, emit ids.Emit) error {
	count, bound := 0, uint32(0)
	for _, r := range runs {
		count += r.Len()
		bound = max(bound, r.most)
	}
	w := newWriter(stamp, count, bound, emit)
	last, any := Entry{}, false
	err := ids.MergeBodies(bodiesOf(runs), func(h ids.Hash, ordinal uint32) error {
		e := Entry{h, ordinal}
		if ordinal > bound {
			return piece.Damaged("ordinal %d of a run, its head says %d at most", ordinal, bound)
		}
		if any && h == last.Hash {
			if ordinal != last.Ordinal {
				return piece.Damaged("a visitor has the ordinals %d and %d", last.Ordinal, ordinal)
			}
			return nil
		}
		last, any = e, true
		if keep != nil && !keep(e) {
			return nil
		}
		return w.add(e)
	})
	if err != nil {
		return err
	}
	return w.finish()
}
