package querytest

import (
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"millimetric/index/event"
	"millimetric/query"
)

func spelled(q *query.Stats) string {
	if q.Property == "" {
		return string(q.Metric)
	}
	return string(q.Metric) + "(" + q.Property + ")"
}

// stats returns the rows of an answer, and what follows them.
func (m Model) stats(q *query.Stats, asOf event.Seq) string {
	now := m.measurable(q, m.chosen(&q.Common, q.Matches))
	var before []event.Event
	if q.Compare {
		from, to := m.previous(&q.Common)
		before = m.measurable(q, m.between(&q.Common, q.Matches, from, to))
	}
	groups := groupsOf(q.GroupBy, now, before)
	if len(q.GroupBy) == 0 && (q.Interval == query.IntervalNone || q.Fill) {
		groups = [][]groupValue{nil} // the one group of everything is there even when it holds nothing
	}
	sort.SliceStable(groups, func(i, j int) bool {
		a, b := m.measured(q, in(now, q.GroupBy, groups[i])), m.measured(q, in(now, q.GroupBy, groups[j]))
		return less(b, a, groups[i], groups[j])
	})
	shown := groups[min(q.Page.Skip, len(groups)):]
	shown = shown[:min(q.Limit, len(shown))]
	rows := m.statsRows(q, q.GroupBy, shown, now, before)
	end := q.Page.Skip + len(shown)
	if !q.Explain || end >= len(groups) {
		return list(rows)
	}
	later := groups[end:]
	notShown := func(e event.Event) bool {
		return !slices.ContainsFunc(later, func(g []groupValue) bool { return belongs(e, q.GroupBy, g) })
	}
	now, before = slices.DeleteFunc(now, notShown), slices.DeleteFunc(before, notShown)
	whole := *q
	whole.Interval = query.IntervalNone
	other := m.statsRows(&whole, nil, [][]groupValue{nil}, now, before)[0]
	if q.Interval != query.IntervalNone {
		other = strings.TrimSuffix(other, "}") + `,"buckets":` + list(m.statsRows(q, nil, [][]groupValue{nil}, now, before)) + "}"
	}
	return list(rows) + cut(&q.Common, asOf, end, len(groups), other)
}

func cut(c *query.Common, asOf event.Seq, end, groups int, other string) string {
	return `,"next":"` + c.Cursor(asOf, query.Page{Skip: end}) + `","groups_total":` + strconv.Itoa(groups) + `,"other":` + other
}

// measurable returns the events that count for the metric.
func (m Model) measurable(q *query.Stats, events []event.Event) []event.Event {
	return slices.DeleteFunc(m.ofActors(q.Actor, events), func(e event.Event) bool {
		return q.Property != "" && numberIn(e, q.Property) == nil
	})
}

// ofActors returns the events that are some actor's: those without one are left out.
func (m Model) ofActors(kind query.Actor, events []event.Event) []event.Event {
	return slices.DeleteFunc(events, func(e event.Event) bool { return m.actor(kind, e) == "" })
}

// numberIn returns the number that a property of an event is, nil where it is none, or too large or
// too small to be spelt out.
func numberIn(e event.Event, name string) *big.Rat {
	text, ok := valueOf(e, query.Filter{Property: name}).(json.Number)
	if !ok {
		return nil
	}
	if enormous.MatchString(string(text)) {
		return nil
	}
	n := number(string(text))
	power := func(exponent int64) *big.Rat { return number("1e" + strconv.FormatInt(exponent, 10)) }
	if size := new(big.Rat).Abs(n); size.Cmp(power(400)) >= 0 || size.Sign() > 0 && size.Cmp(power(-401)) < 0 {
		return nil
	}
	return n
}

// enormous matches the numbers that big.Rat had better not spell out: no property has room for so
// many zeros as would make them small again.
var enormous = regexp.MustCompile(`[eE][+-]?[0-9]{5}`)

// measured works the metric out over some events; nil is null.
func (m Model) measured(q *query.Stats, events []event.Event) *big.Rat {
	switch q.Metric {
	case query.MetricCount:
		return big.NewRat(int64(len(events)), 1)
	case query.MetricUniques:
		return big.NewRat(int64(m.distinct(q.Actor, events)), 1)
	}
	var numbers []*big.Rat
	sum := new(big.Rat)
	for _, e := range events {
		n := numberIn(e, q.Property)
		numbers = append(numbers, n)
		sum.Add(sum, n)
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i].Cmp(numbers[j]) < 0 })
	if q.Metric == query.MetricSum {
		return sum
	}
	if len(numbers) == 0 {
		return nil
	}
	switch q.Metric {
	case query.MetricAvg:
		return rounded(new(big.Rat).Quo(sum, big.NewRat(int64(len(numbers)), 1)), 6)
	case query.MetricMin:
		return numbers[0]
	case query.MetricMax:
		return numbers[len(numbers)-1]
	}
	percent := map[query.Metric]int{query.MetricP50: 50, query.MetricP90: 90, query.MetricP95: 95, query.MetricP99: 99}[q.Metric]
	// The first of the numbers that at least so many percent of all don't exceed.
	for i := range numbers {
		if (i+1)*100 >= percent*len(numbers) {
			return numbers[i]
		}
	}
	panic("no number is the greatest")
}

// rounded returns the nearest number with so many decimals, of two equally near the even one.
func rounded(x *big.Rat, digits int) *big.Rat {
	unit := number("1e" + strconv.Itoa(digits))
	scaled := new(big.Rat).Mul(x, unit)
	below := new(big.Int).Div(scaled.Num(), scaled.Denom()) // towards the negative
	over := new(big.Rat).Sub(scaled, new(big.Rat).SetInt(below))
	if c := over.Cmp(big.NewRat(1, 2)); c > 0 || c == 0 && below.Bit(0) == 1 {
		below.Add(below, big.NewInt(1))
	}
	return new(big.Rat).Quo(new(big.Rat).SetInt(below), unit)
}

// plain spells a number out with as few decimals as hold it; null where there is none.
func plain(x *big.Rat) raw {
	if x == nil {
		return "null"
	}
	for digits := 0; ; digits++ {
		text := x.FloatString(digits)
		if number(text).Cmp(x) == 0 {
			return raw(text)
		}
	}
}

// less orders by value, nulls last, then by group.
func less(a, b *big.Rat, groupA, groupB []groupValue) bool {
	switch {
	case a == nil && b != nil:
		return true
	case a != nil && b == nil:
		return false
	case a != nil && b != nil && a.Cmp(b) != 0:
		return a.Cmp(b) < 0
	}
	return compareGroups(groupA, groupB) < 0
}

// statsRows makes the rows of some groups.
func (m Model) statsRows(q *query.Stats, columns []event.Column, groups [][]groupValue, now, before []event.Event) []string {
	var rows []string
	if q.Interval == query.IntervalNone {
		for _, g := range groups {
			row := append(namedValues(columns, g), "value", plain(m.measured(q, in(now, columns, g))))
			if q.Compare {
				row = append(row, "previous", raw(object("value", plain(m.measured(q, in(before, columns, g))))))
			}
			rows = append(rows, object(row...))
		}
		return rows
	}
	buckets := [2][]event.Time{m.starts(q, now), m.starts(q, before)}
	if q.Fill || q.Compare {
		from, to := m.previous(&q.Common)
		buckets = [2][]event.Time{m.buckets(q, q.From, q.To), nil}
		if q.Compare {
			buckets[1] = m.beside(&q.Common, buckets[0], m.buckets(q, from, to))
		}
	}
	for place := range max(len(buckets[0]), len(buckets[1])) {
		type line struct {
			group       []groupValue
			now, before []event.Event
		}
		var lines []line
		for _, g := range groups {
			l := line{g, m.inBucket(q, in(now, columns, g), buckets[0], place), m.inBucket(q, in(before, columns, g), buckets[1], place)}
			if len(l.now)+len(l.before) > 0 || q.Fill && place < len(buckets[0]) {
				lines = append(lines, l)
			}
		}
		sort.SliceStable(lines, func(i, j int) bool {
			return less(m.measured(q, lines[j].now), m.measured(q, lines[i].now), lines[i].group, lines[j].group)
		})
		for _, l := range lines {
			row := append([]any{"bucket", bucketAt(q, buckets[0], place)}, namedValues(columns, l.group)...)
			row = append(row, "value", plain(m.measured(q, l.now)))
			if q.Compare {
				row = append(row, "previous", raw(object("bucket", bucketAt(q, buckets[1], place), "value", plain(m.measured(q, l.before)))))
			}
			rows = append(rows, object(row...))
		}
	}
	return rows
}

// starts returns the starts of the buckets that hold any of the events.
func (m Model) starts(q *query.Stats, events []event.Event) []event.Time {
	var all []event.Time
	for _, e := range events {
		all = append(all, m.Walk.start(q.Interval, q.Zone, e.Time))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// buckets returns the starts of all buckets of a range.
func (m Model) buckets(q *query.Stats, from, to event.Time) []event.Time {
	probe := event.Time(3600_000) // no day is that short
	if q.Interval == query.IntervalHour {
		probe = 900_000 // and no stretch of an hour this
	}
	var all []event.Time
	for t := from; t < to; {
		start := m.Walk.start(q.Interval, q.Zone, t)
		all = append(all, start)
		for t < to && m.Walk.start(q.Interval, q.Zone, t) == start {
			t += probe
		}
		if t < to {
			t = m.Walk.start(q.Interval, q.Zone, t)
		} else if last := m.Walk.start(q.Interval, q.Zone, to-1); last != start {
			t = last
		}
	}
	return all
}

func (m Model) inBucket(q *query.Stats, events []event.Event, buckets []event.Time, place int) []event.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool {
		return place >= len(buckets) || m.Walk.start(q.Interval, q.Zone, e.Time) != buckets[place]
	})
}

func bucketAt(q *query.Stats, buckets []event.Time, place int) any {
	if place >= len(buckets) {
		return nil
	}
	return buckets[place].Std().In(q.Zone).Format("2006-01-02T15:04:05Z07:00")
}

// previous returns the period right before the range: as many months where the range is whole
// months, else as many milliseconds.
func (m Model) previous(c *query.Common) (from, to event.Time) {
	month := func(t event.Time) event.Time { return m.Walk.start(query.IntervalMonth, c.Zone, t) }
	if month(c.From) != c.From || month(c.To) != c.To {
		return c.From - (c.To - c.From), c.From
	}
	from = c.From
	for at := c.To; at > c.From; at = month(at - 1) {
		from = month(from - 1)
	}
	return from, c.From
}

// beside puts the buckets of the previous period in the order in which they stand beside those of the range:
// the rest of a bucket that comes before as many as the range has, which begins with a whole one, stands last.
func (m Model) beside(c *query.Common, nows, thens []event.Time) []event.Time {
	from, _ := m.previous(c)
	if nows[0] != c.From || thens[0] == from || len(thens)-len(nows) != 1 {
		return thens
	}
	return append(slices.Clone(thens[1:]), thens[0])
}

func (m Model) sources(q *query.Sources, asOf event.Seq) string {
	columns := []event.Column{event.ColumnSource, event.ColumnMedium}
	if q.Breakdown == "source" {
		columns = columns[:1]
	}
	now := m.ofActors(q.Actor, m.chosen(&q.Common, nil))
	var before []event.Event
	if q.Compare {
		from, to := m.previous(&q.Common)
		before = m.ofActors(q.Actor, m.between(&q.Common, nil, from, to))
	}
	groups := groupsOf(columns, now, before)
	sort.SliceStable(groups, func(i, j int) bool {
		a, b := len(in(now, columns, groups[i])), len(in(now, columns, groups[j]))
		return a > b || a == b && compareGroups(groups[i], groups[j]) < 0
	})
	members := func(now, before []event.Event) []any {
		all := m.originOf(q, now)
		if q.Compare {
			all = append(all, "previous", raw(object(m.originOf(q, before)...)))
		}
		return all
	}
	shown := groups[min(q.Page.Skip, len(groups)):]
	shown = shown[:min(q.Limit, len(shown))]
	var rows []string
	for _, g := range shown {
		rows = append(rows, object(append(namedValues(columns, g), members(in(now, columns, g), in(before, columns, g))...)...))
	}
	end := q.Page.Skip + len(shown)
	if !q.Explain || end >= len(groups) {
		return list(rows)
	}
	for _, g := range groups[:end] {
		is := func(e event.Event) bool { return belongs(e, columns, g) }
		now, before = slices.DeleteFunc(now, is), slices.DeleteFunc(before, is)
	}
	return list(rows) + cut(&q.Common, asOf, end, len(groups), object(members(now, before)...))
}

func (m Model) originOf(q *query.Sources, events []event.Event) []any {
	paid := 0
	for _, e := range events {
		if e.Medium == "paid" {
			paid++
		}
	}
	shareText := "null"
	if len(events) > 0 {
		shareText = share(paid, len(events))
	}
	return []any{"events", len(events), "uniques", m.distinct(q.Actor, events), "paid_share", raw(shareText)}
}
