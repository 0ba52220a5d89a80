package query

import (
	"math/rand/v2"
	"testing"

	"millimetric/index/event"
)

// Whoever comes in two segments, or in one whose rows are walked, isn't in one alone.
func TestVisitorsOfSeveralSegmentsAreTold(t *testing.T) {
	pairs := &codePairs{}
	b := &block{first: blockVisitors, walkers: []*walker{
		{ordinals: []uint32{1, blockVisitors + 1, blockVisitors + 2, blockVisitors + 70}, pairs: pairs, from: 1, run: 4},
		{ordinals: []uint32{blockVisitors + 2, blockVisitors + 3, 2*blockVisitors + 1}, pairs: pairs, run: 2},
		{ordinals: []uint32{blockVisitors + 70, blockVisitors + 71}, run: 2},
	}}
	var runs pairRuns
	for range 2 { // nothing is left of a block before
		runs.begin(b)
		for visitor := range uint32(blockVisitors) {
			several, loose := visitor == 2 || visitor == 70 || visitor == 71, visitor == 70 || visitor == 71
			if runs.several.has(visitor) != several || runs.loose.has(visitor) != loose {
				t.Errorf("visitor %d: %v, %v", visitor, !several, !loose)
			}
		}
	}
}

// Each visitor counts once in a group, whichever segments have him there, and whether he was met in it live.
func TestVisitorsOfSeveralSegmentsCountOnceInAGroup(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	const groups, codes = 50, 80
	c := &counter{groups: newGroups([]event.Column{event.ColumnPath}), uniques: newTally(false)}
	c.groups.met = groups
	b := &block{first: 3 * blockVisitors}
	met := map[uint64]struct{}{}
	for range 6 {
		w := &walker{pairs: &codePairs{}, groups: make([]uint32, codes)}
		for code, group := range random.Perm(codes) {
			if group <= groups { // codes of no group, too
				w.groups[code] = uint32(group)
			}
		}
		for visitor := range uint32(200) {
			if random.IntN(3) > 0 {
				continue
			}
			w.ordinals = append(w.ordinals, b.first+visitor)
			for _, code := range random.Perm(codes)[:random.IntN(8)] {
				w.pairs.codes = append(w.pairs.codes, uint32(code))
				if group := w.groups[code]; group != 0 {
					met[pair(group-1, visitor)] = struct{}{}
				}
			}
			w.pairs.ends = append(w.pairs.ends, uint32(len(w.pairs.codes)))
		}
		w.run = len(w.ordinals)
		b.walkers = append(b.walkers, w)
	}
	for range 40 {
		visitor, group := random.Uint32N(250), random.Uint32N(groups)
		c.waits.add(b.first+visitor, liveCell{group: group})
		met[pair(group, visitor)] = struct{}{}
	}
	c.begin(b)
	for _, w := range b.walkers {
		c.takePairs(b, w)
	}
	if err := c.end(b); err != nil {
		t.Fatal(err)
	}
	want := make([]int64, groups)
	for both := range met {
		group, _ := unpair(both)
		want[group]++
	}
	for group := range want {
		if got := c.uniques.of(uint32(group)); got != want[group] {
			t.Errorf("seed %d: group %d has %d visitors, not %d", seed, group, got, want[group])
		}
	}
}
