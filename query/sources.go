package query

import "millimetric/index/event"

const (
	sourcesLimit    = 50
	sourcesLimitMax = 200
)

// The breakdowns of Sources.
const (
	breakdownSourceMedium = "source_medium"
	breakdownSource       = "source"
)

// mediumPaid is the medium of everything that was paid for.
const mediumPaid = "paid"

// Sources asks where events came from.
type Sources struct {
	Common
	Breakdown string // source_medium or source
	Limit     int
}

func parseSources(r *reader) Question {
	return &Sources{
		Common:    r.common(),
		Breakdown: r.choice("breakdown", breakdownSourceMedium, breakdownSource),
		Limit:     r.limit("limit", sourcesLimit, sourcesLimitMax),
	}
}

func (q *Sources) own() []Member {
	return []Member{{"breakdown", Text(q.Breakdown)}, {"limit", Int(int64(q.Limit))}}
}

// Columns are the columns that the question breaks down by.
func (q *Sources) Columns() []event.Column {
	if q.Breakdown == breakdownSource {
		return []event.Column{event.ColumnSource}
	}
	return []event.Column{event.ColumnSource, event.ColumnMedium}
}

func (q *Sources) answer(r *run) (*Answer, error) {
	by := newGroups(q.Columns())
	events, uniques, paid := newTally(false), newTally(true), newTally(false)
	who := r.actors()
	size := func() int { return by.size() + events.size() + uniques.size() + paid.size() + who.size() }
	err := r.scan(nil, size, func(e *event.Event) {
		group := by.number(e)
		events.add(group, 0)
		if actor, ok := who.number(e); ok {
			uniques.add(group, actor)
		}
		if e.Medium == mediumPaid {
			paid.add(group, 0)
		}
	})
	if err != nil {
		return nil, err
	}
	answer := &Answer{Head: []Member{{"breakdown", Text(q.Breakdown)}}}
	answer.Columns = append(names(q.Columns()), "events", "uniques", "paid_share")
	for _, g := range by.greatest(events.counts, q.Limit) {
		row := append(groupValues(nil, g.values), Int(g.total), Int(uniques.of(g.number)), Ratio(paid.of(g.number), g.total))
		answer.Rows = append(answer.Rows, row)
	}
	return answer, nil
}
