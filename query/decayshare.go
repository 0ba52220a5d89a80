package query

import (
	"math"
	"math/big"
	"math/bits"
)

// portion is a part of a whole, counted in parts of shareUnit: less than the whole, the lowest word first.
type portion [shareBits / 64]uint64

// partOf sets part to the part that f is of the whole, the nearest one; what is in the middle goes up. The whole is more
// than f, by so much that the nearest part isn't the whole.
//
// This is long division to the base of 2^64: three digits, as a share has so many words. The divisor is shifted until
// its first bit is set; then the first words alone tell a digit, or one that is greater by one or two.
func (f *fixed) partOf(whole *fixed, part *portion) {
	n := uint(bits.LeadingZeros64(whole[3]))
	m := 64 - n
	d0, d1, d2, d3 := whole[0]<<n, whole[1]<<n|whole[0]>>m, whole[2]<<n|whole[1]>>m, whole[3]<<n|whole[2]>>m
	r0, r1, r2, r3 := f[0]<<n, f[1]<<n|f[0]>>m, f[2]<<n|f[1]>>m, f[3]<<n|f[2]>>m
	for i := len(part) - 1; i >= 0; i-- {
		times := uint64(math.MaxUint64)
		if r3 < d3 {
			times, _ = bits.Div64(r3, r2, d3)
		}
		h0, p0 := bits.Mul64(times, d0)
		h1, p1 := bits.Mul64(times, d1)
		h2, p2 := bits.Mul64(times, d2)
		h3, p3 := bits.Mul64(times, d3)
		var borrow, carry uint64
		p1, carry = bits.Add64(p1, h0, 0)
		p2, carry = bits.Add64(p2, h1, carry)
		p3, carry = bits.Add64(p3, h2, carry)
		p4 := h3 + carry
		p0, borrow = bits.Sub64(0, p0, 0)
		p1, borrow = bits.Sub64(r0, p1, borrow)
		p2, borrow = bits.Sub64(r1, p2, borrow)
		p3, borrow = bits.Sub64(r2, p3, borrow)
		above, _ := bits.Sub64(r3, p4, borrow)
		for above != 0 { // the digit was too great
			times--
			p0, carry = bits.Add64(p0, d0, 0)
			p1, carry = bits.Add64(p1, d1, carry)
			p2, carry = bits.Add64(p2, d2, carry)
			p3, carry = bits.Add64(p3, d3, carry)
			above += carry
		}
		part[i], r0, r1, r2, r3 = times, p0, p1, p2, p3
	}
	_, less := bits.Sub64(r0<<1, d0, 0)
	_, less = bits.Sub64(r1<<1|r0>>63, d1, less)
	_, less = bits.Sub64(r2<<1|r1>>63, d2, less)
	_, less = bits.Sub64(r3<<1|r2>>63, d3, less)
	if less == 0 || r3>>63 != 0 { // twice the rest is no less than the divisor
		part.addOne()
	}
}

func (s *portion) addOne() {
	for i := range s {
		if s[i]++; s[i] != 0 {
			break
		}
	}
}

// subtract takes away o, from the whole on: 0 stands for it.
func (s *portion) subtract(o *portion) {
	var borrow uint64
	s[0], borrow = bits.Sub64(s[0], o[0], 0)
	s[1], borrow = bits.Sub64(s[1], o[1], borrow)
	s[2], _ = bits.Sub64(s[2], o[2], borrow)
}

// into sets n to s as a whole number.
func (s *portion) into(n *big.Int) { fixed{s[0], s[1], s[2], 0}.into(n) }

// shareSum is a sum of shares, each some times, which may be negative: a whole number in two's complement, the lowest
// word first. It has room for as many shares as can be counted, each as many times as a machine word holds.
type shareSum [shareBits/64 + 2]uint64

// add adds a share, so many times.
func (s *shareSum) add(one *portion, times int64) {
	sign := uint64(times >> 63) // all bits of it
	h0, l0 := bits.Mul64(one[0], uint64(times)^sign-sign)
	h1, l1 := bits.Mul64(one[1], uint64(times)^sign-sign)
	h2, l2 := bits.Mul64(one[2], uint64(times)^sign-sign)
	var carry uint64
	l1, carry = bits.Add64(l1, h0, 0)
	l2, carry = bits.Add64(l2, h1, carry)
	h2 += carry
	// What is taken away is added with all bits turned, and one more.
	s[0], carry = bits.Add64(s[0], l0^sign, sign&1)
	s[1], carry = bits.Add64(s[1], l1^sign, carry)
	s[2], carry = bits.Add64(s[2], l2^sign, carry)
	s[3], carry = bits.Add64(s[3], h2^sign, carry)
	s[4], _ = bits.Add64(s[4], sign, carry)
}

// big is the sum as a whole number.
func (s *shareSum) big() *big.Int {
	var low, n big.Int
	fixed{s[0], s[1], s[2], s[3]}.into(&low)
	n.Lsh(big.NewInt(int64(s[4])), 256)
	return n.Add(&n, &low)
}

// shareScales is how many decimals values may have, less one, to be added up in words: those of money.
const shareScales = 4

// shareCell is what a group got in shares, as far as that is added up in words.
type shareCell struct {
	conversions shareSum
	values      [shareScales]shareSum // by their decimals
}

// addTo adds what was got to a cell.
func (c *shareCell) addTo(to *cell) {
	to.conversions.addBig(c.conversions.big())
	for scale := range c.values {
		if c.values[scale] != (shareSum{}) {
			sum := exactSum{scale: scale}
			sum.addBig(c.values[scale].big())
			to.value.add(&sum, bigOne)
		}
	}
}
