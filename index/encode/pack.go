package encode

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Packed numbers stand one behind the other, each in the same number of bits, the lowest bit first.
// Eight numbers fill as many bytes as one number has bits, so every eighth begins on a byte.
// packPad zero bytes follow, so that a number can be read with one load of eight bytes wherever it
// stands. A width of 0 has no bytes at all.
//
// Widths of 58 to 63 bits don't exist: such a number may lie in nine bytes. They become 64.
const (
	packGroup = 8
	packPad   = 8
)

// number is what packed numbers are unpacked into.
type number interface {
	~uint32 | ~uint64 | ~int64
}

// packWidth returns the width for numbers up to most.
func packWidth(most uint64) int {
	if n := bits.Len64(most); n <= 57 {
		return n
	}
	return 64
}

func validWidth(width int) bool { return width >= 0 && width <= 57 || width == 64 }

// packedBytes returns how many bytes count numbers take.
func packedBytes(count, width int) int {
	if width == 0 || count == 0 {
		return 0
	}
	return (count+packGroup-1)/packGroup*width + packPad
}

// appendPacked packs the lowest width bits of each value less base.
func appendPacked[T uint32 | uint64](dst []byte, values []T, base T, width int) []byte {
	if width == 0 || len(values) == 0 {
		return dst
	}
	start, size := len(dst), packedBytes(len(values), width)
	dst = slices.Grow(dst, size)[:start+size]
	out := dst[start:]
	mask := widthMask(width)
	var pending uint64
	filled, at := 0, 0
	for _, v := range values {
		bits := uint64(v-base) & mask
		pending |= bits << filled
		filled += width
		if filled >= 64 {
			binary.LittleEndian.PutUint64(out[at:], pending)
			at += 8
			filled -= 64
			pending = bits >> (width - filled)
		}
	}
	for ; filled > 0; filled -= 8 {
		out[at] = byte(pending)
		pending >>= 8
		at++
	}
	clear(out[at:])
	return dst
}

func widthMask(width int) uint64 { return ^uint64(0) >> (64 - width) }

// unpack fills dst with base plus what src holds. The bytes of src must be those of at least
// len(dst) numbers; src is empty where the width is 0.
func unpack[T number](dst []T, src []byte, width int, base T) {
	switch {
	case width == 0:
		for i := range dst {
			dst[i] = base
		}
		return
	case width <= 16:
		unpackNarrow(dst, src, width, base)
	case width <= 32:
		unpackMiddle(dst, src, width, base)
	default:
		unpackWide(dst, src, width, base)
	}
	for i := len(dst) &^ (packGroup - 1); i < len(dst); i++ {
		dst[i] = base + T(packedAt(src, width, i))
	}
}

// width16 are types whose lengths are the widths up to 16. A function for each of them is compiled
// with its width as a constant: shifts by constants take a third of the time of others.
type width16 interface {
	[1]byte | [2]byte | [3]byte | [4]byte | [5]byte | [6]byte | [7]byte | [8]byte |
		[9]byte | [10]byte | [11]byte | [12]byte | [13]byte | [14]byte | [15]byte | [16]byte
}

// unpackUpTo8 takes eight numbers out of one load.
func unpackUpTo8[W width16, T number](dst []T, src []byte, base T) {
	var w W
	const group = packGroup
	for len(dst) >= group && len(src) >= group {
		d := dst[:group:group]
		x := binary.LittleEndian.Uint64(src)
		d[0] = base + T(x&(1<<len(w)-1))
		d[1] = base + T(x>>len(w)&(1<<len(w)-1))
		d[2] = base + T(x>>(2*len(w))&(1<<len(w)-1))
		d[3] = base + T(x>>(3*len(w))&(1<<len(w)-1))
		d[4] = base + T(x>>(4*len(w))&(1<<len(w)-1))
		d[5] = base + T(x>>(5*len(w))&(1<<len(w)-1))
		d[6] = base + T(x>>(6*len(w))&(1<<len(w)-1))
		d[7] = base + T(x>>(7*len(w))&(1<<len(w)-1))
		dst, src = dst[group:], src[len(w):]
	}
}

// unpackUpTo16 takes four numbers out of each of two loads. The second load begins on the byte in
// which number 4 begins: four bits in where the width is odd, and then 4+4×15 bits still fit.
func unpackUpTo16[W width16, T number](dst []T, src []byte, base T) {
	var w W
	const group = packGroup
	for len(dst) >= group && len(src) >= len(w)+packPad {
		d := dst[:group:group]
		x := binary.LittleEndian.Uint64(src)
		y := binary.LittleEndian.Uint64(src[len(w)/2:]) >> (len(w) % 2 * 4)
		d[0] = base + T(x&(1<<len(w)-1))
		d[1] = base + T(x>>len(w)&(1<<len(w)-1))
		d[2] = base + T(x>>(2*len(w))&(1<<len(w)-1))
		d[3] = base + T(x>>(3*len(w))&(1<<len(w)-1))
		d[4] = base + T(y&(1<<len(w)-1))
		d[5] = base + T(y>>len(w)&(1<<len(w)-1))
		d[6] = base + T(y>>(2*len(w))&(1<<len(w)-1))
		d[7] = base + T(y>>(3*len(w))&(1<<len(w)-1))
		dst, src = dst[group:], src[len(w):]
	}
}

// width32 are the widths from 17 to 32, in the same way.
type width32 interface {
	[17]byte | [18]byte | [19]byte | [20]byte | [21]byte | [22]byte | [23]byte | [24]byte |
		[25]byte | [26]byte | [27]byte | [28]byte | [29]byte | [30]byte | [31]byte | [32]byte
}

// unpackUpTo32 loads once per number, at places that are constants.
func unpackUpTo32[W width32, T number](dst []T, src []byte, base T) {
	var w W
	const group = packGroup
	for len(dst) >= group && len(src) >= len(w)+packPad {
		d, s := dst[:group:group], src[:len(w)+packPad:len(w)+packPad]
		d[0] = base + T(binary.LittleEndian.Uint64(s)&(1<<len(w)-1))
		d[1] = base + T(binary.LittleEndian.Uint64(s[len(w)/8:])>>(len(w)%8)&(1<<len(w)-1))
		d[2] = base + T(binary.LittleEndian.Uint64(s[2*len(w)/8:])>>(2*len(w)%8)&(1<<len(w)-1))
		d[3] = base + T(binary.LittleEndian.Uint64(s[3*len(w)/8:])>>(3*len(w)%8)&(1<<len(w)-1))
		d[4] = base + T(binary.LittleEndian.Uint64(s[4*len(w)/8:])>>(4*len(w)%8)&(1<<len(w)-1))
		d[5] = base + T(binary.LittleEndian.Uint64(s[5*len(w)/8:])>>(5*len(w)%8)&(1<<len(w)-1))
		d[6] = base + T(binary.LittleEndian.Uint64(s[6*len(w)/8:])>>(6*len(w)%8)&(1<<len(w)-1))
		d[7] = base + T(binary.LittleEndian.Uint64(s[7*len(w)/8:])>>(7*len(w)%8)&(1<<len(w)-1))
		dst, src = dst[group:], src[len(w):]
	}
}

// unpackMiddle unpacks whole groups of numbers of 17 to 32 bits.
func unpackMiddle[T number](dst []T, src []byte, width int, base T) {
	switch width {
	case 17:
		unpackUpTo32[[17]byte](dst, src, base)
	case 18:
		unpackUpTo32[[18]byte](dst, src, base)
	case 19:
		unpackUpTo32[[19]byte](dst, src, base)
	case 20:
		unpackUpTo32[[20]byte](dst, src, base)
	case 21:
		unpackUpTo32[[21]byte](dst, src, base)
	case 22:
		unpackUpTo32[[22]byte](dst, src, base)
	case 23:
		unpackUpTo32[[23]byte](dst, src, base)
	case 24:
		unpackUpTo32[[24]byte](dst, src, base)
	case 25:
		unpackUpTo32[[25]byte](dst, src, base)
	case 26:
		unpackUpTo32[[26]byte](dst, src, base)
	case 27:
		unpackUpTo32[[27]byte](dst, src, base)
	case 28:
		unpackUpTo32[[28]byte](dst, src, base)
	case 29:
		unpackUpTo32[[29]byte](dst, src, base)
	case 30:
		unpackUpTo32[[30]byte](dst, src, base)
	case 31:
		unpackUpTo32[[31]byte](dst, src, base)
	case 32:
		unpackUpTo32[[32]byte](dst, src, base)
	}
}

// unpackNarrow unpacks whole groups of numbers of up to 16 bits.
func unpackNarrow[T number](dst []T, src []byte, width int, base T) {
	switch width {
	case 1:
		unpackUpTo8[[1]byte](dst, src, base)
	case 2:
		unpackUpTo8[[2]byte](dst, src, base)
	case 3:
		unpackUpTo8[[3]byte](dst, src, base)
	case 4:
		unpackUpTo8[[4]byte](dst, src, base)
	case 5:
		unpackUpTo8[[5]byte](dst, src, base)
	case 6:
		unpackUpTo8[[6]byte](dst, src, base)
	case 7:
		unpackUpTo8[[7]byte](dst, src, base)
	case 8:
		unpackUpTo8[[8]byte](dst, src, base)
	case 9:
		unpackUpTo16[[9]byte](dst, src, base)
	case 10:
		unpackUpTo16[[10]byte](dst, src, base)
	case 11:
		unpackUpTo16[[11]byte](dst, src, base)
	case 12:
		unpackUpTo16[[12]byte](dst, src, base)
	case 13:
		unpackUpTo16[[13]byte](dst, src, base)
	case 14:
		unpackUpTo16[[14]byte](dst, src, base)
	case 15:
		unpackUpTo16[[15]byte](dst, src, base)
	case 16:
		unpackUpTo16[[16]byte](dst, src, base)
	}
}

// unpackWide loads once per number.
func unpackWide[T number](dst []T, src []byte, width int, base T) {
	mask := widthMask(width)
	for len(dst) >= packGroup {
		d := dst[:packGroup:packGroup]
		group := src[: width+packPad : width+packPad]
		bit := uint(0)
		for i := range d {
			d[i] = base + T(binary.LittleEndian.Uint64(group[bit>>3:])>>(bit&7)&mask)
			bit += uint(width)
		}
		dst, src = dst[packGroup:], src[width:]
	}
}

// packedAt returns number i, before the base is added.
func packedAt(src []byte, width, i int) uint64 {
	if width == 0 {
		return 0
	}
	bit := uint(i) * uint(width)
	return binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7) & widthMask(width)
}
