package query

import "slices"

// group is a group that an answer may show.
type group struct {
	number uint32
	total  amount
	values []string // nil before they are asked for
}

// ranked returns all groups, so many of them in order: those with the greatest totals first, equal ones by their values.
// The others follow in no order, and some without values: a page shows a hundred of what may be a hundred thousand.
func (g *groups) ranked(first int, total func(group uint32) amount) []group {
	all := make([]group, g.met)
	for i := range all {
		all[i] = group{number: uint32(i), total: total(uint32(i))}
	}
	first = min(first, len(all))
	g.choose(all, first)
	for i := range all[:first] {
		g.fill(&all[i])
	}
	slices.SortFunc(all[:first], func(a, b group) int { return g.rank(&a, &b) })
	return all
}

// choose brings those that rank first to the front. There they are a heap, with the last of them on top, while the
// others are held against that.
func (g *groups) choose(all []group, first int) {
	if first == 0 || first == len(all) {
		return
	}
	top := all[:first]
	for i := first/2 - 1; i >= 0; i-- {
		g.sink(top, i)
	}
	for i := first; i < len(all); i++ {
		if g.rank(&all[i], &top[0]) < 0 {
			all[i], top[0] = top[0], all[i]
			g.sink(top, 0)
		}
	}
}

// sink moves a group down the heap until none below it ranks later.
func (g *groups) sink(heap []group, i int) {
	for {
		last := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			if g.rank(&heap[child], &heap[last]) > 0 {
				last = child
			}
		}
		if last == i {
			return
		}
		heap[i], heap[last] = heap[last], heap[i]
		i = last
	}
}

// rank orders groups as an answer does. Texts are seldom needed.
func (g *groups) rank(a, b *group) int {
	if order := b.total.compare(a.total); order != 0 {
		return order
	}
	g.fill(a)
	g.fill(b)
	return g.compare(a.values, b.values)
}

func (g *groups) fill(a *group) {
	if a.values == nil {
		a.values = g.valuesOf(a.number)
	}
}
