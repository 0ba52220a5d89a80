package query

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millimetric/index/event"
)

// What is added up from path to path must be what each path comes to by itself, to the last bit.
func TestPathsAddUpAsIfEachWereAlone(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		half := time.Duration(1+r.IntN(4_000)) * time.Second
		shape, running, alone := &pathShape{}, newDecay(half), newDecay(half)
		for range 40 {
			touches := randomTouches(r)
			shape.begin()
			running.begin(len(touches))
			for from, to := 0, 0; to < len(touches); {
				to = min(to+r.IntN(4), len(touches))
				from = min(from+r.IntN(4), to)
				p := &path{}
				p.begin(touches, from, to)
				if from == to {
					continue
				}
				shape.turn(p)
				groups := checkShape(t, seed, shape, p)
				if r.IntN(4) == 0 {
					continue // as of a path with one group
				}
				newest := touches[to-1].group
				got := slices.Clone(running.shares(p, groups, newest))
				alone.begin(len(touches))
				if want := alone.shares(p, groups, newest); !slices.Equal(got, want) {
					t.Fatalf("seed %d: touches from %d to %d of %d: shares %v, alone %v", seed, from, to, len(touches), got, want)
				}
			}
		}
	}
}

// checkShape counts the groups of a path once more, and returns them.
func checkShape(t *testing.T, seed uint64, shape *pathShape, p *path) []uint32 {
	t.Helper()
	want := map[uint32]int64{}
	for i := range p.touches {
		want[p.touches[i].group]++
	}
	if len(shape.present) != len(want) {
		t.Fatalf("seed %d: groups %v are present, not those of %v", seed, shape.present, want)
	}
	for group, count := range shape.counts {
		if count != want[uint32(group)] || count > 0 != slices.Contains(shape.present, uint32(group)) {
			t.Fatalf("seed %d: group %d counts %d, present are %v; want %v", seed, group, count, shape.present, want)
		}
	}
	return shape.present
}

// randomTouches are of some groups, at times that are a moment or many half-lives apart.
func randomTouches(r *rand.Rand) []actorTouch {
	touches, at := make([]actorTouch, 1+r.IntN(30)), event.Time(1_700_000_000_000)
	for i := range touches {
		at += event.Time(r.Int64N([]int64{2, 100_000, 10_000_000, 3_000_000_000}[r.IntN(4)]))
		touches[i] = actorTouch{touch: touch{at: place{time: at}, group: uint32(r.IntN(5))}}
	}
	return touches
}
