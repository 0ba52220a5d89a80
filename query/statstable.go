package query

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

// gathered is what passes over the events have measured: one period, and with compare the previous
// one as a second, with the same groups.
type gathered struct {
	groups  *groups
	periods []*period
}

// period is what was measured of one range: per group over the whole range, and per cell, which is
// a pair of group and bucket. A distinct count over the range is no sum of those of its buckets, so
// the two are measured apart.
type period struct {
	from, to event.Time
	buckets  *calendar
	cells    *pairNumbers
	total    measure
	parts    measure
}

// gather measures the events of some groups, in groups by the columns; among is nil for all.
func (q *Stats) gather(r *run, columns []event.Column, among *remainder) (*gathered, error) {
	g := &gathered{groups: newGroups(columns)}
	ranges := [][2]event.Time{{q.From, q.To}}
	if q.Compare {
		from, to := q.Previous()
		ranges = append(ranges, [2]event.Time{from, to})
	}
	who, err := r.actors()
	if err != nil {
		return nil, err
	}
	size := func() int {
		n := g.groups.size() + who.size()
		for _, p := range g.periods {
			n += len(p.cells.list) + p.total.size() + p.parts.size()
		}
		return n
	}
	var s sample
	take := q.Metric.sampler(q.Property, who, &s)
	for _, span := range ranges {
		p := &period{
			from: span[0], to: span[1], buckets: newCalendar(q.Interval, q.Zone), cells: newPairNumbers(),
			total: q.Metric.measure(), parts: q.Metric.measure(),
		}
		g.periods = append(g.periods, p)
		if c := q.counter(g.groups, p, among); c != nil {
			if err := c.count(r, p.from, p.to, q.Matches, size); err != nil {
				return nil, err
			}
			continue
		}
		err := r.scanRange(p.from, p.to, q.Matches, size, func(e *scanRow) {
			if !take(e) || among != nil && !among.has(e) {
				return
			}
			group := g.groups.number(e)
			p.total.add(group, &s)
			if q.Interval != IntervalNone {
				p.parts.add(p.cells.number(group, p.buckets.number(e.time)), &s)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return g, nil
}

// counter counts what the question asks for by the thousand, nil where that needs each event alone:
// numbers in properties, or actors other than visitors.
func (q *Stats) counter(by *groups, p *period, among *remainder) *counter {
	c := &counter{groups: by, among: among}
	total, ok := p.total.(counting)
	switch {
	case !ok:
		return nil
	case q.Metric == MetricCount:
		c.events = total.tally
	case q.Actor == "" || q.Actor == ActorVisitor:
		c.uniques = total.tally
	default:
		return nil
	}
	if q.Interval != IntervalNone {
		c.buckets, c.cells, c.parts = p.buckets, p.cells, p.parts.(counting).tally
	}
	return c
}

// table makes the rows of the chosen groups: one each, or one for each bucket in which a group has
// a value, or with Fill one for each bucket.
func (q *Stats) table(g *gathered, chosen []group) (columns []string, rows [][]Value, err error) {
	if q.Interval != IntervalNone {
		columns = append(columns, "bucket")
	}
	for _, c := range g.groups.columns {
		columns = append(columns, string(c.name))
	}
	columns = append(columns, "value")
	if q.Compare {
		columns = append(columns, "previous")
	}
	if q.Interval != IntervalNone {
		rows, err = q.bucketRows(g, chosen)
		return columns, rows, err
	}
	for _, group := range chosen {
		row := append(g.groups.show(nil, group.values), group.total.value())
		if q.Compare {
			row = append(row, Object(Member{"value", g.periods[1].total.of(group.number).value()}))
		}
		rows = append(rows, row)
	}
	return columns, rows, nil
}

// part is a row to be: a chosen group in the bucket at one place in the order of its period. With
// compare, buckets of the two periods that stand at the same place stand in one row.
type part struct {
	place  int
	rank   int // of the group, by its values
	values [2]amount
}

// bucketRows makes rows by bucket, then by value, then by group.
func (q *Stats) bucketRows(g *gathered, chosen []group) ([][]Value, error) {
	chosen = slices.Clone(chosen)
	slices.SortFunc(chosen, func(a, b group) int { return g.groups.compare(a.values, b.values) })
	rank := make(map[uint32]int, len(chosen))
	for i, g := range chosen {
		rank[g.number] = i
	}
	orders := make([]bucketOrder, len(g.periods))
	for i, p := range g.periods {
		order, ok := p.order(q.Fill || q.Compare)
		if !ok || q.Fill && len(chosen)*len(order.numbers) > filledMax {
			return nil, tooManyBuckets()
		}
		orders[i] = order
	}
	if q.Compare {
		orders[1] = q.beside(g.periods[0], g.periods[1], orders)
	}
	nothing := q.Metric.measure().of(0)
	at := map[uint64]int{} // where in parts a group and place stand
	var parts []part
	part := func(rank, place int) *part {
		key := pair(uint32(rank), uint32(place))
		i, known := at[key]
		if !known {
			i = len(parts)
			at[key] = i
			parts = append(parts, newPart(place, rank, nothing))
		}
		return &parts[i]
	}
	if q.Fill {
		for place := range orders[0].numbers {
			for rank := range chosen {
				part(rank, place)
			}
		}
	}
	for i, p := range g.periods {
		for cell, both := range p.cells.list {
			number, bucket := unpair(both)
			if rank, ok := rank[number]; ok {
				part(rank, orders[i].places[bucket]).values[i] = p.parts.of(uint32(cell))
			}
		}
	}
	return q.show(g, chosen, orders, parts), nil
}

func newPart(place, rank int, nothing amount) part {
	return part{place: place, rank: rank, values: [2]amount{nothing, nothing}}
}

// show sorts parts and makes them rows.
func (q *Stats) show(g *gathered, chosen []group, orders []bucketOrder, parts []part) [][]Value {
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.place, b.place), b.values[0].compare(a.values[0]), cmp.Compare(a.rank, b.rank))
	})
	rows := make([][]Value, len(parts))
	for i, p := range parts {
		row := g.groups.show([]Value{g.periods[0].bucketText(orders[0], p.place)}, chosen[p.rank].values)
		row = append(row, p.values[0].value())
		if q.Compare {
			bucket := g.periods[1].bucketText(orders[1], p.place)
			row = append(row, Object(Member{"bucket", bucket}, Member{"value", p.values[1].value()}))
		}
		rows[i] = row
	}
	return rows
}

// filledMax bounds the rows of filled buckets: some hundred megabytes of JSON.
const filledMax = 1_000_000

func tooManyBuckets() error {
	return &event.Error{Kind: event.ErrLimit, Code: codeTooLarge, Notes: []string{"Makes too many buckets: narrow from and to, choose a longer interval, or limit groups"}}
}

// bucketOrder is the order of the buckets of a period.
type bucketOrder struct {
	numbers []uint32 // of the buckets, in their order
	places  []int    // of the buckets, by number
}

// order brings buckets in order: all that the range has, or those that hold an event.
func (p *period) order(all bool) (o bucketOrder, ok bool) {
	if all {
		if o.numbers, ok = p.buckets.over(p.from, p.to); !ok {
			return o, false
		}
	} else {
		for i := range p.buckets.starts {
			o.numbers = append(o.numbers, uint32(i))
		}
		slices.SortFunc(o.numbers, func(a, b uint32) int { return cmp.Compare(p.buckets.starts[a], p.buckets.starts[b]) })
	}
	o.places = make([]int, len(o.numbers))
	for place, number := range o.numbers {
		o.places[number] = place
	}
	return o, true
}

// beside is the order of the previous period's buckets beside those of the range.
func (c *Common) beside(now, then *period, orders []bucketOrder) bucketOrder {
	nows, thens := orders[0].numbers, orders[1].numbers
	if !c.leftoverLast(len(nows), len(thens), now.buckets.starts[nows[0]], then.buckets.starts[thens[0]]) {
		return orders[1]
	}
	moved := bucketOrder{numbers: append(slices.Clone(thens[1:]), thens[0]), places: slices.Clone(orders[1].places)}
	for place, number := range moved.numbers {
		moved.places[number] = place
	}
	return moved
}

// bucketText is the bucket at a place, null where the period has fewer.
func (p *period) bucketText(o bucketOrder, place int) Value {
	if place >= len(o.numbers) {
		return Value{}
	}
	return Text(p.buckets.text(o.numbers[place]))
}
