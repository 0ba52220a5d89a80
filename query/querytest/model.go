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
	m.Events = slices.DeleteFunc(slices.Clone(m.Events), func(e event.Event) bool { return e.Seq > asOf })
	end := fmt.Sprintf(`,"as_of":"%d"}`, asOf)
	switch q := question.(type) {
	case *query.Events:
		return `{"rows":` + m.newest(q) + end
	case *query.Stats:
		return `{"metric":"` + string(q.Metric) + `","rows":` + m.stats(q) + end
	case *query.Sources:
		return `{"breakdown":"` + q.Breakdown + `","rows":` + m.sources(q) + end
	case *query.Funnel:
		return m.funnel(q) + end
	case *query.Retention:
		return m.retention(q) + end
	}
	panic(fmt.Sprintf("the model knows no %T", question))
}

// chosen returns the events that a question is about.
func (m Model) chosen(c *query.Common, matches []query.Match) []event.Event {
	var list []event.Event
	for _, e := range m.Events {
		if e.Time < c.From || e.Time >= c.To {
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

func (m Model) newest(q *query.Events) string {
	events := m.chosen(&q.Common, q.Matches)
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
	return list(rows)
}

// set is some events that belong together: those of one group, or of one group in one bucket.
type set struct {
	bucket string // "" for a whole group
	start  event.Time
	group  []string
	events []event.Event
	value  int
}

func (m Model) stats(q *query.Stats) string {
	events := m.chosen(&q.Common, q.Matches)
	if q.Metric == query.MetricUniques {
		events = slices.DeleteFunc(events, func(e event.Event) bool { return m.actor(q.Actor, e) == "" })
	}
	groups := m.sets(q, events, query.IntervalNone)
	if len(groups) == 0 && len(q.GroupBy) == 0 && q.Interval == query.IntervalNone {
		groups = []set{{}} // the one group of everything is there even when it holds nothing
	}
	sortSets(groups)
	groups = groups[:min(q.Limit, len(groups))]
	shown := groups
	if q.Interval != query.IntervalNone {
		shown = nil
		for _, s := range m.sets(q, events, q.Interval) {
			if slices.ContainsFunc(groups, func(g set) bool { return slices.Equal(g.group, s.group) }) {
				shown = append(shown, s)
			}
		}
		sortSets(shown)
	}
	var rows []string
	for _, s := range shown {
		var row []any
		if q.Interval != query.IntervalNone {
			row = append(row, "bucket", s.bucket)
		}
		for i, column := range q.GroupBy {
			row = append(row, string(column), orNull(s.group[i]))
		}
		rows = append(rows, object(append(row, "value", s.value)...))
	}
	return list(rows)
}

// sets parts events by group and bucket.
func (m Model) sets(q *query.Stats, events []event.Event, interval query.Interval) []set {
	var sets []set
	for _, e := range events {
		s := set{group: valuesOf(e, q.GroupBy)}
		if interval != query.IntervalNone {
			s.start = m.Walk.start(interval, q.Zone, e.Time)
			s.bucket = s.start.Std().In(q.Zone).Format("2006-01-02T15:04:05Z07:00")
		}
		at := slices.IndexFunc(sets, func(other set) bool { return other.start == s.start && slices.Equal(other.group, s.group) })
		if at < 0 {
			at = len(sets)
			sets = append(sets, s)
		}
		sets[at].events = append(sets[at].events, e)
	}
	for i := range sets {
		sets[i].value = len(sets[i].events)
		if q.Metric == query.MetricUniques {
			sets[i].value = m.distinct(q.Actor, sets[i].events)
		}
	}
	return sets
}

// sortSets orders by bucket, then by value from the highest, then by group with nulls last.
func sortSets(sets []set) {
	sort.Slice(sets, func(i, j int) bool {
		a, b := sets[i], sets[j]
		if a.start != b.start {
			return a.start < b.start
		}
		if a.value != b.value {
			return a.value > b.value
		}
		for k := range a.group {
			if x, y := a.group[k], b.group[k]; x != y {
				return y == "" || x != "" && x < y
			}
		}
		return false
	})
}

func (m Model) sources(q *query.Sources) string {
	columns := []event.Column{event.ColumnSource, event.ColumnMedium}
	if q.Breakdown == "source" {
		columns = columns[:1]
	}
	grouped := &query.Stats{Common: q.Common, GroupBy: columns, Metric: query.MetricCount}
	sets := m.sets(grouped, m.chosen(&q.Common, nil), query.IntervalNone)
	sortSets(sets)
	var rows []string
	for _, s := range sets[:min(q.Limit, len(sets))] {
		var row []any
		for i, column := range columns {
			row = append(row, string(column), orNull(s.group[i]))
		}
		paid := 0
		for _, e := range s.events {
			if e.Medium == "paid" {
				paid++
			}
		}
		row = append(row, "events", s.value, "uniques", m.distinct(q.Actor, s.events), "paid_share", raw(share(paid, s.value)))
		rows = append(rows, object(row...))
	}
	return list(rows)
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

func valuesOf(e event.Event, columns []event.Column) []string {
	var values []string
	for _, column := range columns {
		value, _ := e.Text(column)
		values = append(values, value)
	}
	return values
}
