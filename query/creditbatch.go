package query

import (
	"math/big"
	"math/bits"
)

// batchAdding adds up the cells of batches, one batch after the other, and brings what comes of each to the common
// denominator of all.
type batchAdding struct {
	sum  *modelSum
	room productRoom
	sums []batchSum // of the batch at hand, by group
}

// batchSum is what a group got of a batch, in parts of its denominator.
type batchSum struct {
	conversions, value wideSum
	valued             bool
	scale              int // of the value, if there is one
}

// batchTermMost bounds what is taken so many times: its products with a word fit into two words, as many of them as
// there are denominators.
const batchTermMost = 1 << 47

func (a *batchAdding) add(batch *denBatch) {
	a.sums = a.sums[:0]
	for _, share := range batch.shares {
		times := uint64(0) // which no share has
		if batch.den != 0 {
			times = uint64(batch.den / share.of.den * share.of.num)
		}
		for group, c := range share.cells.listed(share.number) {
			if c != nil && (times == 0 || !at(&a.sums, uint32(group)).add(c, times)) {
				a.addWhole(uint32(group), c, share)
			}
		}
	}
	if len(a.sums) > 0 {
		a.bring(new(big.Int).Quo(a.sum.den, big.NewInt(batch.den)))
	}
}

// add adds a cell, so many times, if it goes in words; else it adds nothing.
func (b *batchSum) add(c *cell, times uint64) bool {
	conversions, ok := batchTerm(&c.conversions)
	if !ok {
		return false
	}
	value, ok := batchTerm(&c.value.bigSum)
	if !ok || value != 0 && b.valued && b.scale != c.value.scale {
		return false
	}
	b.conversions.add(conversions, times)
	if value != 0 {
		b.valued, b.scale = true, c.value.scale
		b.value.add(value, times)
	}
	return true
}

func batchTerm(sum *bigSum) (n int64, ok bool) {
	n, small := sum.small()
	return n, small && -batchTermMost < n && n < batchTermMost
}

// addWhole adds a cell as a part of the common denominator.
func (a *batchAdding) addWhole(group uint32, c *cell, share *partShare) {
	to, times := &a.sum.groups[group], share.in(a.sum.den)
	to.conversions.addProduct(&a.room, &c.conversions, times)
	to.value.addIn(&a.room, &c.value, times)
}

// bring brings the sums of the batch at hand to the common denominator.
func (a *batchAdding) bring(times *big.Int) {
	above := new(big.Int).Lsh(times, 64) // for their high words
	for group := range a.sums {
		own, to := &a.sums[group], &a.sum.groups[group]
		to.conversions.addWide(own.conversions, times, above)
		if !own.valued {
			continue
		}
		if to.value.takesScale(own.scale) {
			to.value.addWide(own.value, times, above)
			continue
		}
		sum := exactSum{scale: own.scale}
		sum.addBig(own.value.big())
		to.value.addIn(&a.room, &sum, times)
	}
}

// takesScale tells whether numbers of so many decimals can be added as they are, and has the sum be of these then.
func (a *exactSum) takesScale(scale int) bool {
	if a.scale != scale && (a.quick != 0 || a.n.Sign() != 0) {
		return false
	}
	a.scale = scale
	return true
}

// wideSum is a sum of products: a whole number in two's complement.
type wideSum struct{ low, high uint64 }

// add adds a number, so many times. The caller sees to it that there is room.
func (s *wideSum) add(n int64, times uint64) {
	sign := uint64(n >> 63) // all bits of it
	high, low := bits.Mul64(uint64(n)^sign-sign, times)
	// What is taken away is added with all bits turned, and one more.
	var carry uint64
	s.low, carry = bits.Add64(s.low, low^sign, sign&1)
	s.high, _ = bits.Add64(s.high, high^sign, carry)
}

// big is the sum as a whole number.
func (s wideSum) big() *big.Int {
	n := big.NewInt(int64(s.high))
	return n.Add(n.Lsh(n, 64), new(big.Int).SetUint64(s.low))
}

// addWide adds a wide sum, so many times; above is that times two to the power of 64.
func (s *bigSum) addWide(w wideSum, times, above *big.Int) {
	if w == (wideSum{}) {
		return
	}
	if int64(w.high) < 0 {
		n := w.big()
		s.addBig(n.Mul(n, times))
		return
	}
	s.addWords(w.low, times)
	if w.high != 0 {
		s.addWords(w.high, above)
	}
}

// addWords adds a word, so many times.
func (s *bigSum) addWords(n uint64, times *big.Int) {
	if !addWord(s.whole(), n, times) {
		product := new(big.Int).SetUint64(n)
		s.addBig(product.Mul(product, times))
	}
}
