package encode

import (
	"encoding/binary"
	"math/bits"
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
func appendPacked(dst []byte, values []uint64, base uint64, width int) []byte {
	end := len(dst) + packedBytes(len(values), width)
	if width == 0 {
		return dst
	}
	mask := widthMask(width)
	var pending uint64
	filled := 0
	for _, v := range values {
		v = (v - base) & mask
		pending |= v << filled
		filled += width
		if filled >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, pending)
			filled -= 64
			pending = v >> (width - filled)
		}
	}
	for ; filled > 0; filled -= 8 {
		dst = append(dst, byte(pending))
		pending >>= 8
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
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
	case width <= 8:
		unpackUpTo8(dst, src, width, base)
	case width <= 16:
		unpackUpTo16(dst, src, width, base)
	default:
		unpackWide(dst, src, width, base)
	}
	for i := len(dst) &^ (packGroup - 1); i < len(dst); i++ {
		dst[i] = base + T(packedAt(src, width, i))
	}
}

// unpackUpTo8 takes eight numbers out of one load. The shifts by the same amount one after another
// are faster than eight different ones, which would need the amount anew each time.
func unpackUpTo8[T number](dst []T, src []byte, width int, base T) {
	mask, shift := widthMask(width), uint(width)&63
	for len(dst) >= packGroup {
		d := dst[:packGroup:packGroup]
		x := binary.LittleEndian.Uint64(src)
		d[0] = base + T(x&mask)
		x >>= shift
		d[1] = base + T(x&mask)
		x >>= shift
		d[2] = base + T(x&mask)
		x >>= shift
		d[3] = base + T(x&mask)
		x >>= shift
		d[4] = base + T(x&mask)
		x >>= shift
		d[5] = base + T(x&mask)
		x >>= shift
		d[6] = base + T(x&mask)
		x >>= shift
		d[7] = base + T(x&mask)
		dst, src = dst[packGroup:], src[width:]
	}
}

// unpackUpTo16 takes four numbers out of each of two loads. The second load begins on the byte in
// which number 4 begins: four bits in where the width is odd, and then 4+4×15 bits still fit.
func unpackUpTo16[T number](dst []T, src []byte, width int, base T) {
	mask, shift := widthMask(width), uint(width)&63
	second, odd := width/2, uint(width&1)*4
	for len(dst) >= packGroup {
		d := dst[:packGroup:packGroup]
		x := binary.LittleEndian.Uint64(src)
		y := binary.LittleEndian.Uint64(src[second:]) >> (odd & 63)
		d[0] = base + T(x&mask)
		d[4] = base + T(y&mask)
		x >>= shift
		y >>= shift
		d[1] = base + T(x&mask)
		d[5] = base + T(y&mask)
		x >>= shift
		y >>= shift
		d[2] = base + T(x&mask)
		d[6] = base + T(y&mask)
		x >>= shift
		y >>= shift
		d[3] = base + T(x&mask)
		d[7] = base + T(y&mask)
		dst, src = dst[packGroup:], src[width:]
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
