package query

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"slices"
	"sync"
	"time"

	"millimetric/index/event"
)

// Time decay weighs a touch with 2^(-age/half_life). Such numbers are irrational, so they are reckoned
// in fixed point, by whole numbers only: the same on every machine, and to some 67 digits.
//
//  1. Only the proportions of weights count, so ages may be taken against any moment: against 1970.
//     2^(t/half_life) = 2^e · 2^f with e the whole part of t/half_life and 0 ≤ f < 1.
//  2. f is a fraction of milliseconds, whose digits to the base of 16 come from long division. 2^f is the
//     product of one factor per digit, each from a table that square roots of 2 are multiplied into. So
//     it is found for the bits of f's milliseconds, of which the powers are multiplied in their turn.
//  3. In one path, weights are shifted by the difference of their e to that of the newest touch. One
//     that is shifted out of sight counts as the smallest weight there is, so no touch has none.
//  4. The share of a group is its part of the sum of weights, in whole numbers of which shareUnit makes
//     the whole: the nearest one, but never 0. What the rounding leaves goes to the newest touch, so
//     shares add up.
//
// After 4 all is exact. A credit has 57 true digits: of what an answer shows of it, all, but for a sum
// that lies so near to the middle between two numbers of six decimals, or one of more digits.
type decay struct {
	half  int64 // milliseconds
	table *[digitsOfFraction][16]fixed
	// steps are 2^(n/half_life) by the digits of n, for n below half_life: those that were asked for. To
	// multiply a few of them takes a tenth of the time that all digits of a fraction do.
	steps [stepDigits][stepBase]fixed

	sums   []fixed     // by group of the path at hand; of groups that it hasn't, 0
	summed []uint32    // the groups of which the sums may be something else
	window touchWindow // of the touches that are in the sums
	top    int64       // the exponent that they are shifted to

	found []portion // of the path at hand

	weights []decayWeight // of the touches of the actor at hand; those that were asked for
}

// A half-life has so many digits of so many bits in milliseconds: it is less than ten years. One more bit would save no
// digit of a week.
const (
	stepDigits = 4
	stepBits   = 10
	stepBase   = 1 << stepBits
)

// digitsOfFraction is the number of hexadecimal digits of f: as many as the fixed point can show.
const digitsOfFraction = 62

// shareBits is the number of bits in which shares are counted: 57 decimals.
const shareBits = 192

func shareUnit() *big.Int { return new(big.Int).Lsh(bigOne, shareBits) }

// decayWeight is mantissa times two to the power of exponent.
type decayWeight struct {
	mantissa fixed
	exponent int64
}

func newDecay(halfLife time.Duration) *decay {
	return &decay{half: int64(halfLife / time.Millisecond), table: powersOfDigits()}
}

// powersOfDigits returns 2^(d·16^-k) for the digits d of the places k behind the point.
var powersOfDigits = sync.OnceValue(func() *[digitsOfFraction][16]fixed {
	table := new([digitsOfFraction][16]fixed)
	// root is 2^(2^-k) with 64 bits more than are kept.
	const point = fixedPoint + 64
	root := new(big.Int).Lsh(bigOne, point+1)
	for digit := range table {
		row := &table[digit]
		row[0] = fixed{3: 1 << 63}
		for bit := 8; bit > 0; bit /= 2 {
			root.Sqrt(root.Lsh(root, point))
			row[bit] = fixedOf(new(big.Int).Rsh(root, 64))
			for rest := 1; rest < 16; rest++ {
				// The digits made of this bit and higher ones; lower ones come in their turn.
				if rest&bit != 0 && rest != bit && rest&(bit-1) == 0 {
					row[rest] = mulFixed(row[rest-bit], row[bit])
				}
			}
		}
	}
	return table
})

// weight is 2^(t/half_life).
func (d *decay) weight(t event.Time) decayWeight {
	w := decayWeight{mantissa: d.table[0][0], exponent: int64(t) / d.half}
	rest, first := int64(t)%d.half, true
	for i := 0; rest>>(stepBits*i) != 0; i++ {
		n := rest >> (stepBits * i) & (stepBase - 1)
		if n == 0 {
			continue
		}
		step := d.step(i, n)
		if first { // one times it
			w.mantissa, first = *step, false
			continue
		}
		w.mantissa = mulFixed(w.mantissa, *step)
	}
	return w
}

// step is 2^(n/half_life) of a digit of n. It is the product of those of the bits of the digit.
func (d *decay) step(at int, n int64) *fixed {
	step, bit := &d.steps[at][n], n&-n
	switch {
	case *step != (fixed{}):
	case n == bit:
		*step = d.power(n << (stepBits * at))
	default:
		*step = mulFixed(*d.step(at, n-bit), *d.step(at, bit))
	}
	return step
}

// power is 2^(n/half_life), for n from 0 to less than half_life.
func (d *decay) power(n int64) fixed {
	power := d.table[0][0]
	for digit := 0; digit < digitsOfFraction && n != 0; digit++ {
		n *= 16 // half is less than ten years of milliseconds, so there is room
		power = mulFixed(power, d.table[digit][n/d.half])
		n %= d.half
	}
	return power
}

// begin begins with an actor of so many touches.
func (d *decay) begin(touches int) {
	d.weights = slices.Grow(d.weights[:0], touches)[:touches]
	clear(d.weights)
	d.clear()
	d.window = touchWindow{}
}

func (d *decay) clear() {
	for _, g := range d.summed {
		d.sums[g] = fixed{}
	}
	d.summed = d.summed[:0]
}

// shares returns the share of each group of a path, in the order of groups. They are valid until the next call.
func (d *decay) shares(p *path, groups []uint32, newest uint32) []portion {
	top := int64(p.touches[len(p.touches)-1].at.time) / d.half
	if top != d.top { // all weights of the path are shifted otherwise
		d.top, d.window = top, touchWindow{}
	}
	before := d.window
	gone, come, anew := d.window.turn(p)
	if anew {
		d.clear()
	}
	for i := range gone {
		sum := &d.sums[gone[i].group]
		*sum = sum.less(d.shiftedWeight(&gone[i], before.from+i))
	}
	first := d.window.to - len(come)
	for i := range come {
		sum := at(&d.sums, come[i].group)
		if *sum == (fixed{}) {
			d.summed = append(d.summed, come[i].group)
		}
		*sum = sum.plus(d.shiftedWeight(&come[i], first+i))
	}
	d.found = slices.Grow(d.found[:0], len(groups))[:len(groups)]
	d.shareOut(groups, newest)
	return d.found
}

// shiftedWeight is the weight of a touch, which has a number among those of its actor, in a path of which the newest
// has the exponent top: the same each time.
func (d *decay) shiftedWeight(t *actorTouch, number int) fixed {
	weight := &d.weights[number]
	if weight.mantissa == (fixed{}) {
		*weight = d.weight(t.at.time)
	}
	// 32 bits are left free for the sum of as many touches as there may be.
	w := weight.mantissa.shifted(32 + d.top - weight.exponent)
	if w == (fixed{}) {
		w[0] = 1
	}
	return w
}

// shareOut turns the sums of groups into shares.
func (d *decay) shareOut(groups []uint32, newest uint32) {
	var whole fixed
	for _, g := range groups {
		whole = whole.plus(d.sums[g])
	}
	var left portion // of the whole, which is one more than a share can be
	rest := 0
	for i, g := range groups {
		if g == newest { // it gets what the others leave: it has much of the whole, so it is never nothing
			rest = i
			continue
		}
		own := &d.found[i]
		if *own = d.sums[g].partOf(&whole); *own == (portion{}) {
			own[0] = 1
		}
		left = left.minus(own)
	}
	d.found[rest] = left
}

// fixedPoint is the number of bits after the point of a fixed.
const fixedPoint = 255

// fixed is a number from 0 to less than 2 in 256 bits, the lowest word first.
type fixed [4]uint64

// mulFixed is a·b, cut to 255 bits after the point.
func mulFixed(a, b fixed) fixed {
	var low uint64 // the word below those of high
	var high fixed
	for _, x := range a {
		low, high = high.plusTimes(x, &b)
	}
	return fixed{low>>63 | high[0]<<1, high[0]>>63 | high[1]<<1, high[1]>>63 | high[2]<<1, high[2]>>63 | high[3]<<1}
}

// plusTimes is f + x·b as whole numbers: its lowest word, and those above.
func (f fixed) plusTimes(x uint64, b *fixed) (low uint64, high fixed) {
	h0, l0 := bits.Mul64(x, b[0])
	h1, l1 := bits.Mul64(x, b[1])
	h2, l2 := bits.Mul64(x, b[2])
	h3, l3 := bits.Mul64(x, b[3])
	var carry uint64
	l1, carry = bits.Add64(l1, h0, 0)
	l2, carry = bits.Add64(l2, h1, carry)
	l3, carry = bits.Add64(l3, h2, carry)
	h3 += carry
	low, carry = bits.Add64(l0, f[0], 0)
	high[0], carry = bits.Add64(l1, f[1], carry)
	high[1], carry = bits.Add64(l2, f[2], carry)
	high[2], carry = bits.Add64(l3, f[3], carry)
	high[3] = h3 + carry
	return low, high
}

func (f fixed) plus(g fixed) fixed {
	sum, _ := f.plusCarrying(&g)
	return sum
}

// less is f - g, which is no more than f.
func (f fixed) less(g fixed) fixed {
	var borrow uint64
	f[0], borrow = bits.Sub64(f[0], g[0], 0)
	f[1], borrow = bits.Sub64(f[1], g[1], borrow)
	f[2], borrow = bits.Sub64(f[2], g[2], borrow)
	f[3], _ = bits.Sub64(f[3], g[3], borrow)
	return f
}

// plusCarrying is f + g, and whether that goes over the top.
func (f fixed) plusCarrying(g *fixed) (sum fixed, carry uint64) {
	sum[0], carry = bits.Add64(f[0], g[0], 0)
	sum[1], carry = bits.Add64(f[1], g[1], carry)
	sum[2], carry = bits.Add64(f[2], g[2], carry)
	sum[3], carry = bits.Add64(f[3], g[3], carry)
	return sum, carry
}

// shifted is f divided by two to the power of n, cut.
func (f fixed) shifted(n int64) fixed {
	if n >= 256 {
		return fixed{}
	}
	for ; n >= 64; n -= 64 {
		f[0], f[1], f[2], f[3] = f[1], f[2], f[3], 0
	}
	right, left := uint(n), uint(64-n)
	return fixed{f[0]>>right | f[1]<<left, f[1]>>right | f[2]<<left, f[2]>>right | f[3]<<left, f[3] >> right}
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
