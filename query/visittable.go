package query

import (
	"cmp"
	"math/big"
	"slices"

	"millimetric/index/event"
)

func (q *Sessions) answer(r *run) (*Answer, error) {
	s, err := q.visits(r)
	if err != nil {
		return nil, err
	}
	var kept []*visit
	for i := range s.visits {
		if v := &s.visits[i]; !v.early && v.matched {
			v.number = uint32(i)
			kept = append(kept, v)
			r.cost.Matched += int(v.events)
		}
	}
	if q.List {
		return q.list(r, s.entries, kept)
	}
	return q.table(s.groups, kept), nil
}

// visitSet is the visits of one group, or of one group in one bucket.
type visitSet struct {
	bucket uint32
	group  uint32
	keys   []string
	visits []*visit
}

// table makes one row of each group, or of each group and bucket.
func (q *Sessions) table(groups *grouping, kept []*visit) *Answer {
	buckets := newCalendar(q.Interval, q.Zone)
	whole, parts := newVisitSets(), newVisitSets()
	if len(q.GroupBy) == 0 && q.Interval == IntervalNone {
		whole.of(0, 0) // the total of nothing is a row, too
		groups.number(0, "", "")
	}
	for _, v := range kept {
		group := groups.number(v.fields, v.entryPath, v.exitPath)
		whole.add(group, 0, v)
		if q.Interval != IntervalNone {
			parts.add(group, buckets.number(v.entry.time), v)
		}
	}
	order := func(a, b *visitSet) int {
		return cmp.Or(cmp.Compare(len(b.visits), len(a.visits)), groups.compare(a.keys, b.keys))
	}
	for _, set := range append(whole.list, parts.list...) {
		set.keys = groups.keys(set.group)
	}
	slices.SortFunc(whole.list, order)
	shown, rest := whole.list[:min(q.Limit, len(whole.list))], whole.list[min(q.Limit, len(whole.list)):]
	answer := &Answer{}
	if len(rest) > 0 {
		var others []*visit
		for _, set := range rest {
			others = append(others, set.visits...)
		}
		answer.Foot = []Member{{"groups_total", Int(int64(len(whole.list)))}, {"other", Object(visitNumbers(others)...)}}
	}
	if q.Interval != IntervalNone {
		answer.Columns = []string{"bucket"}
		chosen := map[uint32]bool{}
		for _, set := range shown {
			chosen[set.group] = true
		}
		shown = slices.DeleteFunc(parts.list, func(set *visitSet) bool { return !chosen[set.group] })
		slices.SortFunc(shown, func(a, b *visitSet) int {
			return cmp.Or(cmp.Compare(buckets.starts[a.bucket], buckets.starts[b.bucket]), order(a, b))
		})
	}
	answer.Columns = append(answer.Columns, groups.names()...)
	for _, m := range visitNumbers(nil) {
		answer.Columns = append(answer.Columns, m.Name)
	}
	for _, set := range shown {
		var row []Value
		if q.Interval != IntervalNone {
			row = []Value{Text(buckets.text(set.bucket))}
		}
		row = groups.row(row, set.keys)
		for _, m := range visitNumbers(set.visits) {
			row = append(row, m.Value)
		}
		answer.Rows = append(answer.Rows, row)
	}
	return answer
}

// visitSets parts visits by group and bucket.
type visitSets struct {
	at   map[uint64]*visitSet
	list []*visitSet
}

func newVisitSets() *visitSets { return &visitSets{at: map[uint64]*visitSet{}} }

func (s *visitSets) of(group, bucket uint32) *visitSet {
	key := pair(group, bucket)
	set := s.at[key]
	if set == nil {
		set = &visitSet{group: group, bucket: bucket}
		s.at[key] = set
		s.list = append(s.list, set)
	}
	return set
}

func (s *visitSets) add(group, bucket uint32, v *visit) {
	set := s.of(group, bucket)
	set.visits = append(set.visits, v)
}

// visitNumbers reckons what an answer says about some visits.
func visitNumbers(visits []*visit) []Member {
	var bounced, events int64
	var length big.Int
	durations := make([]event.Time, len(visits))
	actors := map[uint32]struct{}{}
	for i, v := range visits {
		durations[i] = v.last - v.entry.time
		length.Add(&length, big.NewInt(int64(durations[i])))
		events += v.events
		if v.bounced() {
			bounced++
		}
		actors[v.actor] = struct{}{}
	}
	slices.Sort(durations)
	n := int64(len(visits))
	var median, mean Value
	if n > 0 {
		median = Seconds(big.NewInt(int64(durations[(n-1)/2])), 1) // the nearest rank
		mean = Seconds(&length, n)
	}
	return []Member{
		{"visits", Int(n)}, {"actors", Int(int64(len(actors)))}, {"bounce_rate", RoundedRatio(bounced, n)},
		{"duration_median_s", median}, {"duration_mean_s", mean}, {"events_per_visit", RoundedRatio(events, n)},
	}
}

// bounced tells whether a visit holds one event only; $identify says who comes, not what they do.
func (v *visit) bounced() bool { return v.others == 1 }

// list makes one row of each visit, newest first.
func (q *Sessions) list(r *run, entries []slot, kept []*visit) (*Answer, error) {
	slices.SortFunc(kept, func(a, b *visit) int { return b.entry.compare(a.entry) })
	answer := &Answer{Columns: []string{
		"session_id", "anonymous_id", "user_id", "start", "end", "duration_s", "events", "bounced", "entry_path", "exit_path",
		"source", "medium", "campaign", "referrer", "country", "device_type", "browser", "os",
	}}
	shown := kept[:min(q.Limit, len(kept))]
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
	if len(kept) > q.Limit {
		answer.Foot = []Member{{"visits_total", Int(int64(len(kept)))}}
	}
	return answer, nil
}
