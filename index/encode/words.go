package encode

import (
	"strings"
	"unsafe"
)

const (
	// wordsMax bounds how many values are remembered. Beyond it all are forgotten and learned anew,
	// so a flood of values that never recur costs memory only, and that bounded.
	wordsMax = 1 << 16
	// wordBytesMax keeps long values, which seldom recur, from filling the memory.
	wordBytesMax = 256
	// nearBits: so many of the texts asked for last are known by where they lie, which most that recur do
	// in the same place: constants, and what their maker remembers. The table takes 128 KiB, which stays in a
	// processor's second cache.
	nearBits = 12
)

// Words remembers values that recur, so that equal ones share memory. The zero value is ready; it
// is not safe for concurrent use.
type Words struct {
	known map[string]string
	near  [1 << nearBits]nearWord
}

// nearWord is a text as it was given, which keeps its place from being used again, and as it is known.
type nearWord struct{ given, word string }

// Text returns s in memory that is not that of the s given.
func (w *Words) Text(s string) string {
	if s == "" {
		return ""
	}
	// Places are mostly multiples of sixteen; the product spreads them over its upper bits.
	place := unsafe.StringData(s)
	near := &w.near[uint64(uintptr(unsafe.Pointer(place)))*0x9e3779b97f4a7c15>>(64-nearBits)]
	if unsafe.StringData(near.given) == place && len(near.given) == len(s) {
		return near.word
	}
	word, ok := w.known[s]
	if !ok {
		word = w.learn(strings.Clone(s))
	}
	if len(s) <= wordBytesMax {
		*near = nearWord{s, word}
	}
	return word
}

// sameIn returns part as it lies in word, which is equal to whole, if part lies in the memory of whole.
func sameIn(word, whole, part string) (inside string, ok bool) {
	if part == "" {
		return "", true
	}
	// Where it doesn't lie there, the difference is something else, and the texts are compared in any case.
	at := uintptr(unsafe.Pointer(unsafe.StringData(part))) - uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	if size := uintptr(len(word)); at > size || size-at < uintptr(len(part)) || word[at:at+uintptr(len(part))] != part {
		return "", false
	}
	return word[at : at+uintptr(len(part))], true
}

// Bytes is Text for bytes.
func (w *Words) Bytes(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if known, ok := w.known[string(b)]; ok {
		return known
	}
	return w.learn(string(b))
}

func (w *Words) learn(s string) string {
	if len(s) > wordBytesMax {
		return s
	}
	if w.known == nil || len(w.known) >= wordsMax {
		w.known = make(map[string]string)
		clear(w.near[:])
	}
	w.known[s] = s
	return s
}
