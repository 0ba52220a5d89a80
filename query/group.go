package query

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

// numbering gives dense numbers, from 0 on, to what it meets.
type numbering[K comparable] struct {
	of   map[K]uint32
	list []K
}

func newNumbering[K comparable]() *numbering[K] {
	return &numbering[K]{of: map[K]uint32{}}
}

func (n *numbering[K]) number(k K) uint32 {
	id, ok := n.of[k]
	if !ok {
		id = uint32(len(n.list))
		n.of[k] = id
		n.list = append(n.list, k)
	}
	return id
}

// pair is two dense numbers in one: maps of it are smaller and faster than maps of structs.
func pair(high, low uint32) uint64 { return uint64(high)<<32 | uint64(low) }

func unpair(p uint64) (high, low uint32) { return uint32(p >> 32), uint32(p) }

// groups gives dense numbers to the combinations of values of some columns. Every combination is a
// pair of the combination before its last column and that column's value, so that finding an
// event's group makes no garbage.
type groups struct {
	read   []func(*event.Event) string
	values []*numbering[string]
	pairs  []*numbering[uint64] // pairs[i] joins columns 0..i with column i+1
}

func newGroups(columns []event.Column) *groups {
	var read []func(*event.Event) string
	for _, column := range columns {
		of, ok := textColumn(column)
		if !ok {
			panic("group by " + string(column) + ", which is no text column")
		}
		read = append(read, of)
	}
	return groupsOf(read)
}

// groupsOf numbers the combinations of what some functions read.
func groupsOf(read []func(*event.Event) string) *groups {
	g := &groups{read: read}
	for i := range read {
		g.values = append(g.values, newNumbering[string]())
		if i > 0 {
			g.pairs = append(g.pairs, newNumbering[uint64]())
		}
	}
	return g
}

// number returns the group of an event; without columns, all events are group 0.
func (g *groups) number(e *event.Event) uint32 {
	if len(g.read) == 0 {
		return 0
	}
	id := g.values[0].number(g.read[0](e))
	for i, p := range g.pairs {
		id = p.number(pair(id, g.values[i+1].number(g.read[i+1](e))))
	}
	return id
}

func (g *groups) size() int {
	n := 0
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
	values := make([]string, len(g.read))
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

// compareValues orders groups by their values, by bytes, with missing ones last.
func compareValues(a, b []string) int {
	return slices.CompareFunc(a, b, func(x, y string) int {
		if (x == "") != (y == "") {
			return cmp.Compare(len(y), len(x)) // the one that isn't empty first
		}
		return cmp.Compare(x, y)
	})
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

// of returns the count of a number, 0 for one that was never counted.
func (t *tally) of(number uint32) int64 {
	if int(number) >= len(t.counts) {
		return 0
	}
	return t.counts[number]
}

func (t *tally) size() int { return len(t.counts) + len(t.seen) }

// group is a group that an answer may show.
type group struct {
	number uint32
	total  int64
	values []string
}

// greatest returns the groups with the greatest totals, those first; equal ones by their values.
func (g *groups) greatest(totals []int64, limit int) []group {
	all := make([]group, len(totals))
	for i, total := range totals {
		all[i] = group{number: uint32(i), total: total, values: g.valuesOf(uint32(i))}
	}
	slices.SortFunc(all, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.total, a.total), compareValues(a.values, b.values))
	})
	return all[:min(limit, len(all))]
}
