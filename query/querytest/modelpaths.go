package querytest

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"millimetric/index/event"
	"millimetric/query"
)

// place is where an event was, or how a walk went on: kind is page, event or end.
type place struct {
	kind, name string
}

func placeOf(e event.Event) place {
	if e.Name == "$pageview" {
		return place{"page", e.Path}
	}
	return place{"event", e.Name}
}

// visitStop is a run of events at one place.
type visitStop struct {
	at     place
	events []event.Event
}

// walk is what one anchor counts: who walked, and the places that were come to, the anchor's first.
type walk struct {
	actor  string
	places []place
	before bool // it is one of the period before
}

// paths returns the tree of an answer.
func (m Model) paths(q *query.Paths) string {
	walks := m.walks(q)
	if q.Compare {
		before := *q
		before.From, before.To = m.previous(&q.Common)
		for _, w := range m.walks(&before) {
			w.before = true
			walks = append(walks, w)
		}
	}
	root := place{"event", q.Anchor.Name}
	if len(walks) > 0 && !slices.ContainsFunc(walks, func(w walk) bool { return w.places[0] != walks[0].places[0] }) {
		root = walks[0].places[0]
	}
	return m.tree(q, root, walks, 0)
}

// walks returns the walks of all anchors in the range.
func (m Model) walks(q *query.Paths) []walk {
	var walks []walk
	for _, actor := range m.actorsOf(q.Actor) {
		var own []walk
		var begun []event.Event // the anchors of own
		for _, row := range m.rowsOf(q, actor) {
			stops := stopsOf(row)
			for i := range stops {
				if anchor, ok := anchorIn(q, stops[i]); ok {
					own = append(own, walk{actor: actor, places: walkFrom(q, stops, i, anchor)})
					begun = append(begun, anchor)
				}
			}
		}
		for i := range own {
			isFirst := !slices.ContainsFunc(begun, func(e event.Event) bool { return e.Before(&begun[i]) })
			if isFirst || !q.FirstOnly {
				walks = append(walks, own[i])
			}
		}
	}
	return walks
}

// arrivals counts the walks of one period, and who walked.
func arrivals(walks []walk, before bool) []any {
	count := 0
	var actors []string
	for _, w := range walks {
		if w.before != before {
			continue
		}
		if count++; !slices.Contains(actors, w.actor) {
			actors = append(actors, w.actor)
		}
	}
	return []any{"count", count, "actors", len(actors)}
}

// actorsOf returns all actors there are.
func (m Model) actorsOf(kind query.Actor) []string {
	var all []string
	for _, e := range m.Events {
		if actor := m.actor(kind, e); actor != "" && !slices.Contains(all, actor) {
			all = append(all, actor)
		}
	}
	return all
}

// rowsOf returns the rows of an actor: its events that the question chooses, or that match the
// anchor, in one row or in one for each visit.
func (m Model) rowsOf(q *query.Paths, actor string) [][]event.Event {
	var mine []event.Event
	for _, e := range m.Events {
		if m.actor(q.Actor, e) != actor || e.Bot != "" && !q.IncludeBots || !holdsAll(e, nil, q.Filters) {
			continue
		}
		if slices.Contains(q.Events, e.Name) || matches(e, q.Anchor) {
			mine = append(mine, e)
		}
	}
	sort.Slice(mine, func(i, j int) bool { return mine[i].Before(&mine[j]) })
	if q.Scope == query.ScopeWindow {
		return [][]event.Event{mine}
	}
	var rows [][]event.Event
	for _, e := range mine {
		at := slices.IndexFunc(rows, func(row []event.Event) bool { return row[0].SessionID == e.SessionID })
		if at < 0 {
			at = len(rows)
			rows = append(rows, nil)
		}
		rows[at] = append(rows[at], e)
	}
	return rows
}

// matches tells whether an event is one that a step names.
func matches(e event.Event, s query.Step) bool {
	if len(s.AnyOf) > 0 {
		return slices.ContainsFunc(s.AnyOf, func(one query.Step) bool { return matches(e, one) })
	}
	return e.Name == s.Event && holdsAll(e, nil, s.Filters)
}

// stopsOf makes repeats in a row one.
func stopsOf(row []event.Event) []visitStop {
	var stops []visitStop
	for _, e := range row {
		if n := len(stops); n == 0 || stops[n-1].at != placeOf(e) {
			stops = append(stops, visitStop{at: placeOf(e)})
		}
		last := &stops[len(stops)-1]
		last.events = append(last.events, e)
	}
	return stops
}

// anchorIn returns the first anchor of a stop in the range.
func anchorIn(q *query.Paths, s visitStop) (event.Event, bool) {
	for _, e := range s.events {
		if matches(e, q.Anchor) && e.Time >= q.From && e.Time < q.To {
			return e, true
		}
	}
	return event.Event{}, false
}

// walkFrom returns the places from the anchor on, one more than there are steps, or the end.
func walkFrom(q *query.Paths, stops []visitStop, at int, anchor event.Event) []place {
	places := []place{stops[at].at}
	rest := stops[at+1:]
	if q.Backwards {
		rest = slices.Clone(stops[:at])
		slices.Reverse(rest)
	}
	for _, s := range rest {
		near := slices.ContainsFunc(s.events, func(e event.Event) bool {
			return e.Time-anchor.Time <= event.Time(q.Window.Milliseconds()) && anchor.Time-e.Time <= event.Time(q.Window.Milliseconds())
		})
		if len(places) > q.Steps || q.Scope == query.ScopeWindow && !near {
			break
		}
		places = append(places, s.at)
	}
	if len(places) <= q.Steps {
		places = append(places, place{kind: "end"})
	}
	return places
}

// tree shows a node that some walks came to, and where they went from there.
func (m Model) tree(q *query.Paths, at place, walks []walk, depth int) string {
	members := []any{"kind", at.kind}
	if at.kind == "page" || at.kind == "event" {
		members = append(members, "node", orNull(at.name))
	}
	members = append(members, arrivals(walks, false)...)
	if q.Compare {
		members = append(members, "previous", raw(object(arrivals(walks, true)...)))
	}
	if depth == q.Steps || at.kind == "end" || at.kind == "rest" {
		return object(members...)
	}
	now := func(walks []walk) int { return arrivals(walks, false)[1].(int) }
	next := map[place][]walk{}
	for _, w := range walks {
		next[w.places[depth+1]] = append(next[w.places[depth+1]], w)
	}
	var branches []place
	for p := range next {
		if p.kind != "end" {
			branches = append(branches, p)
		}
	}
	sort.Slice(branches, func(i, j int) bool {
		a, b := branches[i], branches[j]
		switch {
		case now(next[a]) != now(next[b]):
			return now(next[a]) > now(next[b])
		case a.name != b.name:
			return b.name == "" || a.name != "" && strings.Compare(a.name, b.name) < 0
		}
		return a.kind == "event"
	})
	var children []string
	var rest []walk
	for i, p := range branches {
		if i < q.Limit {
			children = append(children, m.tree(q, p, next[p], depth+1))
		} else {
			rest = append(rest, next[p]...)
		}
	}
	if len(rest) > 0 {
		children = append(children, m.tree(q, place{kind: "rest"}, rest, depth+1))
	}
	if end := next[place{kind: "end"}]; len(end) > 0 {
		children = append(children, m.tree(q, place{kind: "end"}, end, depth+1))
	}
	return object(append(members, "children", raw(list(children)))...)
}

// attending are the events of a window: those after its start, up to its end.
func (m Model) attending(q *query.Live, after, until event.Time) (all, views []event.Event) {
	for _, e := range m.Events {
		if e.Time > until || e.Time <= after {
			continue
		}
		if e.Bot != "" && !q.IncludeBots || !holdsAll(e, nil, q.Filters) || m.actor(q.Actor, e) == "" {
			continue
		}
		all = append(all, e)
		if e.Name == "$pageview" {
			views = append(views, e)
		}
	}
	return all, views
}

// live returns the members of an answer.
func (m Model) live(q *query.Live) string {
	length := event.Time(q.Window.Milliseconds())
	now, views := m.attending(q, q.Now-length, q.Now)
	var then, viewsThen []event.Event
	if q.Compare {
		then, viewsThen = m.attending(q, q.Now-2*length, q.Now-length)
	}
	window := fmt.Sprintf("%ds", int(q.Window.Seconds()))
	for _, unit := range []struct {
		seconds int
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}} {
		if seconds := int(q.Window.Seconds()); seconds%unit.seconds == 0 {
			window = fmt.Sprintf("%d%s", seconds/unit.seconds, unit.name)
			break
		}
	}
	members := []any{"actors", m.distinct(q.Actor, now), "window", window, "paths", raw(m.present(q, views, viewsThen, "path")), "sources", raw(m.present(q, now, then, "source"))}
	if q.Compare {
		members = append(members, "previous", raw(object("actors", m.distinct(q.Actor, then))))
	}
	if n := len(groupsOf([]event.Column{"path"}, slices.Concat(views, viewsThen))); n > q.Limit {
		members = append(members, "paths_total", n)
	}
	if n := len(groupsOf([]event.Column{"source"}, slices.Concat(now, then))); n > q.Limit {
		members = append(members, "sources_total", n)
	}
	return strings.TrimSuffix(object(members...), "}")
}

// present lists the values of a column that most actors were at.
func (m Model) present(q *query.Live, events, before []event.Event, column event.Column) string {
	columns := []event.Column{column}
	groups := groupsOf(columns, slices.Concat(events, before))
	sort.Slice(groups, func(i, j int) bool {
		a, b := in(events, columns, groups[i]), in(events, columns, groups[j])
		switch x, y := m.distinct(q.Actor, a), m.distinct(q.Actor, b); {
		case x != y:
			return x > y
		case len(a) != len(b):
			return len(a) > len(b)
		}
		return compareGroups(groups[i], groups[j]) < 0
	})
	var rows []string
	for _, g := range groups[:min(q.Limit, len(groups))] {
		mine := in(events, columns, g)
		row := append(namedValues(columns, g), "actors", m.distinct(q.Actor, mine), "events", len(mine))
		if q.Compare {
			theirs := in(before, columns, g)
			row = append(row, "previous", raw(object("actors", m.distinct(q.Actor, theirs), "events", len(theirs))))
		}
		rows = append(rows, object(row...))
	}
	return list(rows)
}
