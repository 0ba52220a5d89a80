package querytest

import (
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strings"
	"time"

	"millimetric/index/event"
	"millimetric/query"
)

// funnel walks every attempt of every actor.
func (m Model) funnel(q *query.Funnel, asOf event.Seq) string {
	periods := [][]journey{m.journeys(q)}
	if q.Compare {
		before := *q
		before.From, before.To = m.previous(&q.Common)
		periods = append(periods, m.journeys(&before))
	}
	out := `{"steps":` + funnelSteps(q, periods)
	cutGroups := ""
	if q.Breakdown != nil {
		var groups string
		groups, cutGroups = m.funnelGroups(q, periods, asOf)
		out += groups
	}
	if q.List != nil {
		actors, cutActors := funnelActors(q, periods[0], asOf)
		out += actors
		if cutGroups == "" {
			out += cutActors
		}
	}
	return out + cutGroups
}

// journeys returns the reported attempts.
func (m Model) journeys(q *query.Funnel) []journey {
	reported := []journey{}
	for _, events := range m.actorsEvents(&q.Common) {
		if j, ok := m.report(q, events); ok {
			reported = append(reported, j)
		}
	}
	return reported
}

// actorsEvents parts all events by actor, each actor's in order.
func (m Model) actorsEvents(c *query.Common) map[string][]event.Event {
	of := map[string][]event.Event{}
	for _, e := range m.Events {
		if actor := m.actor(c.Actor, e); actor != "" && (e.Bot == "" || c.IncludeBots) {
			of[actor] = append(of[actor], e)
		}
	}
	for _, events := range of {
		sort.Slice(events, func(i, j int) bool { return events[i].Before(&events[j]) })
	}
	return of
}

// journey is the reported attempt of an actor: the events it took, and all events of the actor.
type journey struct {
	taken []event.Event
	all   []event.Event
}

// report chooses among all attempts of an actor: the deepest; of these the one that got there first;
// of those that got there with the same event the one that began last.
func (m Model) report(q *query.Funnel, events []event.Event) (best journey, ok bool) {
	for i, e := range events {
		inRange := e.Time >= q.From && e.Time < q.To
		mature := e.Time+milliseconds(q.Window) <= q.Now
		if !inRange || q.Mature && !mature || !beginsFunnel(q, e) {
			continue
		}
		taken := attempt(q, events[i:])
		switch depth := len(taken); {
		case depth < len(best.taken):
			continue
		case depth == len(best.taken):
			if last, bestLast := taken[depth-1], best.taken[depth-1]; bestLast.Before(&last) {
				continue
			}
		}
		best = journey{taken: taken, all: events} // attempts come in the order in which they began
	}
	return best, len(best.taken) > 0
}

func milliseconds(d time.Duration) event.Time { return event.Time(d / time.Millisecond) }

func beginsFunnel(q *query.Funnel, e event.Event) bool {
	if q.Order == query.OrderAny {
		return servesSome(q, e, nil) >= 0
	}
	return serves(q, e, 0)
}

// serves tells whether an event matches a step, steps counted from 0.
func serves(q *query.Funnel, e event.Event, step int) bool {
	return isStep(e, q.Steps[step].Step) && holdsAll(e, nil, q.Filters)
}

// servesSome returns the first step of the list that an event matches and that isn't served, or -1.
func servesSome(q *query.Funnel, e event.Event, served map[int]bool) int {
	for step := range q.Steps {
		if !served[step] && serves(q, e, step) {
			return step
		}
	}
	return -1
}

// attempt follows the attempt that begins with the first of an actor's events, and returns the events
// that it takes.
func attempt(q *query.Funnel, events []event.Event) []event.Event {
	first := events[0]
	taken := []event.Event{first}
	served := map[int]bool{}
	if q.Order == query.OrderAny {
		served[servesSome(q, first, nil)] = true
	}
	for _, e := range events[1:] {
		if len(taken) == len(q.Steps) || e.Time-first.Time > milliseconds(q.Window) {
			break
		}
		if q.Order == query.OrderAny {
			if step := servesSome(q, e, served); step >= 0 {
				served[step] = true
				taken = append(taken, e)
			}
			continue
		}
		if !sameHeld(q, e, first) {
			if q.Order == query.OrderStrict {
				break
			}
			continue
		}
		if excluded(q, e, len(taken)) {
			break
		}
		within := milliseconds(q.Steps[len(taken)].Within)
		inTime := within == 0 || e.Time-taken[len(taken)-1].Time <= within
		if inTime && serves(q, e, len(taken)) {
			taken = append(taken, e)
		} else if q.Order == query.OrderStrict {
			break
		}
	}
	return taken
}

func excluded(q *query.Funnel, e event.Event, taken int) bool {
	for _, x := range q.Exclude {
		if taken >= x.After && taken < x.Before && isStep(e, x.Step) {
			return true
		}
	}
	return false
}

func sameHeld(q *query.Funnel, a, b event.Event) bool {
	return !slices.ContainsFunc(q.Hold, func(f query.Field) bool { return fieldText(f, a) != fieldText(f, b) })
}

// funnelSteps shows the steps of some actors' funnel, in one period or two.
func funnelSteps(q *query.Funnel, periods [][]journey) string {
	var steps []string
	for i := range q.Steps {
		numbers := withPrevious(periods, func(of []journey) []any { return stepNumbers(q, of, i) })
		steps = append(steps, strings.TrimSuffix(object("name", q.Steps[i].Name), "}")+","+numbers[1:])
	}
	return list(steps)
}

func stepNumbers(q *query.Funnel, of []journey, i int) []any {
	reached := func(depth int) (n int) {
		for _, j := range of {
			if len(j.taken) >= depth {
				n++
			}
		}
		return n
	}
	depth := i + 1
	previous, drop := reached(max(i, 1)), reached(depth)-reached(depth+1)
	if depth == len(q.Steps) {
		drop = 0
	}
	row := []any{
		"actors", reached(depth), "conversion", ratio(reached(depth), reached(1)),
		"step_conversion", ratio(reached(depth), previous), "drop_off", drop,
	}
	if i > 0 {
		row = append(row, "from_previous", raw(spans(of, i-1, i)), "from_start", raw(spans(of, 0, i)))
	}
	return row
}

// spans sums up the seconds between two events of the attempts that have both.
func spans(of []journey, from, to int) string {
	var all []int
	total := 0
	for _, j := range of {
		if len(j.taken) > to {
			span := int(j.taken[to].Time - j.taken[from].Time)
			all = append(all, span)
			total += span
		}
	}
	if len(all) == 0 {
		return object("median_s", nil, "p90_s", nil, "mean_s", nil)
	}
	return object("median_s", roundedRaw(big.NewRat(int64(percentile(all, 50)), 1000), 3),
		"p90_s", roundedRaw(big.NewRat(int64(percentile(all, 90)), 1000), 3),
		"mean_s", roundedRaw(big.NewRat(int64(total), int64(1000*len(all))), 3))
}

// percentile is the least value that at least so many of a hundred are no greater than.
func percentile(values []int, percent int) int {
	best, found := 0, false
	for _, candidate := range values {
		upTo := 0
		for _, v := range values {
			if v <= candidate {
				upTo++
			}
		}
		if 100*upTo >= percent*len(values) && (!found || candidate < best) {
			best, found = candidate, true
		}
	}
	return best
}

func (m Model) funnelGroups(q *query.Funnel, periods [][]journey, asOf event.Seq) (groups, rest string) {
	of := map[string][][]journey{} // by period
	for i, reported := range periods {
		for _, j := range reported {
			value := m.groupOf(q, j)
			if of[value] == nil {
				of[value] = make([][]journey, len(periods))
			}
			of[value][i] = append(of[value][i], j)
		}
	}
	var values []string
	for value := range of {
		values = append(values, value)
	}
	sort.Slice(values, func(i, j int) bool {
		if a, b := len(of[values[i]][0]), len(of[values[j]][0]); a != b {
			return a > b
		}
		return fieldLess(*q.Breakdown, values[i], values[j])
	})
	start := min(q.Page.Skip, len(values))
	end := min(start+q.Limit, len(values))
	var rows []string
	for _, value := range values[start:end] {
		rows = append(rows, object("group", fieldValue(*q.Breakdown, value), "steps", raw(funnelSteps(q, of[value]))))
	}
	if end < len(values) {
		others := make([][]journey, len(periods))
		for _, value := range values[end:] {
			for i := range periods {
				others[i] = append(others[i], of[value][i]...)
			}
		}
		rest = cut(&q.Common, asOf, end, len(values), object("steps", raw(funnelSteps(q, others))))
	}
	return `,"groups":` + list(rows), rest
}

// groupOf returns the text of the breakdown's value: of the first event of the reported attempt, or
// of the actor's first touch not later than that event.
func (m Model) groupOf(q *query.Funnel, j journey) string {
	if !q.Breakdown.FirstTouch {
		return fieldText(*q.Breakdown, j.taken[0])
	}
	for _, touch := range touches(j.all) {
		if j.taken[0].Before(&touch) {
			continue
		}
		if q.Breakdown.Name == "entry_path" {
			return entryPage(j.all, touch.SessionID)
		}
		return fieldText(*q.Breakdown, touch)
	}
	return ""
}

// entryPage is the path of a visit's first page view.
func entryPage(all []event.Event, session string) string {
	for _, e := range all {
		if e.SessionID == session && e.Name == "$pageview" {
			return e.Path
		}
	}
	return ""
}

// touches returns the touches of an actor in order, those that are dropped left out.
func touches(all []event.Event) []event.Event {
	var list []event.Event
	for i, e := range all {
		if e.URL == "" && e.Referrer == "" {
			continue
		}
		firstOfVisit := !slices.ContainsFunc(all[:i], func(o event.Event) bool {
			return o.SessionID == e.SessionID && (o.URL != "" || o.Referrer != "")
		})
		internal := e.Source == "internal"
		cut := e.Source == "direct" && e.SessionDerived && i > 0 && e.Time-all[i-1].Time < 30*60*1000
		if firstOfVisit && !internal && !cut {
			list = append(list, e)
		}
	}
	return list
}

// funnelActors lists the actors asked for, the latest first.
func funnelActors(q *query.Funnel, reported []journey, asOf event.Seq) (actors, rest string) {
	var at []event.Event
	for _, j := range reported {
		depth := len(j.taken)
		if !q.List.Dropped && depth >= q.List.Step || q.List.Dropped && depth == q.List.Step {
			at = append(at, j.taken[q.List.Step-1])
		}
	}
	sort.Slice(at, func(i, j int) bool { return at[j].Before(&at[i]) })
	var rows []string
	start := min(q.Page.Skip, len(at))
	end := min(start+q.Limit, len(at))
	for _, e := range at[start:end] {
		rows = append(rows, object("anonymous_id", e.AnonymousID, "user_id", orNull(e.UserID), "at", e.Time.Std().Format("2006-01-02T15:04:05.000Z")))
	}
	if end < len(at) {
		rest = fmt.Sprintf(`,"next":%q`, q.Cursor(asOf, query.Page{Skip: end}))
	}
	return fmt.Sprintf(`,"actors":%s,"actors_total":%d`, list(rows), len(at)), rest
}
