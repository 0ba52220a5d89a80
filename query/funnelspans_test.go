package query

import (
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
		for range r.IntN(3 * spansAtOnce) {
			p.groups = append(p.groups, uint32(r.IntN(3)))
			spans := []int64{0}
			for range depth - 1 {
				spans = append(spans, min(r.Int64N(bound+1), r.Int64N(bound+1)))
			}
			slices.Sort(spans)
			for _, s := range spans {
				p.times = append(p.times, event.Time(s+1_000_000))
			}
		}
		parts = append(parts, p)
	}
	return parts
}

func TestSpansOfManyAreReckonedAsThoseOfFew(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	for range 60 {
		bound := []int64{1, 4095, 4096, 7 * 24 * 3600_000, 10 * 365 * 24 * 3600_000}[r.IntN(5)]
		crowds := []crowd{{}, {}, {}, {}} // of all, and of each group
		for _, p := range randomCrowd(r, bound) {
			crowds[3].beyond = append(crowds[3].beyond, someReached{depthReached: p, all: true})
			p.byGroup(3, func(group int, some someReached) { crowds[group].beyond = append(crowds[group].beyond, some) })
		}
		for _, steps := range [][2]int{{0, 1}, {0, 3}, {2, 3}} {
			sums := make([]int64, 4)
			for i := range crowds {
				var all []int64
				crowds[i].eachSpan(steps[0], steps[1], func(spans []int64) { all = append(all, spans...) })
				if len(all) == 0 {
					continue
				}
				median, p90, sum := crowds[i].manyRanks(steps[0], steps[1], len(all))
				fewMedian, fewP90, fewSum := crowds[i].fewRanks(steps[0], steps[1], len(all))
				slices.Sort(all)
				if want := all[nearestRank(len(all), 50)]; median != want || fewMedian != want {
					t.Fatalf("seed %d: medians %d and %d, not %d", seed, median, fewMedian, want)
				}
				if want := all[nearestRank(len(all), 90)]; p90 != want || fewP90 != want || sum != fewSum {
					t.Fatalf("seed %d: percentiles %d and %d, not %d; sums %d and %d", seed, p90, fewP90, want, sum, fewSum)
				}
				sums[i] = sum
			}
			if sums[0]+sums[1]+sums[2] != sums[3] {
				t.Fatalf("seed %d: groups take %v", seed, sums)
			}
		}
	}
}
