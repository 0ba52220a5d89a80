package query

import (
	"slices"
	"strconv"

	"millimetric/index/event"
)

// cellsOf reads the sizes of cells from an answer: the first columns are the dimensions, in one of the others
// stands the number of visitors.
func cellsOf(a *Answer, dims int, column string) (c cells) {
	at := slices.Index(a.Columns, column)
	for _, row := range a.Rows {
		c.keys = append(c.keys, keysOf(row[:dims]))
		c.sizes = append(c.sizes, numberOf(row[at]))
	}
	return c
}

func keysOf(values []Value) []string {
	keys := make([]string, len(values))
	for i, v := range values {
		keys[i] = string(v.AppendJSON(nil))
	}
	return keys
}

// numberOf reads a whole number that an answer holds.
func numberOf(v Value) int64 {
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// tabled is a table of which small cells are to be hidden.
type tabled struct {
	dims    int
	limit   int // of groups
	bucket  bool
	compare bool
	answer  *Answer // of all groups, in their order
	now     *shownCells
	before  *shownCells // of the previous period; nil where there is none
	// ranked are the groups in their order, where the rows are by bucket.
	ranked func() (*Answer, error)
	// spoil takes out of a row what tells of a part of its visitors; nil for nothing.
	spoil func(row []Value)
}

func newTabled(groups, limit int, interval Interval, compare bool) *tabled {
	t := &tabled{dims: groups, limit: limit, bucket: interval != IntervalNone, compare: compare}
	if t.bucket {
		t.dims++
	}
	return t
}

// decide asks which cells of the period, and of the one before, are shown.
func (t *tabled) decide(c *Common, shown func(from, to event.Time) (*shownCells, error)) (err error) {
	if t.now, err = shown(c.From, c.To); err != nil || !t.compare {
		return err
	}
	t.before, err = shown(c.Previous())
	return err
}

// cut leaves the cells that are shown, of as many groups as were asked for.
func (t *tabled) cut() (answer *Answer, hid bool, err error) {
	answer = t.answer
	rows := answer.Rows
	answer.Rows = answer.Rows[:0:0]
	groups, err := t.groups(rows)
	if err != nil {
		return nil, false, err
	}
	for _, row := range rows {
		keys := keysOf(row[:t.dims])
		if !t.now.has(keys) || !groups[t.group(keys)] {
			continue
		}
		row = slices.Clone(row)
		if t.spoil != nil {
			t.spoil(row)
		}
		if t.compare {
			last := len(row) - 1
			if then := t.bucketBefore(row[last], keys); !t.before.has(then) {
				if t.now.isEmpty(keys) {
					continue // the row would only tell that there was somebody
				}
				row[last] = Value{}
			}
		}
		answer.Rows = append(answer.Rows, row)
	}
	return answer, t.now.any || t.before != nil && t.before.any, nil
}

// group names the group of a row.
func (t *tabled) group(keys []string) string {
	if t.bucket {
		keys = keys[1:]
	}
	return joined(keys)
}

// groups are the first groups, as many as were asked for, of those that have a cell that is shown.
func (t *tabled) groups(rows [][]Value) (map[string]bool, error) {
	shown, first := map[string]bool{}, map[string]bool{}
	for _, row := range rows {
		if keys := keysOf(row[:t.dims]); t.now.has(keys) {
			shown[t.group(keys)] = true
		}
	}
	if t.bucket {
		whole, err := t.ranked()
		if err != nil {
			return nil, err
		}
		rows = whole.Rows
	}
	for _, row := range rows {
		keys := keysOf(row[:t.dims-bit(t.bucket)])
		if name := joined(keys); shown[name] && len(first) < t.limit {
			first[name] = true
		}
	}
	return first, nil
}

// bucketBefore are the keys of a row's cell in the previous period, where another bucket stands at its place.
func (t *tabled) bucketBefore(previous Value, keys []string) []string {
	if !t.bucket {
		return keys
	}
	then := slices.Clone(keys)
	if n, err := readNode(previous); err == nil {
		if bucket := n.member("bucket"); bucket != nil {
			then[0] = string(bucket.value().AppendJSON(nil))
		}
	}
	return then
}

// visitorsOf makes of a question about events one about their visitors.
func visitorsOf(common *Common, matches []Match, groupBy []event.Column, interval Interval) *Stats {
	q := &Stats{Common: *common, Matches: matches, Metric: MetricUniques, GroupBy: groupBy, Interval: interval, Limit: limitless}
	q.Filters = common.counted() // those of the actor that is asked about, whom the question's own forgets
	q.Actor, q.Explain = ActorVisitor, false
	return q
}

// kept are those of a list that are to be kept.
func kept[T any](list []T, keep []bool) (some []T) {
	for i, one := range list {
		if keep[i] {
			some = append(some, one)
		}
	}
	return some
}

func (q *Stats) suppressed(r *run, k int64) (*Answer, bool, error) {
	t := newTabled(len(q.GroupBy), q.Limit, q.Interval, q.Compare)
	err := t.decide(&q.Common, func(from, to event.Time) (*shownCells, error) { return q.shown(r, t, k, from, to) })
	if err != nil {
		return nil, false, err
	}
	all := *q
	all.Limit, all.Explain = limitless, false
	t.ranked = func() (*Answer, error) {
		whole := all
		whole.Interval, whole.Fill = IntervalNone, false
		return r.inner(&whole)
	}
	if t.answer, err = r.inner(&all); err != nil {
		return nil, false, err
	}
	return t.cut()
}

// shown decides about the cells of a period.
func (q *Stats) shown(r *run, t *tabled, k int64, from, to event.Time) (*shownCells, error) {
	common := q.Common
	common.From, common.To = from, to
	if q.Property != "" { // only those who have a number count
		common.Filters = append(slices.Clone(common.Filters), isNumber(q.Property))
	}
	return r.hide(t.dims, k, func(keep []bool) (cells, error) {
		interval, columns, rest := IntervalNone, q.GroupBy, keep
		if t.bucket {
			if rest = keep[1:]; keep[0] {
				interval = q.Interval
			}
		}
		columns = kept(columns, rest)
		a, err := r.inner(visitorsOf(&common, q.Matches, columns, interval))
		if err != nil {
			return cells{}, err
		}
		return cellsOf(a, len(a.Columns)-1, "value"), nil
	})
}

// isNumber holds for events whose property is a number.
func isNumber(property string) Filter {
	zero := []Literal{{Kind: LiteralNumber, Text: "0"}}
	return Filter{Join: JoinOr, Of: []Filter{{Property: property, Op: OpLt, Values: zero}, {Property: property, Op: OpGte, Values: zero}}}
}

func (q *Sources) suppressed(r *run, k int64) (*Answer, bool, error) {
	columns := q.Columns()
	t := newTabled(len(columns), q.Limit, IntervalNone, q.Compare)
	shown := func(from, to event.Time) (*shownCells, error) {
		common := q.Common
		common.From, common.To = from, to
		return r.hide(t.dims, k, func(keep []bool) (cells, error) {
			a, err := r.inner(visitorsOf(&common, nil, kept(columns, keep), IntervalNone))
			if err != nil {
				return cells{}, err
			}
			return cellsOf(a, len(a.Columns)-1, "value"), nil
		})
	}
	err := t.decide(&q.Common, shown)
	if err != nil {
		return nil, false, err
	}
	all := *q
	all.Limit, all.Explain = limitless, false
	if t.answer, err = r.inner(&all); err != nil {
		return nil, false, err
	}
	if share := slices.Index(t.answer.Columns, "paid_share"); len(columns) == 1 {
		// How much of a source was paid is about a part of its visitors, who may be few.
		t.spoil = func(row []Value) {
			row[share] = Value{}
			if q.Compare {
				row[len(row)-1] = without(row[len(row)-1], "paid_share")
			}
		}
	}
	return t.cut()
}

func (q *Sessions) suppressed(r *run, k int64) (*Answer, bool, error) {
	if q.List {
		return nil, false, r.tooSmall("lists of visits")
	}
	t := newTabled(len(q.GroupBy), q.Limit, q.Interval, q.Compare)
	err := t.decide(&q.Common, func(from, to event.Time) (*shownCells, error) { return q.shown(r, t, k, from, to) })
	if err != nil {
		return nil, false, err
	}
	all := *q
	all.Limit = limitless
	t.ranked = func() (*Answer, error) {
		whole := all
		whole.Interval = IntervalNone
		return r.inner(&whole)
	}
	if t.answer, err = r.inner(&all); err != nil {
		return nil, false, err
	}
	// How many bounced is about a part of the visitors, who may be few.
	rate := slices.Index(t.answer.Columns, "bounce_rate")
	t.spoil = func(row []Value) {
		row[rate] = Value{}
		if q.Compare {
			row[len(row)-1] = without(row[len(row)-1], "bounce_rate")
		}
	}
	return t.cut()
}

// shown decides about the cells of a period.
func (q *Sessions) shown(r *run, t *tabled, k int64, from, to event.Time) (*shownCells, error) {
	return r.hide(t.dims, k, func(keep []bool) (cells, error) {
		some, rest := *q, keep
		some.From, some.To, some.Compare, some.Actor, some.Limit = from, to, false, ActorVisitor, limitless
		if t.bucket {
			if rest = keep[1:]; !keep[0] {
				some.Interval = IntervalNone
			}
		}
		some.GroupBy = kept(q.GroupBy, rest)
		a, err := r.inner(&some)
		if err != nil {
			return cells{}, err
		}
		dims := len(some.GroupBy)
		if some.Interval != IntervalNone {
			dims++
		}
		return cellsOf(a, dims, "actors"), nil
	})
}
