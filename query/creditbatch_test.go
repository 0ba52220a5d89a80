package query

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// randomCell is mostly small, as most are.
func randomCell(r *rand.Rand, c *cell) {
	n := []int64{1, r.Int64N(1 << 20), batchTermMost - 1, batchTermMost, math.MaxInt64}
	c.conversions.add(n[r.IntN(2+r.IntN(4))])
	value := exactNumber{n: n[r.IntN(2+r.IntN(4))] - r.Int64N(3), scale: int32(r.IntN(1 + r.IntN(3)))}
	if r.IntN(3) == 0 {
		value.n = -value.n
	}
	if r.IntN(20) == 0 {
		value.wide = randomBig(r)
	}
	if r.IntN(5) > 0 {
		c.value.addNumber(&value)
	}
}

// addToCell leaves sums small where they are, as most ways of adding do.
func addToCell(to, one *cell) {
	if n, small := one.conversions.small(); small {
		to.conversions.add(n)
	} else {
		to.conversions.addBig(one.conversions.whole())
	}
	to.value.addTimes(&one.value, 1)
}

// Sums of shares over one denominator against sums of fractions.
func TestSharesAddUpOverOneDenominator(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		b := newLedger(&Attribution{Models: []CreditModel{ModelPosition}, Value: "value"})
		groups := []int{1 + r.IntN(6), 200}[r.IntN(2)]
		want := make([]struct{ conversions, value big.Rat }, groups)
		for i, cells := range []*cellTable{b.lengths, b.cells[0]} {
			part := b.partsOf(ModelPosition, b.cells[0])[i]
			for range r.IntN(800) >> r.IntN(9) {
				length := []int64{r.Int64N(6), r.Int64N(1000), batchMost/8 + 7, math.MaxInt64 / 16}[min(r.IntN(10), r.IntN(4))]
				length += int64(3 * i) // ends have more from the third touch on
				number := b.dens.number(max(1, length))
				group := uint32(r.IntN(groups))
				if r.IntN(30) == 0 {
					group, number = uint32(groups-1), 0
				}
				share := new(big.Rat).SetFrac(bigOne, shareUnit())
				if number > 0 {
					of := part.share(max(1, length))
					share.SetFrac64(of.num, of.den)
				}
				var one cell
				randomCell(r, &one)
				to := cells.of(group, number)
				addToCell(to, &one)
				own := &want[group]
				conversions := new(big.Rat).SetInt(one.conversions.whole())
				own.conversions.Add(&own.conversions, conversions.Mul(conversions, share))
				own.value.Add(&own.value, new(big.Rat).Mul(one.value.over(bigOne), share))
			}
		}
		s := &modelSum{den: big.NewInt(1), groups: make([]cell, groups)}
		b.sumUp(s, b.partsOf(ModelPosition, b.cells[0]))
		for group := range want {
			got := &s.groups[group]
			conversions, value := new(big.Rat).SetFrac(got.conversions.whole(), s.den), got.value.over(s.den)
			if conversions.Cmp(&want[group].conversions) != 0 || value.Cmp(&want[group].value) != 0 {
				t.Fatalf("seed %d: group %d of %d has %v and %v", seed, group, groups, conversions, value)
			}
		}
	}
}

// Sums of many great numbers of conversions have room in a batch.
func TestGreatSharesOfABatchHaveRoom(t *testing.T) {
	b := newLedger(&Attribution{Models: []CreditModel{ModelPosition}})
	own := b.cells[0]
	part := b.partsOf(ModelPosition, own)[1]
	want := new(big.Rat)
	for i := range 1 << 10 { // products of these primes lie in one batch
		touches := int64(1)
		for j, p := range []int64{31, 37, 41, 43, 47, 53, 59, 61, 67, 71} {
			if i>>j&1 == 1 {
				touches *= p
			}
		}
		touches += 2
		own.of(0, b.dens.number(touches)).conversions.add(math.MaxInt64 / 2)
		of := part.share(touches)
		one := new(big.Rat).SetFrac64(of.num, of.den)
		want.Add(want, one.Mul(one, new(big.Rat).SetInt64(math.MaxInt64/2)))
	}
	s := &modelSum{groups: make([]cell, 1)}
	b.sumUp(s, b.partsOf(ModelPosition, own))
	if got := new(big.Rat).SetFrac(s.groups[0].conversions.whole(), s.den); got.Cmp(want) != 0 {
		t.Errorf("%v, want %v", got, want)
	}
}
