package querytest

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"millimetric/index/event"
	"millimetric/query"
)

// Model answers questions from a slice of events, given in the order of their positions. It is
// written to be read, not to be fast: it follows the definitions word by word, looks at all events
// again for each thing that it wants to know, and keeps nothing.
type Model struct {
	Events []event.Event
	Walk   *Walk // the calendar; may be shared between models
	// Floor is the time before which events are as if they had never been sent.
	Floor event.Time
	// Commits says when positions were committed, which is the clock of a replay; where it says nothing,
	// that is the question's.
	Commits []event.Time
}

// Answer returns the JSON of the answer, or of the error.
func (m Model) Answer(question query.Question) string {
	c := question.Settings()
	asOf := event.Seq(0)
	for _, e := range m.Events {
		asOf = max(asOf, e.Seq)
	}
	if c.Replay && c.AsOf > asOf {
		return Refusal(event.InvalidField(event.CodeInvalidParams, "as_of", "Lies beyond the last position"))
	}
	if c.Replay {
		asOf = c.AsOf
	}
	if c.Replay && asOf > 0 && int(asOf) <= len(m.Commits) {
		defer func(now event.Time) { c.Now = now }(c.Now)
		c.Now = m.Commits[asOf-1]
	}
	if c.Page.Now != 0 {
		c.Now = c.Page.Now
	}
	m.Events = slices.DeleteFunc(slices.Clone(m.Events), func(e event.Event) bool { return e.Seq > asOf || e.Time < m.Floor })
	end := fmt.Sprintf(`,"as_of":"%d"}`, asOf)
	switch q := question.(type) {
	case *query.Events:
		return `{"rows":` + m.newest(q, asOf) + end
	case *query.Stats:
		return `{"metric":` + value(spelled(q)) + `,"rows":` + m.stats(q, asOf) + end
	case *query.Sources:
		return `{"breakdown":"` + q.Breakdown + `","rows":` + m.sources(q, asOf) + end
	case *query.Paths:
		return `{"root":` + m.paths(q) + end
	case *query.Attribution:
		return `{"rows":` + m.attribution(q, asOf) + end
	case *query.Sessions:
		return `{"rows":` + m.sessions(q, asOf) + end
	case *query.Funnel:
		return m.funnel(q, asOf) + end
	case *query.Retention:
		return m.retention(q) + end
	case *query.Live:
		return m.live(q) + end
	}
	panic(fmt.Sprintf("the model knows no %T", question))
}

// chosen returns the events that a question is about.
func (m Model) chosen(c *query.Common, matches []query.Match) []event.Event {
	return m.between(c, matches, c.From, c.To)
}

// between returns the events of another range by the same rules.
func (m Model) between(c *query.Common, matches []query.Match, from, to event.Time) []event.Event {
	var list []event.Event
	for _, e := range m.Events {
		if e.Time < from || e.Time >= to {
			continue
		}
		if e.Bot != "" && !c.IncludeBots {
			continue
		}
		if holdsAll(e, matches, c.Filters) {
			list = append(list, e)
		}
	}
	return list
}

// actor names the actor of an event, "" where it has none.
func (m Model) actor(kind query.Actor, e event.Event) string {
	switch kind {
	case query.ActorUser:
		if e.UserID == "" {
			return ""
		}
		return "user " + e.UserID
	case query.ActorSession:
		return fmt.Sprintf("session %q of %q", e.SessionID, e.AnonymousID)
	case query.ActorPerson:
		if user := m.userOf(e); user != "" {
			return "user " + user
		}
	}
	return "visitor " + e.AnonymousID
}

// userOf returns the user whose person an event belongs to, "" where there is none: its own, or
// that of the first event of its visitor that carries one, wherever and whoever's that is.
func (m Model) userOf(e event.Event) string {
	if e.UserID != "" {
		return e.UserID
	}
	first := -1
	for i := range m.Events {
		link := &m.Events[i]
		if link.AnonymousID == e.AnonymousID && link.UserID != "" && (first < 0 || link.Before(&m.Events[first])) {
			first = i
		}
	}
	if first < 0 {
		return ""
	}
	return m.Events[first].UserID
}

// distinct counts the actors of some events.
func (m Model) distinct(kind query.Actor, events []event.Event) int {
	met := map[string]bool{}
	for _, e := range events {
		if actor := m.actor(kind, e); actor != "" {
			met[actor] = true
		}
	}
	return len(met)
}

func (m Model) newest(q *query.Events, asOf event.Seq) string {
	events := m.chosen(&q.Common, q.Matches)
	if shown := (event.Event{Time: q.Page.Time, Seq: q.Page.Seq}); shown.Seq > 0 {
		events = slices.DeleteFunc(events, func(e event.Event) bool { return !e.Before(&shown) })
	}
	sort.Slice(events, func(i, j int) bool { return events[j].Before(&events[i]) })
	var rows []string
	for _, e := range events {
		if len(rows) == q.Limit {
			break
		}
		row := []any{
			"timestamp", e.Time.Std().Format("2006-01-02T15:04:05.000Z"), "event_name", e.Name, "event_id", orNull(e.ID),
			"anonymous_id", e.AnonymousID, "user_id", orNull(e.UserID), "session_id", e.SessionID,
			"source", e.Source, "medium", e.Medium, "campaign", orNull(e.Campaign),
			"source_confidence", e.SourceConfidence, "source_rule_id", e.SourceRule,
			"referrer", orNull(e.Referrer), "url", orNull(e.URL), "path", orNull(e.Path),
			"country", e.Country, "device_type", e.Device, "browser", e.Browser, "os", e.OS, "properties", e.Properties,
		}
		if q.IncludeBots {
			row = append(row, "bot", orNull(e.Bot))
		}
		rows = append(rows, object(row...))
	}
	next := ""
	if q.Explain && len(events) > len(rows) {
		last := events[len(rows)-1]
		next = `,"next":"` + q.Cursor(asOf, query.Page{Time: last.Time, Seq: last.Seq}) + `"`
	}
	return list(rows) + next
}

// share returns part/whole in ten-thousandths: the nearest one, of two equally near the even one.
func share(part, whole int) string {
	nearest := 0
	for k := 1; k <= 10000; k++ {
		// |part/whole - k/10000|, both sides multiplied by whole and 10000
		distance := abs(part*10000 - k*whole)
		best := abs(part*10000 - nearest*whole)
		if distance < best || distance == best && k%2 == 0 {
			nearest = k
		}
	}
	text := strings.TrimRight(fmt.Sprintf("%d.%04d", nearest/10000, nearest%10000), "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text
}

func abs(n int) int { return max(n, -n) }
