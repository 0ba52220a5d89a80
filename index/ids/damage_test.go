package ids

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// spoil damages one thing and says what. Pieces are replaced, never changed in place.
func spoil(r *rand.Rand, h, other *held) string {
	at := PieceID(r.IntN(len(h.pieces)))
	piece := slices.Clone(h.pieces[at])
	h.pieces[at] = piece
	switch r.IntN(9) {
	default:
		bit := r.IntN(8 * len(piece))
		piece[bit/8] ^= 1 << (bit % 8)
		return fmt.Sprintf("bit %d of piece %d flipped", bit, at)
	case 0:
		from := r.IntN(len(piece)) &^ 511
		clear(piece[from:min(from+512, len(piece))])
		return fmt.Sprintf("piece %d zeroed from %d", at, from)
	case 1:
		h.pieces[at] = piece[:r.IntN(len(piece))]
		return fmt.Sprintf("piece %d cut to %d", at, len(h.pieces[at]))
	case 2:
		to := (at + 1 + PieceID(r.IntN(len(h.pieces)-1))) % PieceID(len(h.pieces))
		h.pieces[at], h.pieces[to] = h.pieces[to], piece
		return fmt.Sprintf("pieces %d and %d swapped", at, to)
	case 3:
		h.pieces[at] = other.pieces[at]
		return fmt.Sprintf("piece %d of another run", at)
	case 4:
		h.pieces[at] = append(piece, byte(r.Uint32()))
		return fmt.Sprintf("piece %d has a byte too much", at)
	case 5:
		delete(h.pieces, at)
		return fmt.Sprintf("piece %d is gone", at)
	}
}

func same(a, b *held) bool {
	return maps.EqualFunc(a.pieces, b.pieces, func(x, y []byte) bool { return slices.Equal(x, y) })
}

func TestDamageIsNeverAnAnswer(t *testing.T) {
	for _, c := range []struct{ hashes, injections int }{{2, 2000}, {900, 2000}, {30_000, 150}} {
		next := random(uint64(c.hashes))
		hashes := some(next, c.hashes)
		whole, other := built(t, 1, hashes), built(t, 2, hashes)
		batch := append(slices.Clone(hashes), some(next, c.hashes)...)
		for seed := range uint64(c.injections) {
			h := &held{pieces: maps.Clone(whole.pieces)}
			what := fmt.Sprintf("%d hashes, seed %d: %s", c.hashes, seed, spoil(rand.New(rand.NewPCG(seed, 6)), h, other))
			if same(h, whole) {
				continue
			}
			r, err := Open(1, h)
			if err == nil {
				lookAround(t, r, batch, what)
				err = r.Check()
			}
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("%s: %v", what, err)
			}
			if r != nil {
				if err := Merge(9, []*Run{r}, nil, (&held{}).emit); !errors.Is(err, event.ErrDamaged) {
					t.Fatalf("%s: merge: %v", what, err)
				}
			}
		}
	}
}

// lookAround asks a damaged run for hashes of which it has the first half. Every answer must be right.
func lookAround(t *testing.T, r *Run, batch []Hash, what string) {
	t.Helper()
	for i := 0; i < len(batch); i += 1 + len(batch)/100 {
		got, err := r.Has(batch[i])
		if err != nil && !errors.Is(err, event.ErrDamaged) || err == nil && got != (i < len(batch)/2) {
			t.Fatalf("%s: hash %d of %d: %v, %v", what, i, len(batch), got, err)
		}
	}
	if err := NewSet(r).Lookup(batch, make([]bool, len(batch))); err != nil && !errors.Is(err, event.ErrDamaged) {
		t.Fatalf("%s: kind of %v", what, err)
	}
}

func TestARunOpensUnderItsOwnStampOnly(t *testing.T) {
	h := built(t, 1, some(random(1), 10))
	if _, err := Open(2, h); !errors.Is(err, event.ErrDamaged) {
		t.Fatal(err)
	}
}

// Pieces that are well framed and hold something else must not make a reader panic. What can't be
// told from right ones may come out wrong; the checksums are there for that.
func TestForgedPiecesNeverPanic(t *testing.T) {
	framer := encode.NewFramer()
	for _, n := range []int{3, 900, 25_000} {
		next := random(uint64(n))
		hashes := some(next, n)
		whole := built(t, 1, hashes)
		batch := append(slices.Clone(hashes[:min(n, 500)]), some(next, 500)...)
		r := rand.New(rand.NewPCG(uint64(n), 7))
		for range 1500 {
			h := &held{pieces: maps.Clone(whole.pieces)}
			at := PieceID(1 + r.IntN(len(h.pieces)-1))
			if r.IntN(2) == 0 {
				at = 1
			}
			place := encode.Place{Stamp: 1, Number: uint32(at)}
			right, err := encode.OpenFrame(h.pieces[at], place)
			if err != nil {
				t.Fatal(err)
			}
			forged := slices.Clone(right)
			for range 1 + r.IntN(3) {
				forged[r.IntN(len(forged))] ^= byte(1 << r.IntN(8))
			}
			h.pieces[at] = framer.Append(nil, forged[:len(forged)-r.IntN(2)*r.IntN(len(forged))], place, encode.SavingNever)
			readAll(t, opened(t, 1, h), batch)
		}
	}
}

func readAll(t *testing.T, r *Run, batch []Hash) {
	t.Helper()
	for _, err := range []error{NewSet(r).Lookup(batch, make([]bool, len(batch))), r.Check()} {
		if err != nil && !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("kind of %v", err)
		}
	}
}

// The checksums are put right, so that the fuzzer gets at what lies behind them.
func FuzzPiecesNeverPanic(f *testing.F) {
	framer := encode.NewFramer()
	whole := built(f, 1, some(random(1), 40))
	plain := func(id PieceID) []byte {
		piece := whole.pieces[id]
		if id == 0 {
			piece = piece[len(magic)+1:]
		}
		bytes, err := encode.OpenFrame(piece, encode.Place{Stamp: 1, Number: uint32(id)})
		if err != nil {
			f.Fatal(err)
		}
		return bytes
	}
	f.Add(plain(0), plain(1), plain(2))
	f.Add([]byte{0, 0, 0}, make([]byte, 18), []byte{})
	batch := some(random(1), 80)
	f.Fuzz(func(t *testing.T, head, filter, rest []byte) {
		h := &held{}
		for id, bytes := range [][]byte{head, filter, rest} {
			var piece []byte
			if id == 0 {
				piece = append([]byte(magic), runVersion)
			}
			piece = framer.Append(piece, bytes, encode.Place{Stamp: 1, Number: uint32(id)}, encode.SavingNever)
			h.pieces = maps.Clone(h.pieces)
			if h.pieces == nil {
				h.pieces = map[PieceID][]byte{}
			}
			h.pieces[PieceID(id)] = piece
		}
		r, err := Open(1, h)
		if err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		readAll(t, r, batch)
	})
}

func TestWriterRefusesWhatWouldMakeAWrongRun(t *testing.T) {
	crowd := make([]Hash, 3*restIDsMax)
	for i := range crowd {
		crowd[i] = Hash{1, uint64(i) << 32}
	}
	for name, hashes := range map[string][]Hash{
		"falling": {{2, 0}, {1, 0}}, "twice": {{1, 0}, {1, 0}}, "too long": {{1, 1 << 31}}, "crowded": crowd,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			_ = Build(1, 0, hashes, (&held{}).emit)
		}()
	}
}
