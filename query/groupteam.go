package query

import (
	"maps"
	"slices"
)

// How several workers number groups: each one those that it meets, beginning with those that were known before.

// forHelper returns a numbering in which what is numbered so far has the same numbers. Readers of columns may
// remember what they have read last, so the helper has its own.
func (n *numbering[K]) forHelper() *numbering[K] {
	n.index()
	return &numbering[K]{of: maps.Clone(n.of), list: slices.Clone(n.list)}
}

// forReading returns the columns of groups of stats as a helper reads them.
func (g *groups) forReading() []groupColumn {
	columns := make([]groupColumn, len(g.columns))
	for i := range g.columns {
		columns[i] = newGroupColumn(g.columns[i].name)
	}
	return columns
}

// forHelper returns groups by the same columns, as a helper reads them, with the same numbers so far.
func (g *groups) forHelper(columns []groupColumn) *groups {
	own := newGroupsOf(columns)
	own.heavy, own.met = g.heavy, g.met
	for i, values := range g.values {
		own.values[i] = values.forHelper()
	}
	for i, pairs := range g.pairs {
		own.pairs[i] = &pairNumbers{numbering: pairs.numbering.forHelper()}
	}
	return own
}

// join numbers the groups of a helper, too, and returns their numbers here by their numbers there.
func (g *groups) join(o *groups) []uint32 {
	numbers := []uint32{0} // of all, without columns
	for i, values := range o.values {
		own := make([]uint32, len(values.list))
		for number, value := range values.list {
			if ours := g.values[i].list; number < len(ours) && ours[number] == value { // it began with that
				own[number] = uint32(number)
				continue
			}
			own[number] = g.enter(i, value)
		}
		if i == 0 {
			numbers = own
			continue
		}
		numbers = g.pairs[i-1].join(o.pairs[i-1], numbers, own)
	}
	if o.met > 0 {
		g.met = max(g.met, int(slices.Max(numbers[:o.met]))+1)
	}
	return numbers
}

// join numbers the pairs of a helper, too, whose parts have other numbers here, and returns their numbers here by
// their numbers there.
func (n *pairNumbers) join(o *pairNumbers, high, low []uint32) []uint32 {
	numbers := make([]uint32, len(o.list))
	for number, key := range o.list {
		h, l := unpair(key)
		numbers[number] = n.number(high[h], low[l])
	}
	return numbers
}
