package ids

import (
	"math/bits"
	"slices"
)

// Recent is the set of hashes that aren't in a run yet, as an open table of 16 bytes per slot
// without pointers. It grows without bound: its user freezes it in time, and makes a run of it. The
// zero value is empty. Readers may share one that nobody adds to.
//
// A hash's slot is given by its upper bits, so that growing walks both tables from front to back.
// A slot in use has 1 in the lowest bit, which is free in a hash.
type Recent struct {
	slots []Hash
	shift int
	count int
}

const (
	recentSlotsMin = 64
	recentUsed     = 1
)

// Add adds a hash. It reports false where the hash was there already.
func (r *Recent) Add(h Hash) bool {
	if 4*(r.count+1) > 3*len(r.slots) { // fuller tables have long ways to an empty slot
		r.grow()
	}
	at, found := r.find(h)
	if !found {
		r.slots[at] = Hash{h.Hi, h.Lo | recentUsed}
		r.count++
	}
	return !found
}

// Has reports whether a hash is there.
func (r *Recent) Has(h Hash) bool {
	if r.count == 0 {
		return false
	}
	_, found := r.find(h)
	return found
}

// Len returns how many hashes there are.
func (r *Recent) Len() int { return r.count }

// Bytes returns the memory that the table takes.
func (r *Recent) Bytes() int { return 16 * len(r.slots) }

// Sorted returns the hashes, rising.
func (r *Recent) Sorted() []Hash {
	sorted := make([]Hash, 0, r.count)
	for _, slot := range r.slots {
		if slot.Lo&recentUsed != 0 {
			sorted = append(sorted, Hash{slot.Hi, slot.Lo &^ recentUsed})
		}
	}
	slices.SortFunc(sorted, Hash.Compare)
	return sorted
}

// find returns the slot of a hash, or the one that it would take.
func (r *Recent) find(h Hash) (at int, found bool) {
	last := len(r.slots) - 1
	for at = int(h.Hi >> r.shift); ; at++ {
		slot := r.slots[at&last]
		if slot.Lo&recentUsed == 0 {
			return at & last, false
		}
		if slot.Hi == h.Hi && slot.Lo == h.Lo|recentUsed {
			return at & last, true
		}
	}
}

func (r *Recent) grow() {
	old := r.slots
	r.slots = make([]Hash, max(recentSlotsMin, 2*len(old)))
	r.shift = 64 - bits.TrailingZeros(uint(len(r.slots)))
	for _, slot := range old {
		if slot.Lo&recentUsed != 0 {
			at, _ := r.find(slot)
			r.slots[at] = slot
		}
	}
}
