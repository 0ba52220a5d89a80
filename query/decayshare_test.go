package query

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// edgy is a random word, often one at whose bits carries begin.
func edgy(r *rand.Rand) uint64 {
	if r.IntN(3) == 0 {
		return []uint64{0, 1, 1 << 63, math.MaxUint64, math.MaxUint64 - 1, 1<<63 - 1}[r.IntN(6)]
	}
	return r.Uint64()
}

// Parts against whole numbers of any size, those in the middle between two among them.
func TestPartsAreTheNearestOnes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for n := range 100_000 {
		whole := fixed{edgy(r), edgy(r), edgy(r), edgy(r) | 1<<r.IntN(64)}
		f := fixed{edgy(r), edgy(r), edgy(r), edgy(r)}
		switch n % 4 {
		case 0: // equal first words
			f[3] = whole[3]
		case 1: // halves, thirds and the like of a power of two, which lie in the middle or near
			whole = fixed{3: 1 << (32 + r.IntN(32))}
			f = fixed{1 << r.IntN(64) * uint64(r.IntN(4)), 0, 0, whole[3] >> (1 + r.IntN(5))}
		}
		// The nearest part must not be the whole.
		limit := new(big.Int).Sub(whole.big(), new(big.Int).Rsh(whole.big(), 31))
		if f.big().Cmp(limit) > 0 {
			f = fixedOf(new(big.Int).Mod(f.big(), limit))
		}
		want := new(big.Int).Lsh(f.big(), shareBits+1)
		want.Add(want.Quo(want, whole.big()), bigOne)
		want.Rsh(want, 1)
		one, got := portion{}, new(big.Int)
		f.partOf(&whole, &one)
		if one.into(got); got.Cmp(want) != 0 {
			t.Fatalf("seed %d: the part of %v in %v is %v, want %v", seed, f, whole, got, want)
		}
	}
}

// Sums in words against sums of any size.
func TestSharesAddUpInWords(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var sum shareSum
		want := new(big.Int)
		for range r.IntN(100) {
			one, times := portion{edgy(r), edgy(r), edgy(r)}, int64(edgy(r))
			sum.add(&one, times)
			n := new(big.Int)
			one.into(n)
			want.Add(want, n.Mul(n, big.NewInt(times)))
		}
		if got := sum.big(); got.Cmp(want) != 0 {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
	}
}
