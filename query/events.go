package query

import (
	"slices"

	"millimetric/index"
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
	r.noPicture(&q.Common)
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

// answer finds the newest events by their columns, and makes events only of those that it shows. One
// more than is shown tells whether there are more.
func (q *Events) answer(r *run) (*Answer, error) {
	kept := &newest{limit: q.Limit + 1}
	shown := place{time: q.Page.Time, seq: q.Page.Seq}
	to := q.To
	if shown.seq != 0 {
		to = min(to, shown.time+1)
	}
	err := r.each(&pass{
		from: q.From, to: to, wants: conditionsOf(q.Matches, q.Filters),
		size: func() int { return len(kept.slots) },
		skip: kept.beats, tooOld: kept.after, lacks: kept.lacks,
		one: oneOf(q.Matches, q.Filters),
		visit: func(e *scanRow) {
			r.cost.Matched++
			if shown.seq == 0 || e.place().before(shown) {
				kept.add(e)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	more := len(kept.slots) > q.Limit
	sorted, err := kept.sorted(r, q.Limit)
	if err != nil {
		return nil, err
	}
	answer := &Answer{Columns: eventColumns(q.IncludeBots)}
	for _, e := range sorted {
		answer.Rows = append(answer.Rows, eventRow(e, q.IncludeBots))
	}
	if q.Explain && more {
		last := sorted[len(sorted)-1]
		answer.Cut = []Member{{"next", Text(q.Cursor(r.asOf, Page{Time: last.Time, Seq: last.Seq}))}}
	}
	return answer, nil
}

// newest keeps the newest events of those added, up to a limit. Events lie still in slots; their
// places are a heap with the oldest on top, so that what replaces it costs one copy of a slot.
type newest struct {
	limit int
	slots []slot
	heap  []place // in heap order once there are limit of them
}

type place struct {
	time event.Time
	seq  event.Seq
	slot int // of what is known of it elsewhere
}

func (p place) before(o place) bool {
	if p.time != o.time {
		return p.time < o.time
	}
	return p.seq < o.seq
}

func (n *newest) add(e *scanRow) {
	at := e.place()
	at.slot = len(n.slots)
	if len(n.slots) < n.limit {
		n.slots, n.heap = append(n.slots, slot{}), append(n.heap, at)
		n.slots[at.slot].keep(e)
		if len(n.slots) == n.limit {
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
	n.heap[0] = at
	n.slots[at.slot].keep(e)
	n.sink(0)
}

// beats tells whether all that is kept is newer than all of a segment.
func (n *newest) beats(segment *index.Segment) bool {
	_, last := segment.TimeRange()
	return n.after(last)
}

// after tells whether all that is kept is newer than a time, and nothing older is wanted.
func (n *newest) after(t event.Time) bool { return len(n.slots) == n.limit && t < n.heap[0].time }

// lacks tells how many events more are kept whatever their times are.
func (n *newest) lacks() int { return n.limit - len(n.slots) }

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

// sorted returns the events, newest first, as many as most.
func (n *newest) sorted(r *run, most int) ([]*event.Event, error) {
	slices.SortFunc(n.heap, func(a, b place) int { return b.compare(a) })
	list := n.heap[:min(most, len(n.heap))]
	// Readers are best asked for rows that rise.
	rising := slices.Clone(list)
	slices.SortFunc(rising, func(a, b place) int { return n.slots[a.slot].compare(&n.slots[b.slot]) })
	for _, at := range rising {
		if err := r.read(&n.slots[at.slot]); err != nil {
			return nil, err
		}
	}
	events := make([]*event.Event, len(list))
	for i, at := range list {
		events[i] = n.slots[at.slot].live
	}
	return events, nil
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
