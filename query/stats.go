package query

import (
	"slices"
	"strconv"

	"millimetric/index/event"
)

const (
	statsLimit    = 100
	statsLimitMax = 1000
)

const codeInvalidGroupBy = "invalid_group_by"

// fillZero is the one way to fill buckets that hold nothing.
const fillZero = "zero"

// Stats asks for one number per group and bucket.
type Stats struct {
	Common
	Matches  []Match
	Metric   Metric
	Property string // of metrics over one
	GroupBy  []event.Column
	Interval Interval
	Fill     bool // each group shown has all buckets of the range
	Compare  bool // each row has what was in the previous period
	Limit    int  // of groups; each comes with all its buckets
}

func parseStats(r *reader) Question {
	q := &Stats{Common: r.common()}
	q.Matches = r.match(q.Matches, "event", event.ColumnName)
	q.Metric, q.Property = r.metric("metric")
	q.GroupBy = r.groupBy("group_by")
	if _, sent := r.take("interval"); sent {
		q.Interval = Interval(r.choice("interval", string(IntervalHour), string(IntervalDay), string(IntervalWeek), string(IntervalMonth)))
	}
	if _, q.Fill = r.take("fill"); q.Fill {
		r.choice("fill", fillZero)
		if q.Interval == IntervalNone {
			r.errs.Add("fill", "Needs an interval")
		}
	}
	q.Compare = r.compare()
	q.Limit = r.limit("limit", statsLimit, statsLimitMax)
	return q
}

func (r *reader) groupBy(name string) []event.Column {
	allowed := groupColumns()
	list := r.list(name)
	if len(list) > groupByMax {
		r.errs.Add(name, "Must have at most "+strconv.Itoa(groupByMax)+" fields")
		return nil
	}
	var columns []event.Column
	for _, word := range list {
		column := event.Column(word)
		switch {
		case !slices.Contains(allowed, column) && propertyOf(column) == "":
			r.refused = &event.Error{Kind: event.ErrInput, Code: codeInvalidGroupBy, Extra: map[string]any{"allowed": allowed}}
		case slices.Contains(columns, column):
			r.errs.Add(name, "Names "+shortName(word)+" twice")
		}
		columns = append(columns, column)
	}
	return columns
}

func (q *Stats) own() []Member {
	members := []Member{{"metric", Text(q.Metric.spelled(q.Property))}}
	members = append(members, matchSettings(q.Matches)...)
	fill := ""
	if q.Fill {
		fill = fillZero
	}
	members = append(members, Member{"group_by", Texts(names(q.GroupBy))},
		Member{"interval", TextOrNull(string(q.Interval))}, Member{"fill", TextOrNull(fill)})
	members = append(members, compareSettings(&q.Common, q.Compare)...)
	return append(members, Member{"limit", Int(int64(q.Limit))})
}

func names(columns []event.Column) []string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = string(c)
	}
	return list
}

func (q *Stats) answer(r *run) (*Answer, error) {
	all, err := q.gather(r, q.GroupBy, nil)
	if err != nil {
		return nil, err
	}
	if len(q.GroupBy) == 0 && (q.Interval == IntervalNone || q.Fill) {
		all.groups.met = 1 // the total of nothing is a number, too
	}
	ranked := all.groups.ranked(q.Page.Skip+q.Limit, all.periods[0].total.of)
	shown, end := q.page(ranked, q.Limit)
	answer := &Answer{Head: []Member{{"metric", Text(q.Metric.spelled(q.Property))}}, Left: len(ranked) - end}
	if answer.Columns, answer.Rows, err = q.table(all, shown); err != nil {
		return nil, err
	}
	if q.Explain && end < len(ranked) {
		other, err := q.other(r, &remainder{all.groups, rest(ranked, end)})
		if err != nil {
			return nil, err
		}
		answer.Cut = r.cut(ranked, end, other)
	}
	return answer, nil
}

// other asks the same of all groups that are still to come, as if they were one: of distinct actors
// and of percentiles, nothing less than their events can tell.
func (q *Stats) other(r *run, among *remainder) (Value, error) {
	one, err := q.gather(r, nil, among)
	if err != nil {
		return Value{}, err
	}
	whole := []group{{total: one.periods[0].total.of(0)}}
	unbucketed := *q
	unbucketed.Interval = IntervalNone
	columns, rows, err := unbucketed.table(one, whole)
	if err != nil {
		return Value{}, err
	}
	members := membersOfRow(columns, rows[0])
	if q.Interval == IntervalNone {
		return Object(members...), nil
	}
	if columns, rows, err = q.table(one, whole); err != nil {
		return Value{}, err
	}
	buckets := make([]Value, len(rows))
	for i, row := range rows {
		buckets[i] = Object(membersOfRow(columns, row)...)
	}
	return Object(append(members, Member{"buckets", List(buckets)})...), nil
}

func membersOfRow(columns []string, row []Value) []Member {
	members := make([]Member, len(row))
	for i, value := range row {
		members[i] = Member{columns[i], value}
	}
	return members
}
