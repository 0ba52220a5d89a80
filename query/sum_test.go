package query

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// randomBig is a whole number of up to some hundred bits, often one near a power of two.
func randomBig(r *rand.Rand) *big.Int {
	n := new(big.Int)
	for range r.IntN(5) {
		word := []uint64{0, 1, 1 << 63, math.MaxUint64, r.Uint64()}[r.IntN(5)]
		n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(word))
	}
	if r.IntN(4) == 0 {
		n.Neg(n)
	}
	return n
}

// Sums of products that are added up word by word against those of whole numbers of any size.
func TestProductsAddUp(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	var room productRoom
	for range 2000 {
		var sum bigSum
		want := new(big.Int)
		for range 1 + r.IntN(8) {
			var one bigSum
			if r.IntN(4) == 0 {
				one.addBig(randomBig(r))
			}
			one.add([]int64{0, 1, math.MaxInt64, math.MinInt64, r.Int64N(1000), r.Int64()}[r.IntN(6)])
			times := randomBig(r)
			own := new(big.Int).Set(one.whole())
			if sum.addProduct(&room, &one, times); r.IntN(3) == 0 {
				sum.add(-7)
				want.Sub(want, big.NewInt(7))
			}
			want.Add(want, own.Mul(own, times))
		}
		if got := sum.whole(); got.Cmp(want) != 0 {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

// Fractions are rounded, shown and added as those in lowest terms.
func TestFractionsAreShownAsInLowestTerms(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	random := func() fraction {
		den := new(big.Int).Add(new(big.Int).Abs(randomBig(r)), bigOne)
		if r.IntN(2) == 0 { // so that some lie in the middle between two
			den = big.NewInt(1 << r.IntN(12))
		}
		return fraction{randomBig(r), den}
	}
	for range 2000 {
		x, y, digits := random(), random(), r.IntN(8)
		if r.IntN(2) == 0 {
			y.den = x.den
		}
		sum := x.plus(y)
		want := new(big.Rat).SetFrac(x.num, x.den)
		want.Add(want, new(big.Rat).SetFrac(y.num, y.den))
		if new(big.Rat).SetFrac(sum.num, sum.den).Cmp(want) != 0 {
			t.Fatalf("seed %d: %v + %v = %v", seed, x, y, sum)
		}
		unit := new(big.Rat).SetFrac(bigOne, power10(digits))
		shown, _ := new(big.Rat).SetString(sum.shown(digits).text)
		off := new(big.Rat).Quo(new(big.Rat).Sub(want, shown), unit)
		units := new(big.Rat).Quo(shown, unit)
		half := off.Abs(off).Cmp(big.NewRat(1, 2))
		if half > 0 || !units.IsInt() || half == 0 && units.Num().Bit(0) == 1 {
			t.Fatalf("seed %d: %v to %d decimals is %s", seed, want, digits, sum.shown(digits).text)
		}
	}
}
