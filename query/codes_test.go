package query

import "testing"

// Whoever comes in two segments, or in one whose rows are walked, isn't in one alone.
func TestVisitorsOfSeveralSegmentsAreTold(t *testing.T) {
	pairs := &codePairs{}
	b := &block{first: blockVisitors, walkers: []*walker{
		{ordinals: []uint32{1, blockVisitors + 1, blockVisitors + 2, blockVisitors + 70}, pairs: pairs, from: 1, run: 4},
		{ordinals: []uint32{blockVisitors + 2, blockVisitors + 3, 2*blockVisitors + 1}, pairs: pairs, run: 2},
		{ordinals: []uint32{blockVisitors + 70, blockVisitors + 71}, run: 2},
	}}
	several := b.inSeveral()
	for visitor := range uint32(blockVisitors) {
		want := visitor == 2 || visitor == 70 || visitor == 71
		if several.has(visitor) != want {
			t.Errorf("visitor %d: %v", visitor, !want)
		}
	}
}
