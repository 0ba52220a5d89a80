package encode

import (
	"encoding/binary"
	"sort"
	"strings"
)

// A dict is a list of distinct texts in the order of their bytes.
//
//	count    uv
//	entries  each: how many bytes it shares with the entry before (uv), how many follow (uv)
//	bytes    those that follow, of one entry after another
//
// Heads and bytes stand apart because they compress better apart. A reader takes the whole list
// apart at once: a dict is a few ten thousand entries at most, and is asked for many of them.

// textsBytesMax bounds what a list of texts may grow to when it is taken apart: front-coded texts
// can claim to share what makes them much longer than the bytes they come from.
const textsBytesMax = FrameBytesMax

// Dict is a list of distinct texts in the order of their bytes. The zero value is empty.
type Dict struct{ texts Texts }

// AppendDict encodes texts, which must rise.
func AppendDict(dst []byte, texts []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(texts)))
	last := ""
	for i, t := range texts {
		if i > 0 && t <= last {
			panic("encode: texts of a dict don't rise")
		}
		shared := sharedPrefix(last, t)
		dst = binary.AppendUvarint(dst, uint64(shared))
		dst = binary.AppendUvarint(dst, uint64(len(t)-shared))
		last = t
	}
	last = ""
	for _, t := range texts {
		dst = append(dst, t[sharedPrefix(last, t):]...)
		last = t
	}
	return dst
}

func sharedPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// ParseDict takes src apart; the dict doesn't alias it.
func ParseDict(src []byte) (Dict, error) {
	heads := reader{rest: src}
	count := heads.length(len(src))
	scan := heads
	size, last := 0, 0
	for range count {
		shared := scan.length(last)
		last = shared + scan.length(len(src))
		if size += last; scan.bad || size > textsBytesMax {
			return Dict{}, damaged("a dict of %d texts", count)
		}
	}
	if scan.bad {
		return Dict{}, damaged("a dict of %d texts", count)
	}
	ends := make([]uint32, count)
	joined := make([]byte, 0, size)
	before := 0 // where the text before begins
	for i := range count {
		shared, rest := heads.length(len(src)+size), heads.length(len(src))
		start := len(joined)
		joined = append(joined, joined[before:before+shared]...)
		own := scan.bytes(rest)
		joined = append(joined, own...)
		if scan.bad || i > 0 && string(joined[start:]) <= string(joined[before:start]) {
			return Dict{}, damaged("text %d of a dict of %d", i, count)
		}
		ends[i], before = uint32(len(joined)), start
	}
	if len(scan.rest) != 0 {
		return Dict{}, damaged("%d bytes behind a dict", len(scan.rest))
	}
	return Dict{Texts{text: string(joined), ends: ends}}, nil
}

// Len returns how many texts there are.
func (d *Dict) Len() int { return d.texts.Len() }

// Bytes returns about how much memory it takes.
func (d *Dict) Bytes() int { return d.texts.Bytes() }

// At returns text i, which shares memory with all others. It panics where there is none.
func (d *Dict) At(i int) string { return d.texts.At(i) }

// Find returns where text stands or would stand, and whether it does.
func (d *Dict) Find(text string) (int, bool) {
	return sort.Find(d.Len(), func(i int) int { return strings.Compare(text, d.At(i)) })
}
