package query

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"millimetric/index/event"
)

// As many groups as are asked for come first, as if all had been sorted; and none is lost.
func TestTheFirstGroupsAreThoseOfAllInOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		g := newGroups([]event.Column{event.ColumnPath})
		totals := make([]amount, r.IntN(200))
		for i := range totals {
			g.enter(0, strconv.Itoa(r.IntN(1<<30))+"/"+strconv.Itoa(i))
			totals[i] = countAmount(int64(r.IntN(1 + r.IntN(40))))
			totals[i].null = r.IntN(20) == 0
		}
		g.met = len(totals)
		want := make([]uint32, len(totals))
		for i := range want {
			want[i] = uint32(i)
		}
		slices.SortFunc(want, func(a, b uint32) int {
			return cmp.Or(totals[b].compare(totals[a]), cmp.Compare(g.values[0].list[a], g.values[0].list[b]))
		})
		first := r.IntN(1 + 2*len(totals))
		got := g.ranked(first, func(group uint32) amount { return totals[group] })
		var numbers []uint32
		for i := range got {
			numbers = append(numbers, got[i].number)
			if i < first && (got[i].number != want[i] || !slices.Equal(got[i].values, g.valuesOf(want[i]))) {
				t.Fatalf("seed %d: %d of %d groups: place %d has %v, want %d", seed, first, len(totals), i, got[i], want[i])
			}
		}
		slices.Sort(numbers)
		slices.Sort(want)
		if !slices.Equal(numbers, want) {
			t.Fatalf("seed %d: of %d groups these came back: %v", seed, len(totals), numbers)
		}
	}
}
