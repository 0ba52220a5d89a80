package query

import (
	"slices"

	"millimetric/index/event"
)

// numbering gives dense numbers, from 0 on, to what it meets.
type numbering[K comparable] struct {
	of   map[K]uint32 // it may lack the last of the list: see once
	list []K
}

func newNumbering[K comparable]() *numbering[K] {
	return &numbering[K]{of: map[K]uint32{}}
}

func (n *numbering[K]) number(k K) uint32 {
	if len(n.of) < len(n.list) {
		n.index()
	}
	id, ok := n.of[k]
	if !ok {
		id = uint32(len(n.list))
		n.of[k] = id
		n.list = append(n.list, k)
	}
	return id
}

// once is number for what comes here once at most since index was called. It takes half the time, as long as nobody asks
// for numbers otherwise.
func (n *numbering[K]) once(k K) uint32 {
	if id, ok := n.of[k]; ok {
		return id
	}
	n.list = append(n.list, k)
	return uint32(len(n.list) - 1)
}

// index sees to it that all of the list is looked up.
func (n *numbering[K]) index() {
	if len(n.of) == len(n.list) {
		return
	}
	n.of = make(map[K]uint32, len(n.list))
	for id, k := range n.list {
		n.of[k] = uint32(id)
	}
}

// pair is two dense numbers in one: maps of it are smaller and faster than maps of structs.
func pair(high, low uint32) uint64 { return uint64(high)<<32 | uint64(low) }

func unpair(p uint64) (high, low uint32) { return uint32(p >> 32), uint32(p) }

// groups gives dense numbers to the combinations of values of some columns. Every combination is a
// pair of the combination before its last column and that column's value, so that finding an
// event's group makes no garbage.
type groups struct {
	columns []groupColumn
	values  []*numbering[string]
	memos   []perSegment[[]uint32] // by column, by code: the number of the value, plus one
	byTouch perSegment[[]uint32]   // by touch: the number of the group, plus one
	pairs   []*pairNumbers         // pairs[i] joins columns 0..i with column i+1
	heavy   int                    // what the values' own text weighs, in entries of a table
	met     int                    // groups numbered so far

	remembered int // codes of segments whose numbers are kept
}

// codesPerEntry is how many remembered codes weigh as much as an entry of a table.
const codesPerEntry = 8

func newGroups(columns []event.Column) *groups {
	list := make([]groupColumn, len(columns))
	for i, column := range columns {
		list[i] = newGroupColumn(column)
	}
	return newGroupsOf(list)
}

// newGroupsOf groups by whatever the columns read from an event.
func newGroupsOf(columns []groupColumn) *groups {
	g := &groups{columns: columns}
	for i := range columns {
		g.values = append(g.values, newNumbering[string]())
		g.memos = append(g.memos, perSegment[[]uint32]{})
		if i > 0 {
			g.pairs = append(g.pairs, newPairNumbers())
		}
	}
	return g
}

// number returns the group of an event; without columns, all events are group 0.
func (g *groups) number(e *scanRow) uint32 {
	var id uint32
	for i := range g.columns {
		number := g.valueNumber(i, e)
		id = g.extend(i, id, number)
	}
	g.met = max(g.met, int(id)+1)
	return id
}

// extend returns the number of a value of a column together with those of the columns before, whose number is id.
func (g *groups) extend(i int, id, value uint32) uint32 {
	if i == 0 {
		return value
	}
	return g.pairs[i-1].number(id, value)
}

// valueNumber returns the number of the value that an event has in a column. In a segment each code is
// looked up once.
func (g *groups) valueNumber(i int, e *scanRow) uint32 {
	c := g.columns[i].coded
	if e.live != nil || c == noColumn {
		return g.enter(i, g.columns[i].read(e))
	}
	slot := &g.known(i, e.view.sealed)[e.code(c)]
	if *slot == 0 {
		*slot = g.enter(i, g.columns[i].read(e)) + 1
	}
	return *slot - 1
}

// numberOfTouch returns the group of what the columns from colSource on say together in a segment, by its
// code. There must be no other columns.
func (g *groups) numberOfTouch(s *sealed, touch uint32) (uint32, error) {
	var id uint32
	for i := range g.columns {
		c := g.columns[i].coded
		table, err := s.table(c)
		if err != nil {
			return 0, err
		}
		value, err := g.valueOfCode(i, s, table[touch])
		if err != nil {
			return 0, err
		}
		id = g.extend(i, id, value)
	}
	g.met = max(g.met, int(id)+1)
	return id, nil
}

// numberOfTexts returns the group of what the columns from colSource on say together. There must be no other columns.
func (g *groups) numberOfTexts(texts *touchTexts) uint32 {
	var id uint32
	for i := range g.columns {
		value := g.enter(i, texts[g.columns[i].coded-colSource])
		id = g.extend(i, id, value)
	}
	g.met = max(g.met, int(id)+1)
	return id
}

// numberOfCode returns the group of a code of the one column that there is, which must hold the values
// themselves.
func (g *groups) numberOfCode(s *sealed, code uint32) (uint32, error) {
	id, err := g.valueOfCode(0, s, code)
	g.met = max(g.met, int(id)+1)
	return id, err
}

// numberOnce returns the group of a text of the one column that there is, which must hold the values themselves. Whoever
// asks for one again knows its number.
func (g *groups) numberOnce(text string) uint32 {
	known := len(g.values[0].list)
	id := g.values[0].once(text)
	g.weigh(0, known)
	g.met = max(g.met, int(id)+1)
	return id
}

// valueOfCode returns the number of the value that a code of a column stands for.
func (g *groups) valueOfCode(i int, s *sealed, code uint32) (uint32, error) {
	slot := &g.known(i, s)[code]
	if *slot == 0 {
		text, err := s.column(g.columns[i].coded).at(code)
		if err != nil {
			return 0, err
		}
		*slot = g.enter(i, text) + 1
	}
	return *slot - 1, nil
}

// known returns the numbers of a column's values, plus one, by their codes in a segment; 0 is a number that
// isn't known yet.
func (g *groups) known(i int, s *sealed) []uint32 {
	numbers, found := g.memos[i].turn(s)
	if !found {
		*numbers = make([]uint32, s.column(g.columns[i].coded).dict.Len())
		g.remembered += len(*numbers)
	}
	return *numbers
}

// enter returns the number of a value of a column.
func (g *groups) enter(i int, value string) uint32 {
	values := g.values[i]
	known := len(values.list)
	number := values.number(value)
	g.weigh(i, known)
	return number
}

// weigh notes what a value of a column weighs, if there is one more than were known.
func (g *groups) weigh(i, known int) {
	if list := g.values[i].list; len(list) > known {
		g.heavy += len(list[known]) / wideWeight
	}
}

func (g *groups) size() int {
	n := g.heavy + g.remembered/codesPerEntry
	for _, v := range g.values {
		n += len(v.list)
	}
	for _, p := range g.pairs {
		n += len(p.list)
	}
	return n
}

// valuesOf returns the values of a group, one per column.
func (g *groups) valuesOf(group uint32) []string {
	values := make([]string, len(g.columns))
	for i := len(values) - 1; i > 0; i-- {
		var last uint32
		group, last = unpair(g.pairs[i-1].list[group])
		values[i] = g.values[i].list[last]
	}
	if len(values) > 0 {
		values[0] = g.values[0].list[group]
	}
	return values
}

// compare orders groups by their values, those that are missing last.
func (g *groups) compare(a, b []string) int {
	for i, column := range g.columns {
		if order := column.compare(a[i], b[i]); order != 0 {
			return order
		}
	}
	return 0
}

// show appends the values of a group to a row; a missing one is null.
func (g *groups) show(row []Value, values []string) []Value {
	for i, column := range g.columns {
		row = append(row, column.show(values[i]))
	}
	return row
}

// tally counts, per dense number, either every call or every distinct actor.
type tally struct {
	counts []int64
	seen   map[uint64]struct{} // nil where every call counts
}

func newTally(distinct bool) *tally {
	t := &tally{}
	if distinct {
		t.seen = map[uint64]struct{}{}
	}
	return t
}

func (t *tally) add(number, actor uint32) {
	if t.seen != nil {
		// A set that grew says that the actor is new here: one look-up instead of two.
		before := len(t.seen)
		t.seen[pair(number, actor)] = struct{}{}
		if len(t.seen) == before {
			return
		}
	}
	for int(number) >= len(t.counts) {
		t.counts = append(t.counts, 0)
	}
	t.counts[number]++
}

// bump counts one more of a number: a call, or an actor known to be a new one.
func (t *tally) bump(number uint32) { *at(&t.counts, number)++ }

// bumpAll counts one more for each of some numbers.
func (t *tally) bumpAll(numbers []uint32) {
	if len(numbers) == 0 {
		return
	}
	at(&t.counts, slices.Max(numbers))
	for _, n := range numbers {
		t.counts[n]++
	}
}

// of returns the count of a number, 0 for one that was never counted.
func (t *tally) of(number uint32) int64 {
	if int(number) >= len(t.counts) {
		return 0
	}
	return t.counts[number]
}

func (t *tally) size() int { return len(t.counts) + len(t.seen) }
