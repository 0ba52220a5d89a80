package query

import (
	"math"
	"math/big"
	"math/bits"
)

// portion is a part of a whole, counted in parts of shareUnit: less than the whole, the lowest word first.
type portion [shareBits / 64]uint64

// partOf returns the part that f is of the whole, the nearest one; what is in the middle goes up. The whole is more
// than f, by so much that the nearest part isn't the whole.
//
// This is long division to the base of 2^64: three digits, as a share has so many words.
func (f fixed) partOf(whole *fixed) (part portion) {
	n := uint(bits.LeadingZeros64(whole[3]))
	d, rest := whole.raised(n), f.raised(n)
	for i := len(part) - 1; i >= 0; i-- {
		part[i], rest = rest.digit(&d)
	}
	if twice := rest.raised(1); rest[3]>>63 != 0 || !twice.isLess(&d) {
		part = part.plusOne()
	}
	return part
}

// digit returns the whole number of times that d goes into f·2^64, and what is left. The first bit of d is set, and
// f is less than d.
func (f fixed) digit(d *fixed) (times uint64, left fixed) {
	times = math.MaxUint64
	if f[3] < d[3] {
		times, _ = bits.Div64(f[3], f[2], d[3])
	}
	// The first words alone tell the digit, or one that is greater by one or two.
	low, high := fixed{}.plusTimes(times, d)
	var borrow, carry uint64
	left[0], borrow = bits.Sub64(0, low, 0)
	left[1], borrow = bits.Sub64(f[0], high[0], borrow)
	left[2], borrow = bits.Sub64(f[1], high[1], borrow)
	left[3], borrow = bits.Sub64(f[2], high[2], borrow)
	above, _ := bits.Sub64(f[3], high[3], borrow)
	for above != 0 {
		times--
		left, carry = left.plusCarrying(d)
		above += carry
	}
	return times, left
}

// raised is f times two to the power of n, which is less than 64. What goes over the top is lost.
func (f *fixed) raised(n uint) fixed {
	return fixed{f[0] << n, f[1]<<n | f[0]>>(64-n), f[2]<<n | f[1]>>(64-n), f[3]<<n | f[2]>>(64-n)}
}

func (f *fixed) isLess(g *fixed) bool {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i] != g[i] {
			return f[i] < g[i]
		}
	}
	return false
}

func (s portion) plusOne() portion {
	for i := range s {
		if s[i]++; s[i] != 0 {
			break
		}
	}
	return s
}

// minus is s less o, from the whole on: 0 stands for it.
func (s portion) minus(o *portion) (left portion) {
	var borrow uint64
	left[0], borrow = bits.Sub64(s[0], o[0], 0)
	left[1], borrow = bits.Sub64(s[1], o[1], borrow)
	left[2], _ = bits.Sub64(s[2], o[2], borrow)
	return left
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
