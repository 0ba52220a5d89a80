package query

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millimetric/index/event"
)

// randomCrowd is actors of three groups, who came up to four steps far within a bound.
func randomCrowd(r *rand.Rand, bound int64) (parts []*depthReached) {
	for depth := 2; depth <= 4; depth++ {
		p := &depthReached{depth: depth}
		for range r.IntN(2 * spansFew) {
			p.groups = append(p.groups, uint32(r.IntN(3)))
			spans := []int64{0}
			for range depth - 1 {
				spans = append(spans, min(r.Int64N(bound+1), r.Int64N(bound+1)))
			}
			slices.Sort(spans)
			times := make([]event.Time, len(spans))
			for i, s := range spans {
				times[i] = event.Time(s + 1_000_000)
			}
			p.add(times, bound > math.MaxUint32)
		}
		parts = append(parts, p)
	}
	return parts
}

func TestSpansOfManyAreReckonedAsThoseOfFew(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	for range 60 {
		bound := randomBound(r)
		spans := make([]int64, 1+r.IntN(3*spansFew))
		for i := range spans {
			spans[i] = min(r.Int64N(bound+1), r.Int64N(bound+1))
		}
		sameRanks(t, seed, spans)
		narrow := make([]uint32, len(spans))
		for i := range spans {
			narrow[i] = uint32(spans[i])
		}
		sameRanks(t, seed, narrow)
	}
}

func sameRanks[S someSpan](t *testing.T, seed uint64, spans []S) {
	t.Helper()
	median, p90 := manyRanks(slices.Clone(spans))
	fewMedian, fewP90 := fewRanks(slices.Clone(spans))
	slices.Sort(spans)
	if want := int64(spans[nearestRank(len(spans), 50)]); median != want || fewMedian != want {
		t.Fatalf("seed %d: medians %d and %d, not %d", seed, median, fewMedian, want)
	}
	if want := int64(spans[nearestRank(len(spans), 90)]); p90 != want || fewP90 != want {
		t.Fatalf("seed %d: percentiles %d and %d, not %d", seed, p90, fewP90, want)
	}
}

func randomBound(r *rand.Rand) int64 {
	return []int64{1, 4095, 4096, 7 * 24 * 3600_000, 10 * 365 * 24 * 3600_000}[r.IntN(5)]
}

func TestSpansOfEachGroupAreReckonedAsIfItWereAlone(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 3))
	for range 20 {
		bound := randomBound(r)
		f := &funnelResult{q: &Funnel{Steps: make([]FunnelStep, 4), Window: time.Duration(bound) * time.Millisecond}, ones: []int64{1, 2, 3}, others: randomCrowd(r, bound)}
		all, crowds := f.whole(), f.byGroup()
		crowds[0].add(&crowds[2]) // as of groups that an answer doesn't show
		if err := f.reckonSpans(&run{ctx: t.Context(), common: &Common{}}, &all, []*crowd{&crowds[1], &crowds[0]}); err != nil {
			t.Fatal(err)
		}
		for _, pair := range []stepPair{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {2, 3}} {
			for _, c := range []*crowd{&all, &crowds[0], &crowds[1]} {
				got := c.spans[pair.to].fromStart
				if pair.from != 0 {
					got = c.spans[pair.to].fromPrevious
				}
				if want := plainSpans(f, c, pair); got != want {
					t.Fatalf("seed %d: of groups %v, steps %v: %+v, not %+v", seed, c.groups, pair, got, want)
				}
			}
		}
	}
}

// plainSpans reckons the times between two steps one group after the other.
func plainSpans(f *funnelResult, c *crowd, pair stepPair) (s spanSums) {
	var all []int64
	for _, p := range f.others {
		for i, group := range p.groups {
			if p.depth <= pair.to || !slices.Contains(c.groups, group) {
				continue
			}
			since := func(step int) int64 { // the first
				if step == 0 {
					return 0
				}
				return p.since(i*(p.depth-1) + step - 1)
			}
			all = append(all, since(pair.to)-since(pair.from))
		}
	}
	if s.count = len(all); s.count == 0 {
		return s
	}
	slices.Sort(all)
	s.median, s.p90 = all[nearestRank(s.count, 50)], all[nearestRank(s.count, 90)]
	for _, span := range all {
		s.sum += span
	}
	return s
}

func TestEachSpanIsWithinTheBoundsOfItsPart(t *testing.T) {
	for _, span := range []int64{0, 1, 63, 64, 127, 128, 129, 255, 256, 4095, 4096, 1<<40 - 1, 1 << 40, 1<<62 + 12345, 1<<63 - 1} {
		from, width := partBounds(spanPart(span))
		if uint64(span) < from || uint64(span)-from >= width {
			t.Errorf("%d isn't among the %d from %d on", span, width, from)
		}
		if from > 0 && spanPart(int64(from-1)) != spanPart(span)-1 || spanPart(int64(from)) != spanPart(span) {
			t.Errorf("the part of %d doesn't begin with %d", span, from)
		}
	}
}
