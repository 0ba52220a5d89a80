// Package piecetest holds the pieces of runs in memory, damages them, and compares them with documents,
// for the tests of all packages that make runs. It starts no goroutines and writes nothing to disk.
package piecetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"millimetric/index/piece"
)

// Held is the pieces of a run in memory. The zero value has none.
type Held struct {
	Pieces map[piece.ID][]byte
	Reads  map[piece.ID]int // how often each was asked for
}

// Emit keeps a piece.
func (h *Held) Emit(id piece.ID, bytes []byte) error {
	if h.Pieces == nil {
		h.Pieces = map[piece.ID][]byte{}
	}
	if _, again := h.Pieces[id]; again || len(bytes) > piece.BytesMax {
		return fmt.Errorf("piece %d of %d bytes", id, len(bytes))
	}
	if _, whole := h.Pieces[0]; whole {
		return fmt.Errorf("piece %d comes after the head", id)
	}
	h.Pieces[id] = slices.Clone(bytes)
	return nil
}

// Piece returns a piece. One that isn't there is damage.
func (h *Held) Piece(id piece.ID) ([]byte, error) {
	if h.Reads == nil {
		h.Reads = map[piece.ID]int{}
	}
	h.Reads[id]++
	bytes, ok := h.Pieces[id]
	if !ok {
		return nil, piece.Damaged("no piece %d", id)
	}
	return bytes, nil
}

// Bytes returns what all pieces take.
func (h *Held) Bytes() int {
	n := 0
	for _, bytes := range h.Pieces {
		n += len(bytes)
	}
	return n
}

// Same reports whether two have the same pieces.
func (h *Held) Same(other *Held) bool { return maps.EqualFunc(h.Pieces, other.Pieces, slices.Equal) }

// Copy returns a Held with the same pieces.
func (h *Held) Copy() *Held { return &Held{Pieces: maps.Clone(h.Pieces)} }

// FlipEachByte yields copies with one bit of one byte flipped, for every byte of every piece.
func (h *Held) FlipEachByte(yield func(spoiled *Held, what string)) {
	for id, bytes := range h.Pieces {
		for at := range bytes {
			spoiled := h.Copy()
			spoiled.Pieces[id] = slices.Clone(bytes)
			spoiled.Pieces[id][at] ^= byte(1 << (at % 8))
			yield(spoiled, fmt.Sprintf("byte %d of piece %d", at, id))
		}
	}
}

// Spoil returns a copy with one thing damaged, as a disk or a store may do it, and says what. Another
// run of the same shape lends its pieces. By chance nothing may have changed: see Same.
func (h *Held) Spoil(r *rand.Rand, other *Held) (spoiled *Held, what string) {
	spoiled = h.Copy()
	count := len(h.Pieces)
	at := piece.ID(r.IntN(count))
	bytes := slices.Clone(h.Pieces[at])
	spoiled.Pieces[at] = bytes
	switch r.IntN(6) {
	default:
		from := r.IntN(len(bytes)) &^ 511
		clear(bytes[from:min(from+512, len(bytes))])
		return spoiled, fmt.Sprintf("piece %d zeroed from %d", at, from)
	case 0:
		spoiled.Pieces[at] = bytes[:r.IntN(len(bytes))]
		return spoiled, fmt.Sprintf("piece %d cut to %d", at, len(spoiled.Pieces[at]))
	case 1:
		to := (at + 1 + piece.ID(r.IntN(count-1))) % piece.ID(count)
		spoiled.Pieces[at], spoiled.Pieces[to] = h.Pieces[to], bytes
		return spoiled, fmt.Sprintf("pieces %d and %d swapped", at, to)
	case 2:
		spoiled.Pieces[at] = other.Pieces[at]
		return spoiled, fmt.Sprintf("piece %d of another run", at)
	case 3:
		spoiled.Pieces[at] = append(bytes, byte(r.Uint32()))
		return spoiled, fmt.Sprintf("piece %d has a byte too much", at)
	case 4:
		delete(spoiled.Pieces, at)
		return spoiled, fmt.Sprintf("piece %d is gone", at)
	}
}
