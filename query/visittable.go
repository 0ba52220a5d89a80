package query

import (
	"cmp"
	"math/big"
	"slices"
)

func (q *Sessions) answer(r *run) (*Answer, error) {
	if q.List {
		return q.list(r)
	}
	groups := newGrouping(q.GroupBy)
	now, err := q.period(r, groups)
	if err != nil {
		return nil, err
	}
	periods := []*visitPeriod{now}
	if q.Compare {
		past := *q
		past.From, past.To = q.Previous()
		err := r.during(&past.Common, now.facts.size(), func() error {
			before, err := past.period(r, groups)
			periods = append(periods, before)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return q.table(r, groups, periods)
}

// visitPeriod is the visits of a range.
type visitPeriod struct {
	facts   *visitFacts
	buckets *period // only its buckets are used
	order   bucketOrder
}

// period finds the visits of the question's range.
func (q *Sessions) period(r *run, groups *grouping) (*visitPeriod, error) {
	p := &visitPeriod{buckets: &period{from: q.From, to: q.To, buckets: newCalendar(q.Interval, q.Zone)}}
	w := newVisitWalk(r, q, groups, p.buckets.buckets)
	p.facts = w.facts
	if w.fits() {
		return p, w.walk()
	}
	s, err := q.visits(r, groups)
	if err != nil {
		return nil, err
	}
	kept := s.kept(r)
	slices.SortFunc(kept, func(a, b *visit) int { return cmp.Compare(a.actor, b.actor) })
	for _, v := range kept {
		bucket := uint32(0)
		if q.Interval != IntervalNone {
			bucket = p.buckets.buckets.number(v.entry.time)
		}
		p.facts.add(groups.number(v.fields, v.entryPath, v.exitPath), bucket, v.actor, &v.visitSpan)
	}
	return p, nil
}

// visitRow is the visits of one group, or of one group in one bucket: those of each period, where the buckets of two
// periods belong together that stand at the same place.
type visitRow struct {
	place int
	group uint32
	keys  []string
	sums  [2]visitSums
}

// visitRowWeight is what a row weighs in entries of a table, beside its keys; keysPerEntry is how many of these weigh
// as much as an entry.
const (
	visitRowWeight = 4
	keysPerEntry   = 4
)

// visitRows are the rows that an answer may show.
type visitRows struct {
	q       *Sessions
	groups  *grouping
	periods []*visitPeriod
	wholes  []*visitRow // by group, in the order of answers
	parts   []*visitRow // of the groups that are shown, by group and bucket, likewise; none without an interval
	start   int         // of the groups that are shown
	end     int

	rowOf [2][]int32 // by cell: which of the shown rows it belongs to; those that come after all of them together are one
}

// table makes one row of each group, or of each group and bucket.
func (q *Sessions) table(r *run, groups *grouping, periods []*visitPeriod) (*Answer, error) {
	t := &visitRows{q: q, groups: groups, periods: periods}
	if err := t.arrange(r); err != nil {
		return nil, err
	}
	shown := t.shown()
	answer := &Answer{Left: len(t.wholes) - t.end}
	var found [2][]reckonedVisits
	for i, p := range periods {
		found[i] = p.facts.reckon(len(shown)+1, t.rowOf[i])
	}
	if answer.Left > 0 {
		var other visitRow
		for _, row := range t.wholes[t.end:] {
			other.add(row)
		}
		answer.Cut = r.cutAt(t.end, len(t.wholes), Object(q.numbers(&other, found, len(shown), nil)...))
	}
	t.name(answer)
	for i, row := range shown {
		answer.Rows = append(answer.Rows, t.show(row, found, i))
	}
	return answer, nil
}

// arrange finds the rows that are shown, in their order.
func (t *visitRows) arrange(r *run) error {
	size := t.groups.size()
	for i, p := range t.periods {
		size += p.facts.size() + p.facts.count/lengthsPerEntry
		if err := t.arrangeBuckets(i, p); err != nil {
			return err
		}
	}
	t.wholes = t.byGroup()
	weight := visitRowWeight + len(t.q.GroupBy)/keysPerEntry
	if err := r.overBudget(size + weight*len(t.wholes)); err != nil {
		return err
	}
	for _, row := range t.wholes {
		row.keys = t.groups.keys(row.group)
	}
	slices.SortFunc(t.wholes, t.compare)
	t.start = min(t.q.Page.Skip, len(t.wholes))
	t.end = min(t.start+t.q.Limit, len(t.wholes))
	if t.q.Interval != IntervalNone {
		t.parts = t.byBucket()
		slices.SortFunc(t.parts, t.compare)
	}
	t.assign()
	return r.overBudget(size + weight*(len(t.wholes)+len(t.parts)))
}

// arrangeBuckets brings the buckets of a period in order.
func (t *visitRows) arrangeBuckets(i int, p *visitPeriod) error {
	if t.q.Interval == IntervalNone {
		return nil
	}
	order, ok := p.buckets.order(t.q.Compare)
	if !ok {
		return tooManyBuckets()
	}
	if p.order = order; i == 1 {
		now := t.periods[0]
		p.order = t.q.beside(now.buckets, p.buckets, []bucketOrder{now.order, order})
	}
	return nil
}

func (t *visitRows) compare(a, b *visitRow) int {
	return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(b.sums[0].visits, a.sums[0].visits), t.groups.compare(a.keys, b.keys))
}

// byGroup returns a row for each group.
func (t *visitRows) byGroup() []*visitRow {
	rows := make([]*visitRow, len(t.groups.whole.list))
	if len(t.q.GroupBy) == 0 && t.q.Interval == IntervalNone { // the total of nothing is a row, too
		rows = []*visitRow{{group: t.groups.number(0, "", "")}}
	}
	for i, p := range t.periods {
		for cell, key := range p.facts.cells.list {
			group, _ := unpair(key)
			if rows[group] == nil {
				rows[group] = &visitRow{group: group}
			}
			rows[group].sums[i].add(&p.facts.sums[cell])
		}
	}
	return slices.DeleteFunc(rows, func(row *visitRow) bool { return row == nil })
}

// byBucket returns a row for each bucket of the groups that are shown.
func (t *visitRows) byBucket() []*visitRow {
	chosen := map[uint32]*visitRow{}
	for _, whole := range t.wholes[t.start:t.end] {
		chosen[whole.group] = whole
	}
	at := map[uint64]*visitRow{}
	var rows []*visitRow
	for i, p := range t.periods {
		for cell, key := range p.facts.cells.list {
			group, bucket := unpair(key)
			whole := chosen[group]
			if whole == nil {
				continue
			}
			place := p.order.places[bucket]
			row := at[pair(group, uint32(place))]
			if row == nil {
				row = &visitRow{place: place, group: group, keys: whole.keys}
				at[pair(group, uint32(place))] = row
				rows = append(rows, row)
			}
			row.sums[i].add(&p.facts.sums[cell])
		}
	}
	return rows
}

// assign finds to which of the rows that are shown each cell belongs.
func (t *visitRows) assign() {
	shown := t.shown()
	rowAt := map[uint64]int32{} // by group and place
	for i, row := range shown {
		rowAt[pair(row.group, uint32(row.place))] = int32(i)
	}
	rest := make([]bool, len(t.groups.whole.list))
	for _, row := range t.wholes[t.end:] {
		rest[row.group] = true
	}
	for i, p := range t.periods {
		t.rowOf[i] = make([]int32, len(p.facts.cells.list))
		for cell, key := range p.facts.cells.list {
			group, bucket := unpair(key)
			place := 0
			if t.q.Interval != IntervalNone {
				place = p.order.places[bucket]
			}
			row, ok := rowAt[pair(group, uint32(place))]
			switch {
			case rest[group]:
				row = int32(len(shown))
			case !ok: // an earlier answer showed it
				row = noRow
			}
			t.rowOf[i][cell] = row
		}
	}
}

// shown returns the rows of the answer.
func (t *visitRows) shown() []*visitRow {
	if t.q.Interval != IntervalNone {
		return t.parts
	}
	return t.wholes[t.start:t.end]
}

func (v *visitRow) add(o *visitRow) {
	for i := range v.sums {
		v.sums[i].add(&o.sums[i])
	}
}

// name names the columns.
func (t *visitRows) name(answer *Answer) {
	if t.q.Interval != IntervalNone {
		answer.Columns = []string{"bucket"}
	}
	answer.Columns = append(answer.Columns, t.groups.names()...)
	var none [2][]reckonedVisits
	for i := range t.periods {
		none[i] = make([]reckonedVisits, 1)
	}
	for _, m := range t.q.numbers(&visitRow{}, none, 0, nil) {
		answer.Columns = append(answer.Columns, m.Name)
	}
}

// show makes a row of the answer.
func (t *visitRows) show(of *visitRow, found [2][]reckonedVisits, number int) (row []Value) {
	var before []Value
	if t.q.Interval != IntervalNone {
		row = []Value{t.periods[0].buckets.bucketText(t.periods[0].order, of.place)}
		if t.q.Compare {
			before = []Value{t.periods[1].buckets.bucketText(t.periods[1].order, of.place)}
		}
	}
	row = t.groups.row(row, of.keys)
	for _, m := range t.q.numbers(of, found, number, before) {
		row = append(row, m.Value)
	}
	return row
}

// numbers reckons what a row says: of its visits, and with compare of those in the period before, whose bucket may
// stand in front. The number of the row says where its visits are among those found.
func (q *Sessions) numbers(row *visitRow, found [2][]reckonedVisits, number int, bucket []Value) []Member {
	members := visitNumbers(&row.sums[0], &found[0][number])
	if !q.Compare {
		return members
	}
	var previous []Member
	for _, b := range bucket {
		previous = append(previous, Member{"bucket", b})
	}
	return append(members, Member{"previous", Object(append(previous, visitNumbers(&row.sums[1], &found[1][number])...)...)})
}

// visitNumbers says what an answer says about some visits.
func visitNumbers(sums *visitSums, found *reckonedVisits) []Member {
	var median, mean Value
	if sums.visits > 0 {
		high, low := found.sum()
		length := new(big.Int).Lsh(new(big.Int).SetUint64(high), 64)
		mean = Seconds(length.Add(length, new(big.Int).SetUint64(low)), sums.visits)
		median = Seconds(big.NewInt(int64(found.median())), 1)
	}
	return []Member{
		{"visits", Int(sums.visits)}, {"actors", Int(found.actors)}, {"bounce_rate", RoundedRatio(sums.bounced, sums.visits)},
		{"duration_median_s", median}, {"duration_mean_s", mean}, {"events_per_visit", RoundedRatio(sums.events, sums.visits)},
	}
}
