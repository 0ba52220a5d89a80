package index

import (
	"hash/maphash"
	"slices"
	"strings"
	"unsafe"
)

// numberer numbers distinct texts in the order in which they come. A map from texts to numbers does
// the same; this one keeps numbers only in its table, asks first whether the text is that of the row
// before, and can be asked with bytes. The zero value is ready.
type numberer struct {
	seed   maphash.Seed
	slots  []uint32 // a number plus one, or 0
	hashes []uint32 // by number
	texts  []string // by number
	last   uint32   // the number given last
	near   []nearNumber
	copies bool // the texts given may be parts of greater ones, which mustn't stay: copies are kept
}

// number returns the number of text.
func (n *numberer) number(text string) uint32 {
	if len(n.texts) > 0 && n.texts[n.last] == text {
		return n.last
	}
	n.room()
	hash := uint32(maphash.String(n.seed, text))
	at, number := n.find(hash, text)
	if number == 0 {
		if n.copies {
			text = strings.Clone(text)
		}
		return n.add(at, hash, text)
	}
	n.last = number - 1
	return n.last
}

// nearNumber is a text by where it lies, and its number.
type nearNumber struct {
	place  *byte
	length uint32
	number uint32
}

// nearBits: so many texts are known by where they lie. Equal words of events mostly lie in one place, and then
// neither a hash is needed nor the text, which lies far away.
const nearBits = 10

// numberInPlace is number for a text that stays where it is until forget is called.
func (n *numberer) numberInPlace(text string) uint32 {
	if text == "" {
		return n.number(text)
	}
	if n.near == nil {
		n.near = make([]nearNumber, 1<<nearBits)
	}
	place := unsafe.StringData(text)
	// Places are mostly multiples of sixteen; the product spreads them over its upper bits.
	near := &n.near[uint64(uintptr(unsafe.Pointer(place)))*0x9e3779b97f4a7c15>>(64-nearBits)]
	if near.place == place && int(near.length) == len(text) {
		n.last = near.number
		return near.number
	}
	number := n.number(text)
	*near = nearNumber{place, uint32(len(text)), number}
	return number
}

// numberBytes is number for bytes, which are copied where they are new.
func (n *numberer) numberBytes(text []byte) uint32 {
	if len(n.texts) > 0 && n.texts[n.last] == string(text) {
		return n.last
	}
	n.room()
	hash := uint32(maphash.Bytes(n.seed, text))
	mask := uint32(len(n.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		number := n.slots[at]
		if number == 0 {
			return n.add(at, hash, string(text))
		}
		if n.hashes[number-1] == hash && n.texts[number-1] == string(text) {
			n.last = number - 1
			return n.last
		}
	}
}

func (n *numberer) find(hash uint32, text string) (at, number uint32) {
	mask := uint32(len(n.slots) - 1)
	for at = hash & mask; ; at = (at + 1) & mask {
		number = n.slots[at]
		if number == 0 || n.hashes[number-1] == hash && n.texts[number-1] == text {
			return at, number
		}
	}
}

func (n *numberer) add(at, hash uint32, text string) uint32 {
	n.last = uint32(len(n.texts))
	n.texts, n.hashes = append(n.texts, text), append(n.hashes, hash)
	n.slots[at] = n.last + 1
	return n.last
}

// room makes the table so great that a text can be added.
func (n *numberer) room() {
	if 2*len(n.texts) < len(n.slots) {
		return
	}
	if len(n.slots) == 0 {
		n.seed = maphash.MakeSeed()
	}
	n.slots = make([]uint32, max(64, 4*len(n.slots)))
	mask := uint32(len(n.slots) - 1)
	for number, hash := range n.hashes {
		at := hash & mask
		for n.slots[at] != 0 {
			at = (at + 1) & mask
		}
		n.slots[at] = uint32(number) + 1
	}
}

// forget empties the numberer, which keeps its memory.
func (n *numberer) forget() {
	clear(n.slots)
	clear(n.texts) // or they would pin what they are parts of
	clear(n.near)
	n.texts, n.hashes, n.last = n.texts[:0], n.hashes[:0], 0
}

// ranks returns the texts, rising, and the place of each number among them.
func ranks(texts []string) (places []uint32, rising []string) {
	order := make([]uint32, len(texts))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return strings.Compare(texts[a], texts[b]) })
	places, rising = make([]uint32, len(texts)), make([]string, 0, len(texts))
	for _, number := range order {
		if last := len(rising) - 1; last < 0 || rising[last] != texts[number] {
			rising = append(rising, texts[number])
		}
		places[number] = uint32(len(rising) - 1)
	}
	return places, rising
}
