package query

import (
	"math/big"
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

	shifted fixed // the weight at hand

	found []portion // of the path at hand

	weights []decayWeight // of the touches of the actor at hand; those that were asked for
	known   []decayWeight // of all his starts, by the slots of their places; nil where they aren't known
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

const decayWeightBytes = 40

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
					row[rest].setProduct(&row[rest-bit], &row[bit])
				}
			}
		}
	}
	return table
})

// weigh sets a weight to 2^(t/half_life).
func (d *decay) weigh(w *decayWeight, t event.Time) {
	w.mantissa, w.exponent = d.table[0][0], int64(t)/d.half
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
		w.mantissa.setProduct(&w.mantissa, step)
	}
}

// step is 2^(n/half_life) of a digit of n. It is the product of those of the bits of the digit.
func (d *decay) step(at int, n int64) *fixed {
	step, bit := &d.steps[at][n], n&-n
	switch {
	case !step.isZero():
	case n == bit:
		d.raise(step, n<<(stepBits*at))
	default:
		step.setProduct(d.step(at, n-bit), d.step(at, bit))
	}
	return step
}

// raise sets power to 2^(n/half_life), for n from 0 to less than half_life.
func (d *decay) raise(power *fixed, n int64) {
	*power = d.table[0][0]
	for digit := 0; digit < digitsOfFraction && n != 0; digit++ {
		n *= 16 // half is less than ten years of milliseconds, so there is room
		power.setProduct(power, &d.table[digit][n/d.half])
		n %= d.half
	}
}

// begin begins with an actor of so many touches.
func (d *decay) begin(touches int) {
	if d.known == nil {
		d.weights = slices.Grow(d.weights[:0], touches)[:touches]
		clear(d.weights)
	}
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
		d.sums[gone[i].group].subtract(d.shiftedWeight(&gone[i], before.from+i))
	}
	first := d.window.to - len(come)
	for i := range come {
		sum := at(&d.sums, come[i].group)
		if sum.isZero() {
			d.summed = append(d.summed, come[i].group)
		}
		sum.add(d.shiftedWeight(&come[i], first+i))
	}
	d.found = slices.Grow(d.found[:0], len(groups))[:len(groups)]
	d.shareOut(groups, newest)
	return d.found
}

// shiftedWeight is the weight of a touch, which has a number among those of its actor, in a path of which the newest
// has the exponent top: the same each time. It is valid until the next call.
func (d *decay) shiftedWeight(t *actorTouch, number int) *fixed {
	weight := d.weightOf(t, number)
	// 32 bits are left free for the sum of as many touches as there may be.
	d.shifted.setShifted(&weight.mantissa, 32+d.top-weight.exponent)
	if d.shifted.isZero() {
		d.shifted[0] = 1
	}
	return &d.shifted
}

func (d *decay) weightOf(t *actorTouch, number int) *decayWeight {
	if d.known != nil {
		return &d.known[t.at.slot]
	}
	weight := &d.weights[number]
	if weight.mantissa.isZero() {
		d.weigh(weight, t.at.time)
	}
	return weight
}

// shareOut turns the sums of groups into shares.
func (d *decay) shareOut(groups []uint32, newest uint32) {
	var whole fixed
	for _, g := range groups {
		whole.add(&d.sums[g])
	}
	var left portion // of the whole, which is one more than a share can be
	rest := 0
	for i, g := range groups {
		if g == newest { // it gets what the others leave: it has much of the whole, so it is never nothing
			rest = i
			continue
		}
		own := &d.found[i]
		if d.sums[g].partOf(&whole, own); own[0]|own[1]|own[2] == 0 {
			own[0] = 1
		}
		left.subtract(own)
	}
	d.found[rest] = left
}
