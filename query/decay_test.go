package query

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"millimetric/index/event"
)

// A weight to the power of its half-life in milliseconds must be the power of two that it stands for.
// Multiplying weights is what proves it: 2^(a/h)·2^(b/h) = 2^((a+b)/h).
func TestWeightsMultiplyAsPowersDo(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		half := time.Duration(1+r.Int64N(int64(durationMax/time.Millisecond))) * time.Millisecond
		if r.IntN(2) == 0 {
			half = time.Duration(1+r.IntN(5000)) * time.Second
		}
		d := newDecay(half)
		a, b := event.Time(r.Int64N(int64(event.TimeMax)/2)), event.Time(r.Int64N(int64(event.TimeMax)/2))
		got := rationalWeight(weightOf(d, a), weightOf(d, b))
		want := rationalWeight(weightOf(d, a+b))
		off := new(big.Rat).Sub(new(big.Rat).Quo(got, want), big.NewRat(1, 1))
		if limit := new(big.Rat).SetFrac(bigOne, new(big.Int).Lsh(bigOne, 240)); off.Abs(off).Cmp(limit) > 0 {
			t.Fatalf("seed %d: half-life %v, %d and %d: off by %s", seed, half, a, b, off.FloatString(90))
		}
	}
}

func weightOf(d *decay, t event.Time) (w decayWeight) {
	d.weigh(&w, t)
	return w
}

// rationalWeight is the product of weights, each divided by two to the power of the sum of exponents of
// the first times; only its proportion to another of the same kind matters.
func rationalWeight(weights ...decayWeight) *big.Rat {
	product := big.NewRat(1, 1)
	exponent := int64(0)
	for _, w := range weights {
		product.Mul(product, new(big.Rat).SetFrac(w.mantissa.big(), new(big.Int).Lsh(bigOne, fixedPoint)))
		exponent += w.exponent
	}
	// Exponents of long times over short half-lives are too large to be written out; here they differ by
	// one at most, which parity shows.
	if exponent%2 != 0 {
		product.Mul(product, big.NewRat(2, 1))
	}
	for product.Cmp(big.NewRat(2, 1)) >= 0 {
		product.Quo(product, big.NewRat(2, 1))
	}
	return product
}

func TestAHalfLifeHalves(t *testing.T) {
	for _, half := range []time.Duration{time.Second, 7 * time.Hour, 7 * 24 * time.Hour, durationMax} {
		d := newDecay(half)
		at := event.Time(1774612812345)
		a, b := weightOf(d, at), weightOf(d, at+event.Time(half/time.Millisecond))
		if a.mantissa != b.mantissa || b.exponent != a.exponent+1 {
			t.Errorf("%v: %v and %v", half, a, b)
		}
	}
}

// The fixed-point numbers against whole numbers of any size.
func TestFixedNumbersAreCutWholeNumbers(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	random := func() fixed {
		f := fixed{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		for i := range f {
			if r.IntN(4) == 0 {
				f[i] = []uint64{0, 1, 1 << 63, ^uint64(0)}[r.IntN(4)]
			}
		}
		return f
	}
	mask := new(big.Int).Sub(new(big.Int).Lsh(bigOne, 256), bigOne)
	for range 20_000 {
		a, b := random(), random()
		product := new(big.Int).Mul(a.big(), b.big())
		product.And(product.Rsh(product, fixedPoint), mask)
		var own fixed
		if own.setProduct(&a, &b); own.big().Cmp(product) != 0 {
			t.Fatalf("seed %d: %v · %v = %v, want %v", seed, a, b, own, product)
		}
		own = a
		if own.setProduct(&own, &b); own.big().Cmp(product) != 0 {
			t.Fatalf("seed %d: %v · %v in place = %v, want %v", seed, a, b, own, product)
		}
		sum := new(big.Int).Add(a.big(), b.big())
		own = a
		if own.add(&b); own.big().Cmp(sum.And(sum, mask)) != 0 {
			t.Fatalf("seed %d: %v + %v = %v, want %v", seed, a, b, own, sum)
		}
		if own.subtract(&b); own != a {
			t.Fatalf("seed %d: %v + %v - %v = %v", seed, a, b, b, own)
		}
		n := r.Int64N(300)
		own.setShifted(&a, n)
		if want := new(big.Int).Rsh(a.big(), uint(n)); own.big().Cmp(want) != 0 {
			t.Fatalf("seed %d: %v >> %d = %v, want %v", seed, a, n, own, want)
		}
		if fixedOf(a.big()) != a {
			t.Fatalf("seed %d: %v isn't read back", seed, a)
		}
	}
}

func TestAmountsAreSummedInAnyOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		var sum exactSum
		want := new(big.Rat)
		for range r.IntN(6) {
			text, times := randomNumber(r), int64(r.IntN(5))
			if r.IntN(4) == 0 {
				times += timesMax - 2
			}
			a, ok := readNumber(text)
			if !ok {
				t.Fatalf("%s can't be read", text)
			}
			own := exactSum{}
			own.addNumber(&a)
			switch r.IntN(3) {
			case 0:
				sum.add(&own, big.NewInt(times))
			case 1:
				sum.addTimes(&own, times)
			default:
				times = 1
				sum.addNumber(&a)
			}
			want.Add(want, new(big.Rat).Mul(rational(text), new(big.Rat).SetInt64(times)))
		}
		if got := sum.over(bigOne); got.Cmp(want) != 0 {
			t.Fatalf("seed %d: got %s, want %s", seed, got, want)
		}
	}
	for _, text := range []string{"1e1001", "1e-1002", "1e999999999999"} {
		if _, ok := readNumber(text); ok {
			t.Errorf("%s was read", text)
		}
	}
}

func TestSumsGoBeyondAMachineWord(t *testing.T) {
	var sum bigSum
	want := new(big.Int)
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		n := r.Int64() - r.Int64()
		sum.add(n)
		want.Add(want, big.NewInt(n))
		if r.IntN(50) == 0 && sum.whole().Cmp(want) != 0 {
			t.Fatalf("got %s, want %s", sum.whole(), want)
		}
	}
	sum.add(math.MinInt64)
	sum.add(math.MinInt64)
	want.Sub(want, new(big.Int).Lsh(bigOne, 64))
	if sum.whole().Cmp(want) != 0 {
		t.Fatalf("got %s, want %s", sum.whole(), want)
	}
}

func TestEqualNumbersAreSpeltAlike(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0.0": "0", "1.0": "1", "10e-1": "1", "-1.50": "-1.5", "1e20": "100000000000000000000", "1e21": "1e21", "12e20": "1.2e21",
		"0.000001": "0.000001", "1e-7": "1e-7", "-12.5e-8": "-1.25e-7", "123.456": "123.456", "1200": "1200",
	} {
		var d decimal
		d.read(text)
		if got := string(d.appendText(nil)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// big is f as a whole number.
func (f fixed) big() *big.Int {
	n := new(big.Int)
	f.into(n)
	return n
}

// A third of a number is in the middle between two that can be shown, and a third of shareUnit a little less than
// that.
func TestCreditsInTheMiddleAreRoundedToEven(t *testing.T) {
	third := new(big.Int).Quo(shareUnit(), big.NewInt(3))
	for text, want := range map[string]string{
		"0.0000015": "0", "0.0000045": "0.000002", "-0.0000045": "-0.000002", "0.0000044": "0.000001", "9007199254740993.0000045": "3002399751580331.000002",
	} {
		n, ok := readNumber(text)
		if !ok {
			t.Fatalf("%s can't be read", text)
		}
		whole := exactSum{}
		whole.addNumber(&n)
		s := &modelSum{den: shareUnit(), groups: make([]cell, 1), valued: true, near: true}
		s.groups[0].value.add(&whole, third)
		if got := s.of(0).value.shown(digitsCredit).text; got != want {
			t.Errorf("a third of %s: got %s, want %s", text, got, want)
		}
	}
}
