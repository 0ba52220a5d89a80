package query

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// fixedPoint is the number of bits after the point of a fixed.
const fixedPoint = 255

// fixed is a number from 0 to less than 2 in 256 bits, the lowest word first.
//
// What is done with such numbers is done in place, and word by word: a list of words that is handed over as a value is
// copied in greater pieces than it was written in, which processors wait for. A product takes six times as long so.
type fixed [4]uint64

func (f *fixed) isZero() bool { return f[0]|f[1]|f[2]|f[3] == 0 }

// setProduct sets f to a·b, cut to 255 bits after the point. Either may be f.
func (f *fixed) setProduct(a, b *fixed) {
	b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
	// r is what the words of a that were looked at make, less the words that are below; low is the last of these.
	var low, r0, r1, r2, r3 uint64
	for _, x := range [...]uint64{a[0], a[1], a[2], a[3]} {
		h0, l0 := bits.Mul64(x, b0)
		h1, l1 := bits.Mul64(x, b1)
		h2, l2 := bits.Mul64(x, b2)
		h3, l3 := bits.Mul64(x, b3)
		var carry uint64
		low, carry = bits.Add64(l0, r0, 0)
		l1, carry = bits.Add64(l1, r1, carry)
		l2, carry = bits.Add64(l2, r2, carry)
		l3, carry = bits.Add64(l3, r3, carry)
		h3 += carry
		r0, carry = bits.Add64(l1, h0, 0)
		r1, carry = bits.Add64(l2, h1, carry)
		r2, carry = bits.Add64(l3, h2, carry)
		r3 = h3 + carry
	}
	f[0], f[1], f[2], f[3] = low>>63|r0<<1, r0>>63|r1<<1, r1>>63|r2<<1, r2>>63|r3<<1
}

// add adds g. What goes over the top is lost.
func (f *fixed) add(g *fixed) {
	var carry uint64
	f[0], carry = bits.Add64(f[0], g[0], 0)
	f[1], carry = bits.Add64(f[1], g[1], carry)
	f[2], carry = bits.Add64(f[2], g[2], carry)
	f[3], _ = bits.Add64(f[3], g[3], carry)
}

// subtract takes away g, which is no more than f.
func (f *fixed) subtract(g *fixed) {
	var borrow uint64
	f[0], borrow = bits.Sub64(f[0], g[0], 0)
	f[1], borrow = bits.Sub64(f[1], g[1], borrow)
	f[2], borrow = bits.Sub64(f[2], g[2], borrow)
	f[3], _ = bits.Sub64(f[3], g[3], borrow)
}

// setShifted sets f to g divided by two to the power of n, cut.
func (f *fixed) setShifted(g *fixed, n int64) {
	if n >= 256 {
		*f = fixed{}
		return
	}
	w0, w1, w2, w3 := g[0], g[1], g[2], g[3]
	for ; n >= 64; n -= 64 {
		w0, w1, w2, w3 = w1, w2, w3, 0
	}
	right, left := uint(n), uint(64-n)
	f[0], f[1], f[2], f[3] = w0>>right|w1<<left, w1>>right|w2<<left, w2>>right|w3<<left, w3>>right
}

// into sets n to f as a whole number.
func (f fixed) into(n *big.Int) {
	var bytes [32]byte
	for i, word := range f {
		binary.BigEndian.PutUint64(bytes[24-8*i:], word)
	}
	n.SetBytes(bytes[:])
}

func fixedOf(n *big.Int) fixed {
	var bytes [32]byte
	n.FillBytes(bytes[:])
	var f fixed
	for i := range f {
		for k := range 8 {
			f[i] |= uint64(bytes[31-8*i-k]) << (8 * k)
		}
	}
	return f
}
