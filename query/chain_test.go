package query

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"millimetric/index/event"
)

// manyGroups makes a grouping by path with n groups in it.
func manyGroups(n int) *grouping {
	g := newGrouping([]Dimension{{Name: "path", Column: event.ColumnPath}})
	for i := range n {
		g.number(g.fields.number(liveRow(&event.Event{Path: fmt.Sprintf("/%03d", i)}, 0)), "", "")
	}
	return g
}

func TestDataDrivenIsRefusedBeyondItsLimit(t *testing.T) {
	c := newChain()
	for group := range uint32(statesMax + 1) {
		c.add([]actorTouch{{touch: touch{group: group}}}, 1, true)
	}
	var e *event.Error
	if _, err := c.shares(manyGroups(statesMax + 1)); !errors.As(err, &e) || e.Code != codeTooLarge {
		t.Errorf("got %v", err)
	}
}

// The same paths under other numbers must give the same shares, to the last bit.
func TestDataDrivenDoesNotShowTheOrderInWhichGroupsWereMet(t *testing.T) {
	const n = 40
	groups := manyGroups(n)
	r := rand.New(rand.NewPCG(1, 2))
	var paths [][]uint32
	for range 500 {
		path := make([]uint32, 1+r.IntN(6))
		for i := range path {
			path[i] = uint32(float64(n) * r.Float64() * r.Float64())
		}
		paths = append(paths, path)
	}
	shares := func(number func(uint32) uint32) map[uint32]*big.Int {
		c := newChain()
		for i, path := range paths {
			touches := make([]actorTouch, len(path))
			for k, group := range path {
				touches[k].group = number(group)
			}
			c.add(touches, int64(1+i%3), i%4 == 0)
		}
		got, err := c.shares(renumbered(groups, number))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	order := r.Perm(n)
	want := shares(func(g uint32) uint32 { return g })
	got := shares(func(g uint32) uint32 { return uint32(order[g]) })
	sum := new(big.Int)
	for group, share := range want {
		sum.Add(sum, share)
		if other := got[uint32(order[group])]; other == nil || other.Cmp(share) != 0 {
			t.Errorf("group %d gets %v and %v", group, share, other)
		}
	}
	if sum.Cmp(shareUnit()) != 0 {
		t.Errorf("shares add up to %v", sum)
	}
}

func renumbered(g *grouping, number func(uint32) uint32) *grouping {
	list := make([]wholeGroup, len(g.whole.list))
	for i, w := range g.whole.list {
		list[number(uint32(i))] = w
	}
	return &grouping{dims: g.dims, fields: g.fields, whole: &numbering[wholeGroup]{list: list}}
}

func BenchmarkDataDrivenAtItsLimit(b *testing.B) {
	groups := manyGroups(statesMax)
	c := newChain()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		touches := make([]actorTouch, 5)
		for k := range touches {
			touches[k].group = uint32(r.IntN(statesMax))
		}
		c.add(touches, 1, i%4 == 0)
	}
	for b.Loop() {
		if _, err := c.shares(groups); err != nil {
			b.Fatal(err)
		}
	}
}
