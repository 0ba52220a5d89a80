package querytest

import (
	"sort"
	"time"

	"millimetric/index/event"
	"millimetric/query"
)

// retention looks, for each cell, at every actor of the cohort again.
func (m Model) retention(q *query.Retention) string {
	births := map[event.Time][]birth{}
	var starts []event.Time
	for _, events := range m.actorsEvents(&q.Common) {
		b, ok := born(q, events)
		if !ok {
			continue
		}
		start := m.Walk.start(q.Period, q.Zone, b.at.Time)
		if births[start] == nil {
			starts = append(starts, start)
		}
		births[start] = append(births[start], b)
	}
	sort.Slice(starts, func(i, j int) bool { return starts[i] < starts[j] })
	var cohorts []string
	for _, start := range starts {
		var cells []string
		from := start
		for k := range q.Periods {
			to := m.Walk.next(q.Period, q.Zone, from)
			came := 0
			for _, b := range births[start] {
				if b.cameIn(q, from, to) {
					came++
				}
			}
			cells = append(cells, object("k", k, "actors", came, "share", ratio(came, len(births[start])), "partial", to > q.Now))
			from = to
		}
		cohorts = append(cohorts, object("cohort", start.Std().In(q.Zone).Format(time.DateOnly), "size", len(births[start]), "periods", raw(list(cells))))
	}
	return `{"cohorts":` + list(cohorts)
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
