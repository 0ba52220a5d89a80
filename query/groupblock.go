package query

import "slices"

// pairNumbers numbers pairs of dense numbers. It remembers those that it met of late: what is met again and
// again stays among them.
type pairNumbers struct {
	*numbering[uint64]
	recent []recentPair
}

type recentPair struct {
	pair   uint64 // plus one, 0 before the first
	number uint32
}

const (
	recentBits  = 12
	recentPairs = 1 << recentBits
)

func newPairNumbers() *pairNumbers { return &pairNumbers{numbering: newNumbering[uint64]()} }

func (n *pairNumbers) number(high, low uint32) uint32 {
	if n.recent == nil {
		n.recent = make([]recentPair, recentPairs)
	}
	key := pair(high, low)
	recent := &n.recent[(high*0x9e3779b1^low*0x85ebca6b)>>(32-recentBits)]
	if recent.pair != key+1 {
		recent.pair, recent.number = key+1, n.numbering.number(key)
	}
	return recent.number
}

// numbersOf returns the groups of rows of a view, in memory that is used again. Where all columns have
// codes, no row's texts are looked at.
func (g *groups) numbersOf(v *view, chosen []int32, numbers []uint32) []uint32 {
	numbers = slices.Grow(numbers[:0], len(chosen))[:len(chosen)]
	if len(chosen) == 0 {
		return numbers
	}
	if slices.ContainsFunc(g.columns, func(c groupColumn) bool { return c.coded == noColumn }) {
		g.numbersByRow(v, chosen, numbers)
		return numbers
	}
	if len(g.columns) > 1 && !slices.ContainsFunc(g.columns, func(c groupColumn) bool { return c.coded < colSource }) {
		g.numbersByTouch(v, chosen, numbers)
		return numbers
	}
	clear(numbers)
	for i := range g.columns {
		c := g.columns[i].coded
		codes := v.codesOf(c)
		known := g.known(i, v.sealed)
		for k, at := range chosen {
			number := known[codes[at]]
			if number == 0 {
				row := scanRow{view: v, at: int(at)}
				number = g.enter(i, g.columns[i].read(&row)) + 1
				known[codes[at]] = number
			}
			if i == 0 {
				numbers[k] = number - 1
			} else {
				numbers[k] = g.pairs[i-1].number(numbers[k], number-1)
			}
		}
	}
	g.met = max(g.met, int(slices.Max(numbers))+1)
	return numbers
}

// numbersByTouch does so where all columns say where a visit came from: their code in common tells.
func (g *groups) numbersByTouch(v *view, chosen []int32, numbers []uint32) {
	touches := v.touchesOf()
	known, found := g.byTouch.turn(v.sealed)
	if !found && v.err == nil {
		table, err := v.sealed.table(colSource)
		if err != nil {
			v.fail(err)
		}
		*known = make([]uint32, len(table))
		g.remembered += len(table)
	}
	if v.err != nil {
		clear(numbers)
		return
	}
	for k, at := range chosen {
		number := (*known)[touches[at]]
		if number == 0 {
			row := scanRow{view: v, at: int(at)}
			number = g.number(&row) + 1
			(*known)[touches[at]] = number
		}
		numbers[k] = number - 1
	}
}

// numbersByRow does so for rows that need more than codes.
func (g *groups) numbersByRow(v *view, chosen []int32, numbers []uint32) {
	times := v.timesOf()
	row := scanRow{view: v}
	for k, at := range chosen {
		row.at, row.time, row.visitor = int(at), times[at], v.come(int(at))
		numbers[k] = g.number(&row)
	}
}
