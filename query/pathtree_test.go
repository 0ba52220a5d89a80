package query

import (
	"math/rand/v2"
	"testing"
)

// Where there are too many pairs of places and nodes for a word each, branches are found in a map.
func TestBranchesAreFoundInTableAndMap(t *testing.T) {
	for _, width := range []int{1_000, pathsDenseMost} {
		b := &pathBelow{}
		b.begin(7, 3, width)
		if (b.dense != nil) != (3*width <= pathsDenseMost) {
			t.Fatalf("%d nodes: a table of %d words", width, len(b.dense))
		}
		came := map[uint64]uint32{}
		r := rand.New(rand.NewPCG(1, 2))
		for range 20_000 {
			place, node := uint32(7+r.IntN(3)), uint32(r.IntN(1_000))
			b.at(place, node).came[0].come(1)
			came[pair(place, node)]++
		}
		if len(b.list) != len(came) {
			t.Errorf("%d nodes: %d branches, not %d", width, len(b.list), len(came))
		}
		for i := range b.list {
			if own := &b.list[i]; own.came[0].count != came[pair(own.parent, own.node)] {
				t.Errorf("%d nodes: branch %d of %d: %d came", width, own.node, own.parent, own.came[0].count)
			}
		}
	}
}
