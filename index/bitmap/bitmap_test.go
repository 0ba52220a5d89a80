package bitmap

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/event"
)

func randomNumbers(r *rand.Rand) []uint32 {
	seen := map[uint32]bool{}
	limit := uint32(1) << (1 + r.IntN(24))
	for range r.IntN(3000) {
		start, length := r.Uint32N(limit), uint32(1)
		if r.IntN(50) == 0 {
			length = 1 + r.Uint32N(300)
		}
		for n := start; n < min(start+length, limit); n++ {
			seen[n] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// The slow twin of a set is a sorted slice.
func TestSetsAreWhatSlicesAre(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, b := randomNumbers(r), randomNumbers(r)
		s, u := Of(a), Of(b)
		inB := func(n uint32) bool { _, ok := slices.BinarySearch(b, n); return ok }
		and := slices.DeleteFunc(slices.Clone(a), func(n uint32) bool { return !inB(n) })
		without := slices.DeleteFunc(slices.Clone(a), inB)
		or := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(a), b...))))
		for name, c := range map[string]struct {
			got  Set
			want []uint32
		}{
			"itself": {s, a}, "and": {s.And(u), and}, "without": {s.Without(u), without}, "or": {s.Or(u), or},
			"any": {Any(s, u, Set{}), or}, "not not": {s.Not(1 << 25).Not(1 << 25), a}, "and nothing": {s.And(Set{}), nil},
		} {
			if !slices.Equal(c.got.Numbers(), c.want) || c.got.Count() != len(c.want) {
				t.Fatalf("seed %d: %s has %d numbers, want %d", seed, name, c.got.Count(), len(c.want))
			}
		}
		if s.CountBoth(u) != len(and) {
			t.Fatalf("seed %d: both: %d", seed, s.CountBoth(u))
		}
		checkOrder(t, seed, s, a, r.Uint32N(1<<24))
	}
}

func checkOrder(t *testing.T, seed uint64, s Set, numbers []uint32, from uint32) {
	t.Helper()
	rank, has := slices.BinarySearch(numbers, from)
	if s.Rank(from) != rank || s.Has(from) != has {
		t.Fatalf("seed %d: rank of %d is %d, want %d", seed, from, s.Rank(from), rank)
	}
	to, _ := slices.BinarySearch(numbers, from+5000)
	if got := s.Between(nil, from, from+5000); !slices.Equal(got, numbers[rank:to]) {
		t.Fatalf("seed %d: %d numbers from %d, want %d", seed, len(got), from, to-rank)
	}
	var walked []uint32
	s.Each(func(n uint32) bool { walked = append(walked, n); return len(walked) < 10 })
	if !slices.Equal(walked, numbers[:min(10, len(numbers))]) {
		t.Fatalf("seed %d: walked %v", seed, walked)
	}
}

func TestSetsSurviveBeingBytes(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		numbers := randomNumbers(r)
		s := Of(numbers)
		src := s.Append([]byte("before"))[len("before"):]
		if len(src) != s.Bytes() {
			t.Fatalf("seed %d: %d bytes, said %d", seed, len(src), s.Bytes())
		}
		got, err := Parse(src, 1<<25)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		clear(src) // the set must not alias what it was read from
		if !got.Equal(s) || !slices.Equal(got.Numbers(), numbers) {
			t.Fatalf("seed %d: changed", seed)
		}
		if len(numbers) == 0 {
			continue
		}
		if _, err := Parse(s.Append(nil), uint64(numbers[len(numbers)-1])); !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("seed %d: a number at the limit was taken: %v", seed, err)
		}
		if _, err := Parse(append(s.Append(nil), 0), 1<<25); !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("seed %d: a byte too much was taken: %v", seed, err)
		}
	}
}

func TestNumbersThatDontRisePanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the set took them")
		}
	}()
	Of([]uint32{1, 3, 3})
}

func FuzzParseNeverPanics(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 3))
	f.Add(Of(nil).Append(nil))
	f.Add(Of([]uint32{1, 2, 3, 70000}).Append(nil))
	f.Add(Of(randomNumbers(r)).Append(nil))
	f.Add(Below(100000).Append(nil))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := Parse(src, 1<<30)
		if err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		numbers := s.Numbers()
		if !slices.IsSorted(numbers) || len(numbers) != s.Count() {
			t.Fatalf("%d numbers, count %d", len(numbers), s.Count())
		}
		if _, err := Parse(Of(numbers).Append(nil), 1<<30); err != nil {
			t.Fatal(err)
		}
	})
}
