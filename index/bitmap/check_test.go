package bitmap

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
)

// slowCheck is the slow twin of check: roaring's own reader and validation.
func slowCheck(src []byte) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("panicked")
		}
	}()
	bits := roaring.New()
	if n, err := bits.ReadFrom(bytes.NewReader(src)); err != nil || n != int64(len(src)) {
		return errShort
	}
	return bits.Validate()
}

func TestChecksAgreeAboutBrokenSets(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 4))
	broken := 0
	for range 3000 {
		src := Of(randomNumbers(r)).Append(nil)
		for range r.IntN(3) {
			src[r.IntN(min(len(src), 1+r.IntN(len(src))))] ^= 1 << r.IntN(8)
		}
		if r.IntN(20) == 0 {
			src = src[:r.IntN(len(src)+1)]
		}
		got, want := check(src), slowCheck(src)
		if (got == nil) != (want == nil) {
			t.Fatalf("seed %d: %v, roaring says %v: %x", seed, got, want, src)
		}
		if got != nil {
			broken++
		}
	}
	if broken < 300 || broken > 2700 {
		t.Errorf("seed %d: %d of 3000 sets are broken", seed, broken)
	}
}

func BenchmarkParseRuns(b *testing.B) {
	var numbers []uint32
	for n := range uint32(1 << 20) {
		if n%50 != 49 {
			numbers = append(numbers, n)
		}
	}
	src := Of(numbers).Append(nil)
	for b.Loop() {
		if _, err := Parse(src, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(numbers)), "ns/number")
}
