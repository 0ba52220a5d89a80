package query

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMergedListsAreWhatAStableSortMakesOfThem(t *testing.T) {
	type pair struct{ key, list int }
	compare := func(a, b *pair) int { return cmp.Compare(a.key, b.key) }
	random := rand.New(rand.NewPCG(7, 7))
	for n := range 12 {
		var lists [][]pair
		var all []pair
		for number := range n {
			list := make([]pair, random.IntN(9))
			for i := range list {
				list[i] = pair{random.IntN(6), number}
			}
			slices.SortFunc(list, func(a, b pair) int { return compare(&a, &b) })
			lists, all = append(lists, list), append(all, list...)
		}
		slices.SortStableFunc(all, func(a, b pair) int { return compare(&a, &b) })
		before := slices.Clone(lists)
		if got := mergeSorted(lists, compare); !slices.Equal(got, all) {
			t.Errorf("%d lists: %v, want %v", n, got, all)
		}
		if !slices.EqualFunc(lists, before, func(a, b []pair) bool { return slices.Equal(a, b) }) {
			t.Errorf("%d lists are others after", n)
		}
	}
}

func TestWhoWaitsComesInOrderAndInTheOrderOfArrival(t *testing.T) {
	w := waiting[int]{}
	for i, visitor := range []uint32{5, 1, 5, 0, noOrdinal - 1, 1} {
		w.add(visitor, i)
	}
	if w.next() != 0 || w.most() != noOrdinal-1 {
		t.Errorf("from %d to %d", w.next(), w.most())
	}
	want := []waitingValue[int]{{0, 3}, {1, 1}, {1, 5}, {5, 0}, {5, 2}, {noOrdinal - 1, 4}}
	if !slices.Equal(w.list, want) {
		t.Errorf("%v, want %v", w.list, want)
	}
}
