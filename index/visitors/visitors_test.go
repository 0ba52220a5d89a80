package visitors

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/event"
	"millimetric/index/ids"
	"millimetric/index/piece/piecetest"
)

func built(t testing.TB, stamp uint64, entries []Entry) *piecetest.Held {
	t.Helper()
	h := &piecetest.Held{}
	if err := Build(stamp, entries, h.Emit); err != nil {
		t.Fatal(err)
	}
	return h
}

func opened(t testing.TB, stamp uint64, h *piecetest.Held) *Run {
	t.Helper()
	r, err := Open(stamp, h)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// hashOf returns the hash of a visitor. Some are near one another.
func hashOf(r *rand.Rand, last ids.Hash) ids.Hash {
	h := ids.Hash{Hi: r.Uint64(), Lo: r.Uint64() &^ 0xff}
	switch r.IntN(16) {
	case 0:
		h.Lo = last.Lo
	case 1:
		h.Hi = last.Hi&^0xff | h.Hi&0xff
	}
	return h
}

// some returns count visitors, rising by hash, with different ordinals from first on.
func some(seed uint64, count int, first uint32) []Entry {
	r := rand.New(rand.NewPCG(seed, 1))
	table, last := Recent{}, ids.Hash{}
	for table.Len() < count {
		last = hashOf(r, last)
		table.Add(last, first+uint32(table.Len()))
	}
	return table.Entries()
}

func all(t *testing.T, r *Run) []Entry {
	t.Helper()
	var entries []Entry
	err := ids.MergeBodies([]*ids.Body{r.body}, func(h ids.Hash, ordinal uint32) error {
		entries = append(entries, Entry{h, ordinal})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func mapOf(entries []Entry) map[ids.Hash]uint32 {
	m := map[ids.Hash]uint32{}
	for _, e := range entries {
		m[e.Hash] = e.Ordinal
	}
	return m
}

// sizes are those at which the shape of a run changes, and around them.
func sizes() []int {
	return []int{0, 1, 2, 3, 63, 64, 80, 81, 1280, 1281, 5000, 10240, 10241, 50000, 163841}
}

func TestRunGivesBackItsVisitors(t *testing.T) {
	for _, n := range sizes() {
		for _, first := range []uint32{0, 1 << 20, math.MaxUint32 - uint32(n)} {
			want := some(uint64(n), n, first)
			h := built(t, 7, want)
			r := opened(t, 7, h)
			most := uint32(0)
			if n > 0 {
				most = first + uint32(n) - 1
			}
			if !slices.Equal(all(t, r), want) || r.Len() != n || r.Most() != most || r.Stamp() != 7 || r.PieceCount() != len(h.Pieces) {
				t.Fatalf("%d visitors from %d: %d, up to %d, in %d pieces", n, first, r.Len(), r.Most(), r.PieceCount())
			}
			if err := r.Check(); err != nil {
				t.Fatalf("%d visitors from %d: %v", n, first, err)
			}
		}
	}
}

func TestLookupAgreesWithAMap(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		model := map[ids.Hash]uint32{}
		var known []ids.Hash
		var runs []*Run
		for i := range r.IntN(6) {
			entries := some(100*seed+uint64(i), r.IntN(20_000), uint32(len(model)))
			maps.Copy(model, mapOf(entries))
			for _, e := range entries {
				known = append(known, e.Hash)
			}
			runs = append(runs, opened(t, uint64(i), built(t, uint64(i), entries)))
		}
		Share([]int{0, 20_000, 1 << 30}[seed%3], runs)
		set := NewSet(runs...)
		for range 10 {
			batch := make([]ids.Hash, r.IntN(3000))
			last := ids.Hash{}
			for i := range batch {
				if last = hashOf(r, last); len(known) > 0 && r.IntN(12) > 0 {
					last = known[r.IntN(len(known))]
				}
				if r.IntN(20) == 0 {
					last.Hi ^= 1 << r.IntN(64)
				}
				batch[i] = last
			}
			ask(t, set, batch, model, r, seed)
		}
	}
}

// ask asks a set for a batch, of which some are said to be found already.
func ask(t *testing.T, set *Set, batch []ids.Hash, model map[ids.Hash]uint32, r *rand.Rand, seed uint64) {
	t.Helper()
	const elsewhere = 77
	ordinals, found := make([]uint32, len(batch)), make([]bool, len(batch))
	said := make([]bool, len(batch))
	for i := range batch {
		ordinals[i] = elsewhere
		said[i] = r.IntN(10) == 0
	}
	copy(found, said)
	if err := set.Lookup(batch, ordinals, found); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	for i, h := range batch {
		want, there := model[h]
		if said[i] || !there {
			want = elsewhere
		}
		if found[i] != (said[i] || there) || ordinals[i] != want {
			t.Fatalf("seed %d: %x: %d, %v, want %d, %v", seed, h, ordinals[i], found[i], want, there)
		}
	}
}

func TestABatchReadsNoPieceTwice(t *testing.T) {
	entries := some(6, 60_000, 0)
	h := built(t, 1, entries)
	r := opened(t, 1, h)
	set := NewSet(r)
	var batch []ids.Hash
	for _, e := range append(entries, some(7, 60_000, 0)...) {
		batch = append(batch, e.Hash)
	}
	shuffle := rand.New(rand.NewPCG(6, 6))
	shuffle.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	clear(h.Reads)
	if err := set.Lookup(batch, make([]uint32, len(batch)), make([]bool, len(batch))); err != nil {
		t.Fatal(err)
	}
	if len(h.Reads) != r.PieceCount()-1 {
		t.Fatalf("%d pieces of %d are read", len(h.Reads), r.PieceCount())
	}
	for id, times := range h.Reads {
		if times != 1 {
			t.Fatalf("piece %d is read %d times", id, times)
		}
	}
}

// With the filters in memory, a visitor that is there costs one piece, and a new one nearly always none.
func TestAVisitorCostsOneSmallPiece(t *testing.T) {
	entries := some(8, 100_000, 0)
	h := built(t, 1, entries)
	r := opened(t, 1, h)
	set := NewSet(r)
	Share(1<<20, []*Run{r})
	lookup := func(hash ids.Hash) (bytes int) {
		clear(h.Reads)
		if err := set.Lookup([]ids.Hash{hash}, make([]uint32, 1), make([]bool, 1)); err != nil {
			t.Fatal(err)
		}
		for id := range h.Reads {
			bytes += len(h.Pieces[id])
		}
		return bytes
	}
	for _, e := range entries {
		lookup(e.Hash) // brings the filters into memory
	}
	for _, e := range entries[:2000] {
		if bytes := lookup(e.Hash); len(h.Reads) != 1 || bytes > 16<<10 {
			t.Fatalf("a look-up reads %d pieces of %d bytes", len(h.Reads), bytes)
		}
	}
	read := 0
	for _, e := range some(9, 5000, 0) {
		lookup(e.Hash)
		read += len(h.Reads)
	}
	if read > 75 {
		t.Fatalf("5000 new visitors cost %d pieces", read)
	}
}

func TestMergeJoinsRunsAndLeavesOutWhatItIsTold(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 3))
		shared := some(seed, 500, 1_000_000)
		keep := func(e Entry) bool { return e.Ordinal%7 != 0 }
		want := map[ids.Hash]uint32{}
		var runs []*Run
		for i := range 1 + r.IntN(5) {
			table := Recent{}
			for _, e := range append(some(1000+10*seed+uint64(i), r.IntN(15_000), uint32(i)<<16), shared...) {
				table.Add(e.Hash, e.Ordinal)
			}
			for _, e := range table.Entries() {
				if keep(e) {
					want[e.Hash] = e.Ordinal
				}
			}
			runs = append(runs, opened(t, uint64(i), built(t, uint64(i), table.Entries())))
		}
		h := &piecetest.Held{}
		if err := Merge(99, runs, keep, h.Emit); err != nil {
			t.Fatal(err)
		}
		merged := opened(t, 99, h)
		got := all(t, merged)
		if len(got) != len(want) || !maps.Equal(mapOf(got), want) || merged.Most() != slices.Max(slices.Collect(maps.Values(want))) {
			t.Fatalf("seed %d: %d visitors of %d, up to %d", seed, len(got), len(want), merged.Most())
		}
		if err := merged.Check(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestMergeRefusesAVisitorOfTwoOrdinals(t *testing.T) {
	a := opened(t, 1, built(t, 1, []Entry{{ids.Hash{Hi: 5}, 1}}))
	b := opened(t, 2, built(t, 2, []Entry{{ids.Hash{Hi: 5}, 2}}))
	if err := Merge(3, []*Run{a, b}, nil, (&piecetest.Held{}).Emit); !errors.Is(err, event.ErrDamaged) {
		t.Fatal(err)
	}
}

func TestRecentAgreesWithAMap(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 4))
		recent, model, last := Recent{}, map[ids.Hash]uint32{}, ids.Hash{}
		if _, found := recent.Find(ids.Hash{}); found {
			t.Fatal("empty, and has the zero hash")
		}
		for i := range uint32(r.IntN(20_000)) {
			if r.IntN(4) > 0 {
				last = hashOf(r, last)
			}
			switch r.IntN(8) {
			case 0:
				last.Hi |= 0xffff << 48 // crowds the end of the table
			case 1:
				last = ids.Hash{Hi: last.Hi & 1, Lo: last.Lo & 0x100} // and its beginning, zero included
			}
			want, there := model[last]
			if got, found := recent.Find(last); found != there || got != want {
				t.Fatalf("seed %d: %x is %d, %v", seed, last, got, found)
			}
			if recent.Add(last, i) == there {
				t.Fatalf("seed %d: %x is added: %v", seed, last, !there)
			}
			if !there {
				model[last] = i
			}
		}
		entries := recent.Entries()
		rising := slices.IsSortedFunc(entries, func(a, b Entry) int { return a.Hash.Compare(b.Hash) })
		if !rising || len(entries) != recent.Len() || !maps.Equal(mapOf(entries), model) {
			t.Fatalf("seed %d: %d entries of %d", seed, len(entries), len(model))
		}
	}
}

func TestFailedWritesAreErrors(t *testing.T) {
	entries := some(1, 30_000, 0)
	broken := errors.New("disk is full")
	for stop := range len(built(t, 1, entries).Pieces) {
		n := 0
		err := Build(1, entries, func(ids.PieceID, []byte) error {
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
