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

// sessions answers about visits.
func (m Model) sessions(q *query.Sessions) string {
	var kept []aVisit
	for _, v := range visitsOf(m.seen(&q.Common)) {
		if at := v.entry().Time; at < q.From || at >= q.To {
			continue
		}
		matching := func(e event.Event) bool {
			return holdsInVisit(e, v.entry(), query.Filter{Join: query.JoinAnd, Of: q.Filters})
		}
		if slices.ContainsFunc(v.events, matching) {
			kept = append(kept, v)
		}
	}
	if q.List {
		return m.listed(q, kept)
	}
	groups := m.visitGroups(q, kept, query.IntervalNone)
	if len(q.GroupBy) == 0 && q.Interval == query.IntervalNone && len(groups) == 0 {
		groups = []visitGroup{{}}
	}
	sortVisitGroups(groups)
	foot := ""
	if len(groups) > q.Limit {
		var rest []aVisit
		for _, g := range groups[q.Limit:] {
			rest = append(rest, g.visits...)
		}
		foot = fmt.Sprintf(`,"groups_total":%d,"other":%s`, len(groups), object(numbersOf(rest)...))
		groups = groups[:q.Limit]
	}
	shown := groups
	if q.Interval != query.IntervalNone {
		shown = nil
		for _, g := range m.visitGroups(q, kept, q.Interval) {
			if slices.ContainsFunc(groups, func(other visitGroup) bool { return slices.Equal(other.values, g.values) }) {
				shown = append(shown, g)
			}
		}
		sortVisitGroups(shown)
	}
	var rows []string
	for _, g := range shown {
		var row []any
		if q.Interval != query.IntervalNone {
			row = append(row, "bucket", g.start.Std().In(q.Zone).Format("2006-01-02T15:04:05Z07:00"))
		}
		for i, d := range q.GroupBy {
			row = append(row, d.Name, raw(g.values[i]))
		}
		rows = append(rows, object(append(row, numbersOf(g.visits)...)...))
	}
	return list(rows) + foot
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
	start  event.Time
	values []string // as JSON
	visits []aVisit
}

func (m Model) visitGroups(q *query.Sessions, visits []aVisit, interval query.Interval) []visitGroup {
	var groups []visitGroup
	for _, v := range visits {
		var g visitGroup
		if interval != query.IntervalNone {
			g.start = m.Walk.start(interval, q.Zone, v.entry().Time)
		}
		for _, d := range q.GroupBy {
			g.values = append(g.values, keyOf(d, v.entry(), v))
		}
		at := slices.IndexFunc(groups, func(other visitGroup) bool { return other.start == g.start && slices.Equal(other.values, g.values) })
		if at < 0 {
			at = len(groups)
			groups = append(groups, g)
		}
		groups[at].visits = append(groups[at].visits, v)
	}
	return groups
}

// sortVisitGroups orders by bucket, then by visits from the most, then by values with nulls last.
func sortVisitGroups(groups []visitGroup) {
	sort.Slice(groups, func(i, j int) bool {
		a, b := groups[i], groups[j]
		if a.start != b.start {
			return a.start < b.start
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

func (m Model) listed(q *query.Sessions, visits []aVisit) string {
	sort.Slice(visits, func(i, j int) bool {
		a, b := visits[i].entry(), visits[j].entry()
		return b.Before(&a)
	})
	var rows []string
	for _, v := range visits[:min(q.Limit, len(visits))] {
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
	if len(visits) > q.Limit {
		return list(rows) + fmt.Sprintf(`,"visits_total":%d`, len(visits))
	}
	return list(rows)
}
