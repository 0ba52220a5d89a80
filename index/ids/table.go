package ids

import (
	"math/bits"
	"slices"
	"unsafe"
)

// Table is an open table of hashes, each with a value. A slot takes 16 bytes and those of the value,
// and has no pointers unless values have. The zero value is empty. Readers may share one that nobody
// adds to.
//
// A hash's slot is given by its upper bits, so that growing walks both tables from front to back.
// A slot in use has 1 in the lowest bit, which is free in a hash. Values stand apart: looking for a
// hash that isn't there doesn't touch them, and values without bytes take none.
type Table[V any] struct {
	slots  []Hash
	values []V
	shift  int
	count  int
}

const (
	tableSlotsMin = 64
	tableUsed     = 1
)

// Add adds a hash. Where it was there already, it changes nothing and reports false.
func (t *Table[V]) Add(h Hash, value V) bool {
	if 4*(t.count+1) > 3*len(t.slots) { // fuller tables have long ways to an empty slot
		t.grow()
	}
	at, found := t.find(h)
	if !found {
		t.slots[at], t.values[at] = Hash{h.Hi, h.Lo | tableUsed}, value
		t.count++
	}
	return !found
}

// Find returns the value of a hash.
func (t *Table[V]) Find(h Hash) (value V, found bool) {
	if t.count == 0 {
		return value, false
	}
	at, found := t.find(h)
	if found {
		value = t.values[at]
	}
	return value, found
}

// Len returns how many hashes there are.
func (t *Table[V]) Len() int { return t.count }

// Bytes returns the memory that the table takes.
func (t *Table[V]) Bytes() int {
	var value V
	return (16 + int(unsafe.Sizeof(value))) * len(t.slots)
}

// Rising yields all hashes, rising. Hashes that lie side by side have no others between them, and their
// slots are given by their upper bits: so sorting each such stretch sorts all.
func (t *Table[V]) Rising(yield func(h Hash, value V)) {
	var stretch []int
	flush := func() {
		slices.SortFunc(stretch, func(a, b int) int { return t.slots[a].Compare(t.slots[b]) })
		for _, at := range stretch {
			yield(Hash{t.slots[at].Hi, t.slots[at].Lo &^ tableUsed}, t.values[at])
		}
		stretch = stretch[:0]
	}
	// What was pushed beyond the last slot lies in the first ones, and is greater than all.
	var pushed []int
	at := 0
	for ; at < len(t.slots) && t.slots[at].Lo&tableUsed != 0; at++ {
		if home := int(t.slots[at].Hi >> t.shift); home > at {
			pushed = append(pushed, at)
		} else {
			stretch = append(stretch, at)
		}
	}
	for ; at < len(t.slots); at++ {
		if t.slots[at].Lo&tableUsed == 0 {
			flush()
		} else {
			stretch = append(stretch, at)
		}
	}
	stretch = append(stretch, pushed...)
	flush()
}

// find returns the slot of a hash, or the one that it would take.
func (t *Table[V]) find(h Hash) (at int, found bool) {
	last := len(t.slots) - 1
	for at = int(h.Hi >> t.shift); ; at++ {
		slot := t.slots[at&last]
		if slot.Lo&tableUsed == 0 {
			return at & last, false
		}
		if slot.Hi == h.Hi && slot.Lo == h.Lo|tableUsed {
			return at & last, true
		}
	}
}

func (t *Table[V]) grow() {
	slots, values := t.slots, t.values
	size := max(tableSlotsMin, 2*len(slots))
	t.slots, t.values = make([]Hash, size), make([]V, size)
	t.shift = 64 - bits.TrailingZeros(uint(size))
	for i, slot := range slots {
		if slot.Lo&tableUsed != 0 {
			at, _ := t.find(slot)
			t.slots[at], t.values[at] = slot, values[i]
		}
	}
}
