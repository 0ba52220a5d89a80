package visitors

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/ids"
	"millimetric/index/piece"
	"millimetric/index/piece/piecetest"
)

func TestDamageOfEveryByteIsDetected(t *testing.T) {
	for _, n := range []int{2, 300} {
		entries := some(uint64(n), n, 5)
		whole := built(t, 1, entries)
		whole.FlipEachByte(func(h *piecetest.Held, what string) {
			mustBeDamaged(t, h, entries, fmt.Sprintf("%d visitors, %s", n, what))
		})
	}
}

func TestDamageIsNeverAnAnswer(t *testing.T) {
	for _, c := range []struct{ visitors, injections int }{{2, 500}, {900, 500}, {30_000, 50}} {
		entries := some(uint64(c.visitors), c.visitors, 5)
		whole, other := built(t, 1, entries), built(t, 2, entries)
		for seed := range uint64(c.injections) {
			h, what := whole.Spoil(rand.New(rand.NewPCG(seed, 6)), other)
			if !h.Same(whole) {
				mustBeDamaged(t, h, entries, fmt.Sprintf("%d visitors, seed %d: %s", c.visitors, seed, what))
			}
		}
	}
}

// mustBeDamaged reads a run of entries that is spoiled.
func mustBeDamaged(t *testing.T, h *piecetest.Held, entries []Entry, what string) {
	t.Helper()
	r, err := Open(1, h)
	if err != nil {
		if !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("%s: open: %v", what, err)
		}
		return
	}
	for _, err := range []error{r.Check(), Merge(9, []*Run{r}, nil, (&piecetest.Held{}).Emit)} {
		if !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for i := 0; i < len(entries); i += 1 + len(entries)/50 {
		ordinals, found := make([]uint32, 1), make([]bool, 1)
		err := NewSet(r).Lookup([]ids.Hash{entries[i].Hash}, ordinals, found)
		if err != nil && !errors.Is(err, event.ErrDamaged) || err == nil && (!found[0] || ordinals[0] != entries[i].Ordinal) {
			t.Fatalf("%s: visitor %d is %d, %v, %v", what, entries[i].Ordinal, ordinals[0], found[0], err)
		}
	}
}

func TestARunOpensUnderItsOwnStampAndAsItsOwnKindOnly(t *testing.T) {
	if _, err := Open(2, built(t, 1, some(1, 10, 0))); !errors.Is(err, event.ErrDamaged) {
		t.Fatal(err)
	}
	h := &piecetest.Held{}
	if err := ids.Build(1, 0, []ids.Hash{{Hi: 1}}, h.Emit); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(1, h); !errors.Is(err, event.ErrDamaged) {
		t.Fatalf("a run of ids: %v", err)
	}
}

// The checksums are put right, so that the fuzzer gets at what lies behind them.
func FuzzPiecesNeverPanic(f *testing.F) {
	entries := some(1, 40, 1000)
	whole := built(f, 1, entries)
	plain := func(id ids.PieceID) []byte {
		bytes := whole.Pieces[id]
		if id == 0 {
			bytes = bytes[len(magic)+1:]
		}
		bytes, err := encode.OpenFrame(bytes, encode.Place{Stamp: 1, Number: uint32(id)})
		if err != nil {
			f.Fatal(err)
		}
		return bytes
	}
	f.Add(plain(0), plain(1), plain(2))
	f.Add([]byte{0, 0, 0, 0}, make([]byte, 18), []byte{})
	f.Add([]byte{1, 0, 32, 255, 255, 255, 255, 15}, append(make([]byte, 2), 1, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0), make([]byte, 19))
	f.Fuzz(func(t *testing.T, head, filter, rest []byte) {
		if max(len(head), len(filter), len(rest)) > 60<<10 {
			return
		}
		h := &piecetest.Held{}
		w := piece.NewWriter(kind, 1, h.Emit)
		for _, err := range []error{w.Put(1, filter, encode.SavingNever), w.Put(2, rest, encode.SavingNever), w.PutHead(head)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r, err := Open(1, h)
		if err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		var batch []ids.Hash
		for _, e := range append(some(2, 40, 0), entries...) {
			batch = append(batch, e.Hash)
		}
		for _, err := range []error{
			NewSet(r).Lookup(batch, make([]uint32, len(batch)), make([]bool, len(batch))),
			r.Check(), Merge(9, []*Run{r}, nil, func(ids.PieceID, []byte) error { return nil }),
		} {
			if err != nil && !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("kind of %v", err)
			}
		}
	})
}
