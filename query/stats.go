package query

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

const (
	statsLimit    = 100
	statsLimitMax = 1000
)

const codeInvalidGroupBy = "invalid_group_by"

// Metric says what Stats counts.
type Metric string

// The metrics.
const (
	MetricCount   Metric = "count"
	MetricUniques Metric = "uniques"
)

// Stats asks for one number per group and bucket.
type Stats struct {
	Common
	Matches  []Match
	Metric   Metric
	GroupBy  []event.Column
	Interval Interval
	Limit    int // of groups; each comes with all its buckets
}

// groupColumns are the columns that Stats groups by.
func groupColumns() []event.Column {
	return []event.Column{
		event.ColumnName, event.ColumnSource, event.ColumnMedium, event.ColumnCampaign, event.ColumnCountry,
		event.ColumnDevice, event.ColumnBrowser, event.ColumnOS, event.ColumnPath,
	}
}

func parseStats(r *reader) Question {
	q := &Stats{Common: r.common()}
	q.Matches = r.match(q.Matches, "event", event.ColumnName)
	q.Metric = Metric(r.choice("metric", string(MetricCount), string(MetricUniques)))
	q.GroupBy = r.groupBy("group_by")
	if _, sent := r.take("interval"); sent {
		q.Interval = Interval(r.choice("interval", string(IntervalHour), string(IntervalDay), string(IntervalWeek), string(IntervalMonth)))
	}
	q.Limit = r.limit("limit", statsLimit, statsLimitMax)
	return q
}

func (r *reader) groupBy(name string) []event.Column {
	allowed := groupColumns()
	var columns []event.Column
	for _, word := range r.list(name) {
		column := event.Column(word)
		switch {
		case !slices.Contains(allowed, column):
			r.refused = &event.Error{Kind: event.ErrInput, Code: codeInvalidGroupBy, Extra: map[string]any{"allowed": allowed}}
		case slices.Contains(columns, column):
			r.errs.Add(name, "Names "+word+" twice")
		}
		columns = append(columns, column)
	}
	return columns
}

func (q *Stats) own() []Member {
	members := []Member{{"metric", Text(string(q.Metric))}}
	members = append(members, matchSettings(q.Matches)...)
	return append(members, Member{"group_by", Texts(names(q.GroupBy))},
		Member{"interval", TextOrNull(string(q.Interval))}, Member{"limit", Int(int64(q.Limit))})
}

func names(columns []event.Column) []string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = string(c)
	}
	return list
}

// counted is what one scan of Stats counts: per group over the whole range, and per cell, which is
// a pair of group and bucket. A distinct count over the range is no sum of those of its buckets, so
// the two are counted apart.
type counted struct {
	groups  *groups
	buckets *calendar
	cells   *numbering[uint64]
	total   *tally
	parts   *tally
}

func (q *Stats) answer(r *run) (*Answer, error) {
	distinct := q.Metric == MetricUniques
	c := &counted{
		groups: newGroups(q.GroupBy), buckets: newCalendar(q.Interval, q.Zone), cells: newNumbering[uint64](),
		total: newTally(distinct), parts: newTally(distinct),
	}
	who := r.actors()
	size := func() int {
		return c.groups.size() + len(c.cells.list) + c.total.size() + c.parts.size() + who.size()
	}
	err := r.scan(q.Matches, size, func(e *event.Event) {
		var actor uint32
		if distinct {
			var ok bool
			if actor, ok = who.number(e); !ok {
				return
			}
		}
		group := c.groups.number(e)
		c.total.add(group, actor)
		if q.Interval != IntervalNone {
			c.parts.add(c.cells.number(pair(group, c.buckets.number(e.Time))), actor)
		}
	})
	if err != nil {
		return nil, err
	}
	if len(q.GroupBy) == 0 && q.Interval == IntervalNone && len(c.total.counts) == 0 {
		c.total.counts = []int64{0} // the total of nothing is a number, too
	}
	answer := &Answer{Head: []Member{{"metric", Text(string(q.Metric))}}}
	if q.Interval != IntervalNone {
		answer.Columns = append(answer.Columns, "bucket")
	}
	answer.Columns = append(append(answer.Columns, names(q.GroupBy)...), "value")
	answer.Rows = c.rows(c.groups.greatest(c.total.counts, q.Limit), q.Interval != IntervalNone)
	return answer, nil
}

// rows makes the rows of the chosen groups: one each, or one for each bucket in which a group has
// a value.
func (c *counted) rows(chosen []group, bucketed bool) [][]Value {
	var rows [][]Value
	if !bucketed {
		for _, g := range chosen {
			rows = append(rows, append(groupValues(nil, g.values), Int(g.total)))
		}
		return rows
	}
	slices.SortFunc(chosen, func(a, b group) int { return compareValues(a.values, b.values) })
	rank := make(map[uint32]int, len(chosen))
	for i, g := range chosen {
		rank[g.number] = i
	}
	type part struct {
		bucket uint32
		rank   int
		value  int64
	}
	var parts []part
	for i, cell := range c.cells.list {
		number, bucket := unpair(cell)
		if at, ok := rank[number]; ok {
			parts = append(parts, part{bucket: bucket, rank: at, value: c.parts.counts[i]})
		}
	}
	slices.SortFunc(parts, func(a, b part) int {
		byTime := cmp.Compare(c.buckets.starts[a.bucket], c.buckets.starts[b.bucket])
		return cmp.Or(byTime, cmp.Compare(b.value, a.value), cmp.Compare(a.rank, b.rank))
	})
	for _, p := range parts {
		row := groupValues([]Value{Text(c.buckets.text(p.bucket))}, chosen[p.rank].values)
		rows = append(rows, append(row, Int(p.value)))
	}
	return rows
}

// groupValues appends the values of a group to a row; an empty one is null.
func groupValues(row []Value, values []string) []Value {
	for _, v := range values {
		row = append(row, TextOrNull(v))
	}
	return row
}
