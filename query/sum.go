package query

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
)

// bigSum is a sum of whole numbers, of any size. Most are small, and those are added up in a machine word first.
type bigSum struct {
	n     big.Int
	quick int64 // what is to be added to n
}

func (s *bigSum) add(n int64) {
	sum := s.quick + n
	if (s.quick^sum)&(n^sum) < 0 { // it doesn't fit
		s.whole()
		sum = n
	}
	s.quick = sum
}

func (s *bigSum) addBig(n *big.Int) { s.n.Add(&s.n, n) }

// addProduct adds another sum, so many times.
func (s *bigSum) addProduct(room *productRoom, b *bigSum, times *big.Int) {
	if n, small := b.small(); small && n >= 0 && addWord(s.whole(), uint64(n), times) {
		return
	}
	s.addBig(room.times(b, times))
}

// addWord adds a number to a sum, so many times, where nothing is negative. It takes a pass over the words of the
// number, and no memory but the sum's: most that shares are brought to one denominator by is done here.
func addWord(sum *big.Int, n uint64, times *big.Int) bool {
	if n > math.MaxUint || sum.Sign() < 0 || times.Sign() < 0 {
		return false
	}
	factor, words := times.Bits(), sum.Bits()
	// One word more for the product, and one for the carry.
	used, most := len(words), max(len(words), len(factor)+1)+1
	words = slices.Grow(words, most-used)[:most]
	clear(words[used:])
	high := uint(0)
	for i := range words {
		var low, above, carry uint
		if i < len(factor) {
			above, low = bits.Mul(uint(factor[i]), uint(n))
		} else if high == 0 {
			break
		}
		low, carry = bits.Add(low, high, 0)
		above += carry
		low, carry = bits.Add(low, uint(words[i]), 0)
		words[i], high = big.Word(low), above+carry
	}
	sum.SetBits(words)
	return true
}

// small returns the sum where it fits into a machine word and was never larger.
func (s *bigSum) small() (n int64, ok bool) { return s.quick, s.n.Sign() == 0 }

// whole returns the sum. It is valid until something is added.
func (s *bigSum) whole() *big.Int {
	if s.quick != 0 {
		var n big.Int
		s.n.Add(&s.n, n.SetInt64(s.quick))
		s.quick = 0
	}
	return &s.n
}

// exactSum is a sum of decimal numbers, exact whatever is added and in whatever order: a whole number divided by
// ten to the power of scale. The zero exactSum is 0.
type exactSum struct {
	bigSum
	scale int // never negative
}

// clear makes it 0, and keeps its memory.
func (a *exactSum) clear() {
	if a.n.Sign() != 0 {
		a.n.SetInt64(0)
	}
	a.quick, a.scale = 0, 0
}

// exactNumber is a decimal number, which isn't changed any more: n divided by ten to the power of scale, or, where
// it doesn't fit into a machine word, wide.
type exactNumber struct {
	n     int64
	wide  *big.Int
	scale int32
}

// readNumber reads a JSON number; ok is false where it lies beyond numberPlacesMax, so that what conversions are
// worth is what stats adds up.
func readNumber(number string) (a exactNumber, ok bool) {
	var d decimal
	d.read(number)
	if d.point > numberPlacesMax || d.point < -numberPlacesMax {
		return a, false
	}
	if len(d.digits) == 0 {
		return a, true
	}
	n := new(big.Int)
	n.SetString(string(d.digits), 10)
	scale := len(d.digits) - int(d.point)
	if scale < 0 {
		n.Mul(n, power10(-scale))
		scale = 0
	}
	if d.negative {
		n.Neg(n)
	}
	if a.scale = int32(scale); n.IsInt64() {
		a.n = n.Int64()
	} else {
		a.wide = n
	}
	return a, true
}

// addNumber adds a number.
func (a *exactSum) addNumber(b *exactNumber) {
	if b.wide == nil && a.addQuick(b.n, int(b.scale)) {
		return
	}
	sum := exactSum{scale: int(b.scale)}
	if sum.quick = b.n; b.wide != nil {
		sum.n.Set(b.wide)
	}
	a.add(&sum, bigOne)
}

// addQuick adds a small number, if its scale allows it.
func (a *exactSum) addQuick(n int64, scale int) bool {
	if n == 0 {
		return true
	}
	if a.scale != scale {
		if a.quick != 0 || a.n.Sign() != 0 {
			return false
		}
		a.scale = scale
	}
	a.bigSum.add(n)
	return true
}

// timesMax and quickMax bound factors whose product fits into a machine word.
const (
	timesMax = 1 << 24
	quickMax = 1 << 38
)

// addTimes adds b, so many times.
func (a *exactSum) addTimes(b *exactSum, times int64) {
	if n, small := b.small(); small && -quickMax < n && n < quickMax && -timesMax < times && times < timesMax && a.addQuick(n*times, b.scale) {
		return
	}
	a.add(b, big.NewInt(times))
}

// add adds b, times times.
func (a *exactSum) add(b *exactSum, times *big.Int) {
	var room productRoom
	a.addIn(&room, b, times)
}

// addIn does so in memory that is used again.
func (a *exactSum) addIn(room *productRoom, b *exactSum, times *big.Int) {
	if b.scale == a.scale || a.quick == 0 && a.n.Sign() == 0 {
		a.scale = b.scale
		a.addProduct(room, &b.bigSum, times)
		return
	}
	t := room.times(&b.bigSum, times)
	if t.Sign() == 0 {
		return
	}
	switch own := a.whole(); {
	case b.scale > a.scale:
		own.Mul(own, power10(b.scale-a.scale))
		a.scale = b.scale
	case b.scale < a.scale:
		t.Mul(t, power10(a.scale-b.scale))
	}
	a.addBig(t)
}

// productRoom is memory for products.
type productRoom struct{ small, product big.Int }

// times returns a sum, times times. It is valid until the next call, and may be changed.
func (r *productRoom) times(s *bigSum, times *big.Int) *big.Int {
	if n, small := s.small(); small {
		return r.product.Mul(r.small.SetInt64(n), times)
	}
	return r.product.Mul(s.whole(), times)
}

// fraction is the amount divided by den. It is valid until something is added.
func (a *exactSum) fraction(den *big.Int) fraction {
	if a.scale == 0 {
		return fraction{a.whole(), den}
	}
	return fraction{a.whole(), new(big.Int).Mul(power10(a.scale), den)}
}

// over is the amount divided by den.
func (a *exactSum) over(den *big.Int) *big.Rat {
	return new(big.Rat).SetFrac(a.whole(), new(big.Int).Mul(power10(a.scale), den))
}
