package query

import (
	"slices"

	"millimetric/index/event"
)

const (
	eventsLimit    = 100
	eventsLimitMax = 1000
)

// Events asks for the events themselves, newest first.
type Events struct {
	Common
	Matches []Match
	Limit   int
}

func parseEvents(r *reader) Question {
	q := &Events{Common: r.common()}
	q.Matches = r.match(q.Matches, "event", event.ColumnName)
	for _, column := range []event.Column{event.ColumnSource, event.ColumnMedium, event.ColumnUserID, event.ColumnCountry, event.ColumnAnonymousID} {
		q.Matches = r.match(q.Matches, string(column), column)
	}
	q.Limit = r.limit("limit", eventsLimit, eventsLimitMax)
	return q
}

func (q *Events) own() []Member {
	return append(matchSettings(q.Matches), Member{"limit", Int(int64(q.Limit))})
}

func (q *Events) answer(r *run) (*Answer, error) {
	kept := &newest{limit: q.Limit}
	size := func() int { return len(kept.events) }
	shown := place{time: q.Page.Time, seq: q.Page.Seq}
	found := 0
	err := r.scan(q.Matches, size, func(e *event.Event) {
		if shown.seq == 0 || (place{time: e.Time, seq: e.Seq}).before(shown) {
			found++
			kept.add(e)
		}
	})
	if err != nil {
		return nil, err
	}
	answer := &Answer{Columns: eventColumns(q.IncludeBots)}
	sorted := kept.sorted()
	for _, e := range sorted {
		answer.Rows = append(answer.Rows, eventRow(e, q.IncludeBots))
	}
	if q.Explain && found > len(sorted) {
		last := sorted[len(sorted)-1]
		answer.Cut = []Member{{"next", Text(q.Cursor(r.asOf, Page{Time: last.Time, Seq: last.Seq}))}}
	}
	return answer, nil
}

// newest keeps the newest events of those added, up to a limit. Events lie still in slots; their
// places are a heap with the oldest on top, so that what replaces it costs one copy of an event.
type newest struct {
	limit  int
	events []event.Event
	heap   []place // in heap order once there are limit of them
}

type place struct {
	time event.Time
	seq  event.Seq
	slot int
}

func (p place) before(o place) bool {
	if p.time != o.time {
		return p.time < o.time
	}
	return p.seq < o.seq
}

func (n *newest) add(e *event.Event) {
	at := place{time: e.Time, seq: e.Seq, slot: len(n.events)}
	if len(n.events) < n.limit {
		n.events, n.heap = append(n.events, *e), append(n.heap, at)
		if len(n.events) == n.limit {
			for i := n.limit/2 - 1; i >= 0; i-- {
				n.sink(i)
			}
		}
		return
	}
	if !n.heap[0].before(at) {
		return
	}
	at.slot = n.heap[0].slot
	n.events[at.slot], n.heap[0] = *e, at
	n.sink(0)
}

// sink moves a place down until no older one is below it.
func (n *newest) sink(i int) {
	for {
		oldest := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(n.heap); child++ {
			if n.heap[child].before(n.heap[oldest]) {
				oldest = child
			}
		}
		if oldest == i {
			return
		}
		n.heap[i], n.heap[oldest] = n.heap[oldest], n.heap[i]
		i = oldest
	}
}

// sorted returns the events, newest first.
func (n *newest) sorted() []*event.Event {
	slices.SortFunc(n.heap, func(a, b place) int {
		if b.before(a) {
			return -1
		}
		return 1 // no two events of one project are equal in the order
	})
	events := make([]*event.Event, len(n.heap))
	for i, at := range n.heap {
		events[i] = &n.events[at.slot]
	}
	return events
}

func eventColumns(withBot bool) []string {
	columns := []string{
		"timestamp", "event_name", "event_id", "anonymous_id", "user_id", "session_id", "source", "medium", "campaign",
		"source_confidence", "source_rule_id", "referrer", "url", "path", "country", "device_type", "browser", "os", "properties",
	}
	if withBot {
		columns = append(columns, "bot")
	}
	return columns
}

// eventRow is one event as clients see it. The properties are a string that holds JSON; that is
// what clients of this answer have always read.
func eventRow(e *event.Event, withBot bool) []Value {
	row := []Value{
		Text(timeText(e.Time)), Text(e.Name), TextOrNull(e.ID), Text(e.AnonymousID), TextOrNull(e.UserID), Text(e.SessionID),
		Text(e.Source), Text(e.Medium), TextOrNull(e.Campaign), Text(e.SourceConfidence), Text(e.SourceRule),
		TextOrNull(e.Referrer), TextOrNull(e.URL), TextOrNull(e.Path),
		Text(e.Country), Text(e.Device), Text(e.Browser), Text(e.OS), Text(e.Properties),
	}
	if withBot {
		row = append(row, TextOrNull(e.Bot))
	}
	return row
}
