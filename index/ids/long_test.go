package ids

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/piece"
)

// builtLong writes a run as programs before IDBits did.
func builtLong(t *testing.T, stamp uint64, hashes []Hash) *held {
	t.Helper()
	h := &held{}
	w := NewBodyWriter(piece.NewWriter(piece.Kind{Magic: magic, Version: longVersion}, stamp, h.emit), len(hashes), HashBits, 0)
	for _, hash := range hashes {
		if err := w.Add(hash, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := w.out.PutHead(binary.AppendVarint(w.AppendCounts(nil), int64(stamp))); err != nil {
		t.Fatal(err)
	}
	return h
}

// longOf adds what longer hashes have beyond shorter ones.
func longOf(hashes []Hash) []Hash {
	r := rand.New(rand.NewPCG(9, 9))
	long := slices.Clone(hashes)
	for i := range long {
		long[i].Lo |= uint64(r.Uint32()) &^ 0xff
	}
	return long
}

func TestARunOfLongHashesHasTheirIDsAndNoOthers(t *testing.T) {
	for _, n := range sizes() {
		next := random(uint64(n))
		hashes := some(next, n)
		r := opened(t, 3, builtLong(t, 3, longOf(hashes)))
		if err := r.Check(); err != nil {
			t.Fatalf("%d hashes: %v", n, err)
		}
		others := some(next, 500)
		for i := 0; i < n; i += 1 + n/30 {
			others = append(others, near(hashes[i])...)
		}
		others = slices.DeleteFunc(others, func(h Hash) bool {
			_, found := slices.BinarySearchFunc(hashes, h, Hash.Compare)
			return found
		})
		batch := append(slices.Clone(hashes), others...)
		found := make([]bool, len(batch))
		if err := NewSet(r).Lookup(batch, found); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(found[:n], false) || slices.Contains(found[n:], true) {
			t.Fatalf("%d hashes: one of them isn't found, or another is", n)
		}
	}
}

// What is written of such runs is a run of IDBits, even where one beside it has the same ids already.
func TestMergingMakesLongHashesShort(t *testing.T) {
	next := random(4)
	old, both, young := some(next, 5000), some(next, 3000), some(next, 7000)
	sorted := func(parts ...[]Hash) []Hash {
		all := slices.Concat(parts...)
		slices.SortFunc(all, Hash.Compare)
		return slices.Compact(all)
	}
	long := opened(t, 1, builtLong(t, 1, longOf(sorted(old, both))))
	short := opened(t, 2, built(t, 2, sorted(both, young)))
	h, leaving := &held{}, old[17]
	if err := Merge(3, []*Run{long, short}, func(h Hash) bool { return h != leaving }, h.emit); err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(sorted(old, both, young), func(h Hash) bool { return h == leaving })
	merged := opened(t, 3, h)
	if got := all(t, merged); !slices.Equal(got, want) || merged.hashBits != IDBits || merged.passed != 0 {
		t.Fatalf("%d hashes of %d bits, want %d", len(got), merged.hashBits, len(want))
	}
	if merged.Latest() != 2 {
		t.Errorf("latest %d", merged.Latest())
	}
}
