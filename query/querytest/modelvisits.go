package querytest

import (
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strings"

	"millimetric/index/event"
	"millimetric/query"
)

// acted is an event and its actor.
type acted struct {
	event.Event
	actor string
}

// seen returns the events that a question may see at all, in their order.
func (m Model) seen(c *query.Common) []acted {
	var list []acted
	for _, e := range m.Events {
		actor := m.actor(c.Actor, e)
		if (e.Bot == "" || c.IncludeBots) && actor != "" {
			list = append(list, acted{e, actor})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Before(&list[j].Event) })
	return list
}

// aVisit is the events of one actor with one session_id, in their order.
type aVisit struct {
	actor  string
	events []event.Event
}

func (v aVisit) entry() event.Event { return v.events[0] }

// paths returns the paths of the page views.
func (v aVisit) paths() []string {
	var paths []string
	for _, e := range v.events {
		if e.Name == "$pageview" {
			paths = append(paths, e.Path)
		}
	}
	return paths
}

func (v aVisit) seconds() *big.Rat {
	return big.NewRat(int64(v.events[len(v.events)-1].Time-v.events[0].Time), 1000)
}

func (v aVisit) bounced() bool {
	n := 0
	for _, e := range v.events {
		if e.Name != "$identify" {
			n++
		}
	}
	return n == 1
}

func visitsOf(events []acted) []aVisit {
	var visits []aVisit
	for _, e := range events {
		at := slices.IndexFunc(visits, func(v aVisit) bool { return v.actor == e.actor && v.entry().SessionID == e.SessionID })
		if at < 0 {
			at = len(visits)
			visits = append(visits, aVisit{actor: e.actor})
		}
		visits[at].events = append(visits[at].events, e.Event)
	}
	return visits
}

// keyOf is the value of a dimension as JSON, "null" where it is missing.
func keyOf(d query.Dimension, of event.Event, v aVisit) string {
	text := ""
	switch d.Kind {
	case query.DimensionColumn:
		text, _ = of.Text(d.Column)
	case query.DimensionHost:
		text = hostIn(of.URL)
	case query.DimensionReferrerHost:
		text = hostIn(of.Referrer)
	case query.DimensionEntryPath:
		if paths := v.paths(); len(paths) > 0 {
			text = paths[0]
		}
	case query.DimensionExitPath:
		if paths := v.paths(); len(paths) > 0 {
			text = paths[len(paths)-1]
		}
	case query.DimensionProperty:
		return propertyJSON(of, d.Property)
	}
	if text == "" {
		return "null"
	}
	return string(quoted(text))
}

func hostIn(address string) string {
	u, ok := event.SplitURL(address)
	if !ok {
		return ""
	}
	return u.Host
}

// roundedText writes x with so many decimals, half to even, without zeros at the end.
func roundedText(x *big.Rat, digits int) string {
	unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
	scaled := new(big.Rat).Mul(x, unit)
	below := new(big.Int).Div(scaled.Num(), scaled.Denom()) // towards minus infinity
	above := new(big.Int).Add(below, big.NewInt(1))
	down := new(big.Rat).Sub(scaled, new(big.Rat).SetInt(below))
	half := down.Cmp(big.NewRat(1, 2))
	best := below
	if half > 0 || half == 0 && below.Bit(0) == 1 {
		best = above
	}
	text := new(big.Rat).Quo(new(big.Rat).SetInt(best), unit).FloatString(digits)
	for digits > 0 && strings.HasSuffix(text, "0") && strings.Contains(text, ".") {
		text = strings.TrimSuffix(text, "0")
	}
	return strings.TrimSuffix(text, ".")
}

// roundedRaw is roundedText as a number of a row.
func roundedRaw(x *big.Rat, digits int) raw { return raw(roundedText(x, digits)) }

// ratio is part/whole, null over nothing.
func ratio(part, whole int) any {
	if whole == 0 {
		return nil
	}
	return roundedRaw(big.NewRat(int64(part), int64(whole)), 4)
}

// visitsIn returns the visits of a range that the filters keep.
func (m Model) visitsIn(q *query.Sessions, from, to event.Time) []aVisit {
	var kept []aVisit
	for _, v := range visitsOf(m.seen(&q.Common)) {
		if at := v.entry().Time; at < from || at >= to {
			continue
		}
		matching := func(e event.Event) bool {
			return holdsInVisit(e, v.entry(), query.Filter{Join: query.JoinAnd, Of: q.Filters})
		}
		if slices.ContainsFunc(v.events, matching) {
			kept = append(kept, v)
		}
	}
	return kept
}

// sessions answers about visits.
func (m Model) sessions(q *query.Sessions, asOf event.Seq) string {
	kept := m.visitsIn(q, q.From, q.To)
	if q.List {
		return m.listed(q, kept, asOf)
	}
	var before []aVisit
	from, to := event.Time(0), event.Time(0)
	if q.Compare {
		from, to = m.previous(&q.Common)
		before = m.visitsIn(q, from, to)
	}
	// Buckets are places: with a comparison among all of their period, else among those that hold a visit.
	nows, thens := m.visitBuckets(q, kept, q.From, q.To), m.visitBuckets(q, before, from, to)
	if q.Compare && q.Interval != query.IntervalNone {
		thens = m.beside(&q.Common, nows, thens)
	}
	groups := m.visitGroups(q, kept, before, nil, nil)
	if len(q.GroupBy) == 0 && q.Interval == query.IntervalNone && len(groups) == 0 {
		groups = []visitGroup{{}}
	}
	sortVisitGroups(groups)
	start := min(q.Page.Skip, len(groups))
	end := min(start+q.Limit, len(groups))
	foot := ""
	if end < len(groups) {
		var rest visitGroup
		for _, g := range groups[end:] {
			rest.visits, rest.before = append(rest.visits, g.visits...), append(rest.before, g.before...)
		}
		foot = cut(&q.Common, asOf, end, len(groups), object(numbersWithPrevious(q, rest, nil)...))
	}
	groups = groups[start:end]
	shown := groups
	if q.Interval != query.IntervalNone {
		shown = nil
		for _, g := range m.visitGroups(q, kept, before, nows, thens) {
			if slices.ContainsFunc(groups, func(other visitGroup) bool { return slices.Equal(other.values, g.values) }) {
				shown = append(shown, g)
			}
		}
		sortVisitGroups(shown)
	}
	var rows []string
	for _, g := range shown {
		var row, previous []any
		if q.Interval != query.IntervalNone {
			row = append(row, "bucket", bucketText(q, nows, g.place))
			previous = append(previous, "bucket", bucketText(q, thens, g.place))
		}
		for i, d := range q.GroupBy {
			row = append(row, d.Name, raw(g.values[i]))
		}
		rows = append(rows, object(append(row, numbersWithPrevious(q, g, previous)...)...))
	}
	return list(rows) + foot
}

// visitBuckets returns the starts of the buckets of a period, in their order.
func (m Model) visitBuckets(q *query.Sessions, visits []aVisit, from, to event.Time) (starts []event.Time) {
	if q.Interval == query.IntervalNone {
		return nil
	}
	if q.Compare {
		for at := from; at < to; at = m.Walk.next(q.Interval, q.Zone, m.Walk.start(q.Interval, q.Zone, at)) {
			starts = append(starts, m.Walk.start(q.Interval, q.Zone, at))
		}
		return starts
	}
	for _, v := range visits {
		if start := m.Walk.start(q.Interval, q.Zone, v.entry().Time); !slices.Contains(starts, start) {
			starts = append(starts, start)
		}
	}
	slices.Sort(starts)
	return starts
}

func bucketText(q *query.Sessions, starts []event.Time, place int) any {
	if place >= len(starts) {
		return nil
	}
	return starts[place].Std().In(q.Zone).Format("2006-01-02T15:04:05Z07:00")
}

func numbersWithPrevious(q *query.Sessions, g visitGroup, bucket []any) []any {
	members := numbersOf(g.visits)
	if !q.Compare {
		return members
	}
	return append(members, "previous", raw(object(append(bucket, numbersOf(g.before)...)...)))
}

// holdsInVisit tells whether an event meets a filter that may ask about the entry of its visit.
func holdsInVisit(e, entry event.Event, f query.Filter) bool {
	switch f.Join {
	case query.JoinNot:
		return !holdsInVisit(e, entry, f.Of[0])
	case query.JoinOr:
		return slices.ContainsFunc(f.Of, func(one query.Filter) bool { return holdsInVisit(e, entry, one) })
	case query.JoinAnd:
		return !slices.ContainsFunc(f.Of, func(one query.Filter) bool { return !holdsInVisit(e, entry, one) })
	}
	if f.Entry {
		return holds(entry, f)
	}
	return holds(e, f)
}

type visitGroup struct {
	place  int      // of its bucket
	values []string // as JSON
	visits []aVisit
	before []aVisit // those of the period before
}

// visitGroups parts the visits of two periods by group, and by the places of their buckets if there are
// any.
func (m Model) visitGroups(q *query.Sessions, visits, before []aVisit, nows, thens []event.Time) []visitGroup {
	var groups []visitGroup
	group := func(v aVisit, buckets []event.Time) *visitGroup {
		var g visitGroup
		if buckets != nil {
			g.place = slices.Index(buckets, m.Walk.start(q.Interval, q.Zone, v.entry().Time))
		}
		for _, d := range q.GroupBy {
			g.values = append(g.values, keyOf(d, v.entry(), v))
		}
		at := slices.IndexFunc(groups, func(other visitGroup) bool { return other.place == g.place && slices.Equal(other.values, g.values) })
		if at < 0 {
			at = len(groups)
			groups = append(groups, g)
		}
		return &groups[at]
	}
	for _, v := range visits {
		g := group(v, nows)
		g.visits = append(g.visits, v)
	}
	for _, v := range before {
		g := group(v, thens)
		g.before = append(g.before, v)
	}
	return groups
}

// sortVisitGroups orders by bucket, then by visits from the most, then by values with nulls last.
func sortVisitGroups(groups []visitGroup) {
	sort.Slice(groups, func(i, j int) bool {
		a, b := groups[i], groups[j]
		if a.place != b.place {
			return a.place < b.place
		}
		if len(a.visits) != len(b.visits) {
			return len(a.visits) > len(b.visits)
		}
		return valuesBefore(a.values, b.values)
	})
}

func numbersOf(visits []aVisit) []any {
	actors := map[string]bool{}
	bounced, events := 0, 0
	total := new(big.Rat)
	var durations []*big.Rat
	for _, v := range visits {
		actors[v.actor] = true
		events += len(v.events)
		if v.bounced() {
			bounced++
		}
		total.Add(total, v.seconds())
		durations = append(durations, v.seconds())
	}
	var median, mean any
	if len(visits) > 0 {
		mean = raw(roundedText(new(big.Rat).Quo(total, big.NewRat(int64(len(visits)), 1)), 3))
		// The nearest rank: the smallest duration that at least half of all don't pass.
		sort.Slice(durations, func(i, j int) bool { return durations[i].Cmp(durations[j]) < 0 })
		for i, d := range durations {
			if 2*(i+1) >= len(durations) {
				median = raw(roundedText(d, 3))
				break
			}
		}
	}
	return []any{
		"visits", len(visits), "actors", len(actors), "bounce_rate", ratio(bounced, len(visits)),
		"duration_median_s", median, "duration_mean_s", mean, "events_per_visit", ratio(events, len(visits)),
	}
}

func (m Model) listed(q *query.Sessions, visits []aVisit, asOf event.Seq) string {
	sort.Slice(visits, func(i, j int) bool {
		a, b := visits[i].entry(), visits[j].entry()
		return b.Before(&a)
	})
	var rows []string
	start := min(q.Page.Skip, len(visits))
	end := min(start+q.Limit, len(visits))
	for _, v := range visits[start:end] {
		e, last := v.entry(), v.events[len(v.events)-1]
		first, exit := "", ""
		if paths := v.paths(); len(paths) > 0 {
			first, exit = paths[0], paths[len(paths)-1]
		}
		rows = append(rows, object(
			"session_id", e.SessionID, "anonymous_id", e.AnonymousID, "user_id", orNull(e.UserID),
			"start", e.Time.Std().Format("2006-01-02T15:04:05.000Z"), "end", last.Time.Std().Format("2006-01-02T15:04:05.000Z"),
			"duration_s", raw(roundedText(v.seconds(), 3)), "events", len(v.events), "bounced", v.bounced(),
			"entry_path", orNull(first), "exit_path", orNull(exit),
			"source", orNull(e.Source), "medium", orNull(e.Medium), "campaign", orNull(e.Campaign), "referrer", orNull(e.Referrer),
			"country", orNull(e.Country), "device_type", orNull(e.Device), "browser", orNull(e.Browser), "os", orNull(e.OS),
		))
	}
	if end < len(visits) {
		return list(rows) + fmt.Sprintf(`,"next":%q,"visits_total":%d`, q.Cursor(asOf, query.Page{Skip: end}), len(visits))
	}
	return list(rows)
}
