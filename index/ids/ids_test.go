package ids

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/event"
)

// held is the pieces of a run in memory, which a test may spoil.
type held struct {
	pieces map[PieceID][]byte
	reads  int
}

func (h *held) Piece(id PieceID) ([]byte, error) {
	h.reads++
	piece, ok := h.pieces[id]
	if !ok {
		return nil, damaged("no piece %d", id)
	}
	return piece, nil
}

// emit returns an Emit that keeps pieces in h.
func (h *held) emit(id PieceID, piece []byte) error {
	if h.pieces == nil {
		h.pieces = map[PieceID][]byte{}
	}
	if _, ok := h.pieces[id]; ok || len(piece) > PieceBytesMax {
		return fmt.Errorf("piece %d of %d bytes", id, len(piece))
	}
	h.pieces[id] = slices.Clone(piece)
	return nil
}

func (h *held) bytes() int {
	n := 0
	for _, piece := range h.pieces {
		n += len(piece)
	}
	return n
}

func built(t testing.TB, stamp uint64, hashes []Hash) *held {
	t.Helper()
	h := &held{}
	if err := Build(stamp, event.Time(stamp), hashes, h.emit); err != nil {
		t.Fatal(err)
	}
	return h
}

func opened(t testing.TB, stamp uint64, h *held) *Run {
	t.Helper()
	r, err := Open(stamp, h)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// random returns a generator of hashes. The lower half of every other one repeats that of the one
// before, and so do the upper 56 bits of some.
func random(seed uint64) func() Hash {
	r := rand.New(rand.NewPCG(seed, 1))
	last := Hash{}
	return func() Hash {
		h := Hash{r.Uint64(), r.Uint64() << (128 - IDBits)}
		switch r.IntN(16) {
		case 0:
			h.Lo = last.Lo
		case 1:
			h.Hi = last.Hi&^0xff | h.Hi&0xff
		}
		last = h
		return h
	}
}

// some returns count different hashes, rising.
func some(next func() Hash, count int) []Hash {
	hashes := make([]Hash, 0, count)
	for len(hashes) < count {
		for len(hashes) < count {
			hashes = append(hashes, next())
		}
		slices.SortFunc(hashes, Hash.Compare)
		hashes = slices.Compact(hashes)
	}
	return hashes
}

func all(t *testing.T, r *Run) []Hash {
	t.Helper()
	var hashes []Hash
	w := r.walk()
	for {
		if err := w.next(); err != nil {
			t.Fatal(err)
		}
		if w.ended {
			return hashes
		}
		hashes = append(hashes, w.hash)
	}
}

// sizes are those at which the shape of a run changes, and around them.
func sizes() []int {
	return []int{0, 1, 2, 3, 5, 6, 63, 64, 80, 81, 1279, 1280, 1281, 5000, 10240, 10241, 20481, 50000, 163841}
}

func TestRunGivesBackItsHashes(t *testing.T) {
	for _, n := range sizes() {
		want := some(random(uint64(n)), n)
		h := built(t, 7, want)
		r := opened(t, 7, h)
		if got := all(t, r); !slices.Equal(got, want) || r.Len() != n || r.Latest() != 7 || r.Stamp() != 7 {
			t.Fatalf("%d hashes: %d come back", n, len(got))
		}
		if r.PieceCount() != len(h.pieces) {
			t.Fatalf("%d hashes: %d pieces, %d are said", n, len(h.pieces), r.PieceCount())
		}
		if err := r.Check(); err != nil {
			t.Fatalf("%d hashes: %v", n, err)
		}
	}
}

// near returns hashes that differ from h in one bit, in each part of it.
func near(h Hash) []Hash {
	var list []Hash
	for bit := range 64 {
		list = append(list, Hash{h.Hi ^ 1<<bit, h.Lo})
		if bit >= 128-IDBits {
			list = append(list, Hash{h.Hi, h.Lo ^ 1<<bit})
		}
	}
	return list
}

func TestRunHasItsHashesAndNoOthers(t *testing.T) {
	for _, n := range sizes() {
		next := random(uint64(n))
		hashes := some(next, n)
		model := map[Hash]bool{}
		for _, h := range hashes {
			model[h] = true
		}
		for _, share := range []int{0, 20_000, 1 << 30} {
			r := opened(t, 1, built(t, 1, hashes))
			Share(share, []*Run{r})
			for i := range 3000 {
				asked := []Hash{next()}
				if n > 0 {
					asked = append(asked, hashes[i%n])
				}
				if n > 0 && i%100 == 0 {
					asked = append(asked, near(hashes[i%n])...)
				}
				for _, h := range asked {
					if got, err := r.Has(h); got != model[h] || err != nil {
						t.Fatalf("%d hashes, %d bytes, %x: %v, %v", n, share, h, got, err)
					}
				}
			}
		}
	}
}

func TestRecentAgreesWithAMap(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		next, recent, model := random(seed), Recent{}, map[Hash]bool{}
		var known []Hash
		if recent.Has(Hash{}) {
			t.Fatal("empty, and has the zero hash")
		}
		for range r.IntN(20_000) {
			h := next()
			switch k := r.IntN(8); {
			case k == 0 && len(known) > 0:
				h = known[r.IntN(len(known))]
			case k == 1:
				h = Hash{Hi: h.Hi | 0xffff<<48, Lo: h.Lo} // crowds the end of the table
			case k == 2:
				h = Hash{Hi: h.Hi & 1, Lo: h.Lo & 0x100000000} // and its beginning, zero included
			}
			if recent.Has(h) != model[h] || recent.Add(h) == model[h] || !recent.Has(h) {
				t.Fatalf("seed %d: %x", seed, h)
			}
			if !model[h] {
				known = append(known, h)
			}
			model[h] = true
		}
		slices.SortFunc(known, Hash.Compare)
		if !slices.Equal(recent.Sorted(), known) || recent.Len() != len(known) {
			t.Fatalf("seed %d: %d hashes, want %d", seed, len(recent.Sorted()), len(known))
		}
	}
}

func TestHashesDependOnEveryByteAndTheLength(t *testing.T) {
	hasher, other, short := NewHasher([32]byte{1}, HashBits), NewHasher([32]byte{2}, HashBits), NewHasher([32]byte{1}, IDBits)
	r := rand.New(rand.NewPCG(1, 3))
	seen := map[Hash]string{}
	for n := range 300 {
		id := make([]byte, n)
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		variants := []string{string(id), string(make([]byte, n)) + "\x00"}
		for i := range id {
			id[i] ^= 1 << r.IntN(8)
			variants = append(variants, string(id))
		}
		for _, text := range variants {
			h := hasher.Hash(text)
			if before, ok := seen[h]; ok && before != text {
				t.Fatalf("%q and %q have the same hash", before, text)
			}
			seen[h] = text
			if h.Lo&0xff != 0 || h != hasher.Hash(text) || h == other.Hash(text) {
				t.Fatalf("hash of %q", text)
			}
			if h.Lo &^= 1<<(128-IDBits) - 1; h != short.Hash(text) {
				t.Fatalf("short hash of %q", text)
			}
		}
	}
}

func TestHashNeedsNoMemory(t *testing.T) {
	hasher, id := NewHasher([32]byte{}, IDBits), "0190163d-8694-739b-aea5-966c26f8ad91"
	if n := testing.AllocsPerRun(100, func() { hasher.Hash(id) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestMissingPiecesAndFailedWritesAreErrors(t *testing.T) {
	hashes := some(random(1), 30_000)
	broken := errors.New("disk is full")
	for stop := range len(built(t, 1, hashes).pieces) {
		n := 0
		err := Build(1, 0, hashes, func(PieceID, []byte) error {
			if n++; n > stop {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) {
			t.Fatalf("after %d pieces: %v", stop, err)
		}
	}
}

// Hashes that crowd around the ends of a table lie beyond their slots, some of them in the first ones.
func TestTablesYieldTheirHashesRising(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 11))
	for _, spread := range []uint64{0, 1 << 8, 1 << 32, 1 << 58, 1 << 63} {
		for n := range 200 {
			var table Recent
			var want []Hash
			for range n {
				h := Hash{random.Uint64(), random.Uint64() << (128 - IDBits)}
				if spread > 0 {
					h.Hi = random.Uint64N(spread) * uint64(1-2*(random.IntN(2))) // about zero, from either side
				}
				if table.Add(h) {
					want = append(want, h)
				}
			}
			slices.SortFunc(want, Hash.Compare)
			if got := table.Sorted(); !slices.Equal(got, want) {
				t.Fatalf("spread %d: %d hashes come as %x, want %x", spread, n, got, want)
			}
		}
	}
}
