package query

import (
	"cmp"
	"math/big"
	"slices"

	"millimetric/index/event"
)

func (q *Sessions) answer(r *run) (*Answer, error) {
	groups := newGrouping(q.GroupBy)
	now, err := q.period(r, groups)
	if err != nil {
		return nil, err
	}
	if q.List {
		return q.list(r, now.entries, now.kept)
	}
	periods := []*visitPeriod{now}
	if q.Compare {
		past := *q
		past.From, past.To = q.Previous()
		err := r.during(&past.Common, visitWeight*len(now.kept), func() error {
			before, err := past.period(r, groups)
			periods = append(periods, before)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return q.table(r, groups, periods)
}

// visitPeriod is the visits of a range.
type visitPeriod struct {
	*visitScan
	kept    []*visit
	buckets *period // only its buckets are used
}

// period finds the visits of the question's range.
func (q *Sessions) period(r *run, groups *grouping) (*visitPeriod, error) {
	s, err := q.visits(r, groups)
	if err != nil {
		return nil, err
	}
	p := &visitPeriod{visitScan: s, buckets: &period{from: q.From, to: q.To, buckets: newCalendar(q.Interval, q.Zone)}}
	for i := range s.visits {
		if v := &s.visits[i]; !v.early && v.matched {
			v.number = uint32(i)
			p.kept = append(p.kept, v)
			r.cost.Matched += int(v.events)
		}
	}
	return p, nil
}

// visitSet is the visits of one group, or of one group in one bucket: those of each period, where the
// buckets of two periods belong together that stand at the same place.
type visitSet struct {
	place   int
	group   uint32
	keys    []string
	periods [2][]*visit
}

// table makes one row of each group, or of each group and bucket.
func (q *Sessions) table(r *run, groups *grouping, periods []*visitPeriod) (*Answer, error) {
	whole, parts, orders, err := q.part(groups, periods)
	if err != nil {
		return nil, err
	}
	order := func(a, b *visitSet) int {
		return cmp.Or(cmp.Compare(len(b.periods[0]), len(a.periods[0])), groups.compare(a.keys, b.keys))
	}
	for _, set := range slices.Concat(whole.list, parts.list) {
		set.keys = groups.keys(set.group)
	}
	slices.SortFunc(whole.list, order)
	start := min(q.Page.Skip, len(whole.list))
	end := min(start+q.Limit, len(whole.list))
	shown, rest := whole.list[start:end], whole.list[end:]
	answer := &Answer{Left: len(rest)}
	if len(rest) > 0 {
		other := &visitSet{}
		for _, set := range rest {
			for i := range periods {
				other.periods[i] = append(other.periods[i], set.periods[i]...)
			}
		}
		answer.Cut = r.cutAt(end, len(whole.list), Object(q.numbers(other, nil)...))
	}
	if q.Interval != IntervalNone {
		answer.Columns = []string{"bucket"}
		chosen := map[uint32]bool{}
		for _, set := range shown {
			chosen[set.group] = true
		}
		shown = slices.DeleteFunc(parts.list, func(set *visitSet) bool { return !chosen[set.group] })
		slices.SortFunc(shown, func(a, b *visitSet) int { return cmp.Or(cmp.Compare(a.place, b.place), order(a, b)) })
	}
	answer.Columns = append(answer.Columns, groups.names()...)
	for _, m := range q.numbers(&visitSet{}, nil) {
		answer.Columns = append(answer.Columns, m.Name)
	}
	for _, set := range shown {
		var row, before []Value
		if q.Interval != IntervalNone {
			row = []Value{periods[0].buckets.bucketText(orders[0], set.place)}
			if q.Compare {
				before = []Value{periods[1].buckets.bucketText(orders[1], set.place)}
			}
		}
		row = groups.row(row, set.keys)
		for _, m := range q.numbers(set, before) {
			row = append(row, m.Value)
		}
		answer.Rows = append(answer.Rows, row)
	}
	return answer, nil
}

// part parts the visits of all periods by group, and by group and bucket.
func (q *Sessions) part(groups *grouping, periods []*visitPeriod) (whole, parts *visitSets, orders []bucketOrder, err error) {
	whole, parts = newVisitSets(), newVisitSets()
	if len(q.GroupBy) == 0 && q.Interval == IntervalNone {
		whole.of(0, 0) // the total of nothing is a row, too
		groups.number(0, "", "")
	}
	for i, p := range periods {
		if q.Interval != IntervalNone {
			for _, v := range p.kept {
				p.buckets.buckets.number(v.entry.time)
			}
			order, ok := p.buckets.order(q.Compare)
			if !ok {
				return nil, nil, nil, tooManyBuckets()
			}
			if orders = append(orders, order); i == 1 {
				orders[1] = q.beside(periods[0].buckets, p.buckets, orders)
			}
		}
		for _, v := range p.kept {
			group := groups.number(v.fields, v.entryPath, v.exitPath)
			whole.add(group, 0, i, v)
			if q.Interval != IntervalNone {
				parts.add(group, orders[i].places[p.buckets.buckets.number(v.entry.time)], i, v)
			}
		}
	}
	return whole, parts, orders, nil
}

// numbers reckons what a row says: of its visits, and with compare of those in the period before, whose
// bucket may stand in front.
func (q *Sessions) numbers(set *visitSet, bucket []Value) []Member {
	members := visitNumbers(set.periods[0])
	if !q.Compare {
		return members
	}
	var previous []Member
	for _, b := range bucket {
		previous = append(previous, Member{"bucket", b})
	}
	return append(members, Member{"previous", Object(append(previous, visitNumbers(set.periods[1])...)...)})
}

// visitSets parts visits by group and bucket.
type visitSets struct {
	at   map[uint64]*visitSet
	list []*visitSet
}

func newVisitSets() *visitSets { return &visitSets{at: map[uint64]*visitSet{}} }

func (s *visitSets) of(group uint32, place int) *visitSet {
	key := pair(group, uint32(place))
	set := s.at[key]
	if set == nil {
		set = &visitSet{group: group, place: place}
		s.at[key] = set
		s.list = append(s.list, set)
	}
	return set
}

func (s *visitSets) add(group uint32, place, period int, v *visit) {
	set := s.of(group, place)
	set.periods[period] = append(set.periods[period], v)
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
