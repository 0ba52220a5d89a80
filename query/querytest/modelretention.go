package querytest

import (
	"time"

	"millimetric/index/event"
	"millimetric/query"
)

// retention shows the cohorts of the range; with a comparison, next to those that stand at the same place
// among the buckets of the period before.
func (m Model) retention(q *query.Retention) string {
	now := m.births(q)
	var cohorts []string
	if !q.Compare {
		for at := q.From; at < q.To; {
			start := m.Walk.start(q.Period, q.Zone, at)
			if len(now[start]) > 0 {
				cohorts = append(cohorts, object(m.cohort(q, &start, now[start])...))
			}
			at = m.Walk.next(q.Period, q.Zone, start)
		}
		return `{"cohorts":` + list(cohorts)
	}
	before := *q
	before.From, before.To = m.previous(&q.Common)
	then := m.births(&before)
	nows := m.periods(q, q.From, q.To)
	thens := m.beside(&q.Common, nows, m.periods(q, before.From, before.To))
	for place := range max(len(nows), len(thens)) {
		nowStart, nowBorn := bornAt(nows, place, now)
		thenStart, thenBorn := bornAt(thens, place, then)
		if len(nowBorn)+len(thenBorn) > 0 {
			cohorts = append(cohorts, object(append(m.cohort(q, nowStart, nowBorn), "previous", raw(object(m.cohort(q, thenStart, thenBorn)...)))...))
		}
	}
	return `{"cohorts":` + list(cohorts)
}

// periods returns the starts of all periods of a range.
func (m Model) periods(q *query.Retention, from, to event.Time) (starts []event.Time) {
	for at := from; at < to; {
		start := m.Walk.start(q.Period, q.Zone, at)
		starts = append(starts, start)
		at = m.Walk.next(q.Period, q.Zone, start)
	}
	return starts
}

// bornAt returns the period at a place, and who was born in it; there is none beyond the last.
func bornAt(starts []event.Time, place int, births map[event.Time][]birth) (*event.Time, []birth) {
	if place >= len(starts) {
		return nil, nil
	}
	return &starts[place], births[starts[place]]
}

// births parts the actors who were born in the range by the bucket of their birth.
func (m Model) births(q *query.Retention) map[event.Time][]birth {
	births := map[event.Time][]birth{}
	for _, events := range m.actorsEvents(&q.Common) {
		if b, ok := born(q, events); ok {
			start := m.Walk.start(q.Period, q.Zone, b.at.Time)
			births[start] = append(births[start], b)
		}
	}
	return births
}

// cohort looks, for each cell, at every actor of the cohort again.
func (m Model) cohort(q *query.Retention, start *event.Time, births []birth) []any {
	var cells []string
	var date any
	from := event.TimeMin
	if start != nil {
		date, from = start.Std().In(q.Zone).Format(time.DateOnly), *start
	}
	for k := range q.Periods {
		if start == nil {
			cells = append(cells, object("k", k, "actors", 0, "share", nil, "partial", false))
			continue
		}
		to := m.Walk.next(q.Period, q.Zone, from)
		came := 0
		for _, b := range births {
			if b.cameIn(q, from, to) {
				came++
			}
		}
		cells = append(cells, object("k", k, "actors", came, "share", ratio(came, len(births)), "partial", to > q.Now))
		from = to
	}
	return []any{"cohort", date, "size", len(births), "periods", raw(list(cells))}
}

// birth is the first event of an actor that matches, and all of the actor's events.
type birth struct {
	at  event.Event
	all []event.Event
}

func born(q *query.Retention, events []event.Event) (b birth, ok bool) {
	for _, e := range events {
		inRange := e.Time >= q.From && e.Time < q.To
		if (inRange || q.BirthEver) && isStep(e, q.Birth) && holdsAll(e, nil, q.Filters) {
			return birth{at: e, all: events}, inRange
		}
	}
	return b, false
}

// cameIn tells whether there is a return, the birth or later, in a period, or if it is unbounded in
// it or any later one.
func (b birth) cameIn(q *query.Retention, from, to event.Time) bool {
	for _, e := range b.all {
		inPeriod := e.Time >= from && (e.Time < to || q.Unbounded)
		if inPeriod && !e.Before(&b.at) && isStep(e, q.Return) && holdsAll(e, nil, q.Filters) {
			return true
		}
	}
	return false
}
