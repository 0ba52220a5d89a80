package query

import (
	"math/big"
	"slices"

	"millimetric/index/event"
)

// list makes one row of each visit, newest first.
func (q *Sessions) list(r *run) (*Answer, error) {
	s, err := q.visits(r, newGrouping(nil))
	if err != nil {
		return nil, err
	}
	entries, kept := s.entries, s.kept(r)
	slices.SortFunc(kept, func(a, b *visit) int { return b.entry.compare(a.entry) })
	answer := &Answer{Columns: []string{
		"session_id", "anonymous_id", "user_id", "start", "end", "duration_s", "events", "bounced", "entry_path", "exit_path",
		"source", "medium", "campaign", "referrer", "country", "device_type", "browser", "os",
	}}
	start := min(q.Page.Skip, len(kept))
	end := min(start+q.Limit, len(kept))
	shown := kept[start:end]
	events := make([]event.Event, len(shown))
	rising := make([]int, len(shown))
	for i := range rising {
		rising[i] = i
	}
	slices.SortFunc(rising, func(a, b int) int { return entries[shown[a].number].compare(&entries[shown[b].number]) })
	for _, i := range rising {
		var err error
		if events[i], err = r.bare(&entries[shown[i].number]); err != nil {
			return nil, err
		}
	}
	for i, v := range shown {
		e := &events[i]
		answer.Rows = append(answer.Rows, []Value{
			Text(e.SessionID), Text(e.AnonymousID), TextOrNull(e.UserID), Text(timeText(v.entry.time)), Text(timeText(v.last)),
			Seconds(big.NewInt(int64(v.last-v.entry.time)), 1), Int(v.events), Bool(v.bounced()), TextOrNull(v.entryPath), TextOrNull(v.exitPath),
			TextOrNull(e.Source), TextOrNull(e.Medium), TextOrNull(e.Campaign), TextOrNull(e.Referrer),
			TextOrNull(e.Country), TextOrNull(e.Device), TextOrNull(e.Browser), TextOrNull(e.OS),
		})
	}
	if end < len(kept) {
		answer.Cut = []Member{{"next", Text(q.Cursor(r.asOf, Page{Skip: end}))}, {"visits_total", Int(int64(len(kept)))}}
	}
	return answer, nil
}
