package query

import (
	"cmp"
	"math/big"
	"slices"

	"millimetric/index/event"
)

// Sessions asks about visits: numbers per group and bucket, or the visits themselves. Its filters
// keep the visits that hold a matching event, and may ask about their entries.
type Sessions struct {
	Common
	GroupBy  []Dimension
	Interval Interval
	List     bool
	Limit    int // of groups, each with all its buckets; of a list, of visits
}

func parseSessions(r *reader) Question {
	r.entries = true
	q := &Sessions{Common: r.common()}
	q.Explain = true
	q.GroupBy = r.dimensions("group_by", true, nameEntryPath, nameExitPath)
	if _, sent := r.take("interval"); sent {
		q.Interval = Interval(r.choice("interval", string(IntervalHour), string(IntervalDay), string(IntervalWeek), string(IntervalMonth)))
	}
	if q.List = r.flag("list"); q.List {
		for _, name := range []string{"group_by", "interval"} {
			if _, sent := r.take(name); sent {
				r.errs.Add(name, "Must not stand beside list")
			}
		}
	}
	q.Limit = r.limit("limit", groupsLimit, groupsLimitMax)
	return q
}

func (q *Sessions) own() []Member {
	return []Member{
		{"group_by", Texts((&grouping{dims: q.GroupBy}).names())}, {"interval", TextOrNull(string(q.Interval))},
		{"list", Bool(q.List)}, {"limit", Int(int64(q.Limit))},
	}
}

// visit is what is known of one visit.
type visit struct {
	actor       uint32
	early       bool // it began before the range, so it isn't asked about
	matched     bool // it holds an event that the filters want
	entry       place
	last        event.Time
	events      int64 // all of them
	others      int64 // all but $identify
	fields      uint32
	first       *event.Event // the entry itself, where the question needs it
	view, leave place        // of the first and the last page view, if viewed
	viewed      bool
	entryPath   string
	exitPath    string
}

// visitScan gathers the visits whose entries lie in the range, from events in any order.
type visitScan struct {
	q       *Sessions
	who     *actors
	names   *numbering[string]
	keys    *numbering[uint64] // pairs of actor and session name
	visits  []visit
	groups  *grouping
	matches func(e, entry *event.Event) bool
	// ofEntry says that the filters ask about entries, which are only known once all has been seen.
	ofEntry bool
}

// visits finds the visits.
//
//  1. A visit that begins in the range has an event there. So the range is read first, and nothing else
//     is kept of what comes before and after.
//  2. What lies before the range rules out the visits that began there.
//  3. What comes after it belongs to the visits that are left.
//  4. Filters about entries are asked last, of all events of these visits.
func (q *Sessions) visits(r *run) (*visitScan, error) {
	s := &visitScan{q: q, who: r.actors(), names: newNumbering[string](), keys: newNumbering[uint64](), groups: newGrouping(q.GroupBy)}
	s.matches, s.ofEntry = compileVisitFilters(q.Filters)
	size := func() int {
		weight := 5
		if q.List || s.ofEntry {
			weight = 15 // a visit carries its entry with it
		}
		return weight*len(s.visits) + len(s.names.list) + s.groups.size() + s.who.size()
	}
	found := func(then func(*visit, *event.Event)) func(*event.Event) {
		return func(e *event.Event) {
			if v := s.known(e); v != nil && !v.early {
				then(v, e)
			}
		}
	}
	end := event.TimeMax + 1
	if err := r.walk(q.From, q.To, size, s.meet); err != nil {
		return nil, err
	}
	if err := r.walk(event.TimeMin, q.From, size, found(func(v *visit, _ *event.Event) { v.early = true })); err != nil {
		return nil, err
	}
	if err := r.walk(q.To, end, size, found(s.add)); err != nil || !s.ofEntry {
		return s, err
	}
	return s, r.walk(q.From, end, size, found(func(v *visit, e *event.Event) {
		v.matched = v.matched || s.matches(e, v.first)
	}))
}

// meet takes in an event of the range.
func (s *visitScan) meet(e *event.Event) {
	actor, ok := s.who.number(e)
	if !ok {
		return
	}
	number := s.keys.number(pair(actor, s.names.number(e.SessionID)))
	if int(number) == len(s.visits) {
		s.visits = append(s.visits, visit{actor: actor})
	}
	v := &s.visits[number]
	s.add(v, e)
	if at := (place{time: e.Time, seq: e.Seq}); v.events == 1 || at.before(v.entry) {
		v.entry, v.fields = at, s.groups.fields.number(e)
		if s.q.List || s.ofEntry {
			entry := *e
			v.first = &entry
		}
	}
}

// known returns the visit of an event, nil where it has none in the range.
func (s *visitScan) known(e *event.Event) *visit {
	name, ok := s.names.of[e.SessionID]
	if !ok {
		return nil
	}
	actor, ok := s.who.number(e)
	if !ok {
		return nil
	}
	number, ok := s.keys.of[pair(actor, name)]
	if !ok {
		return nil
	}
	return &s.visits[number]
}

// add counts an event of a visit.
func (s *visitScan) add(v *visit, e *event.Event) {
	at := place{time: e.Time, seq: e.Seq}
	v.events++
	v.last = max(v.last, e.Time)
	if e.Name != event.EventIdentify {
		v.others++
	}
	if !s.ofEntry && !v.matched {
		v.matched = s.matches(e, nil)
	}
	if e.Name != event.EventPageview {
		return
	}
	if !v.viewed || at.before(v.view) {
		v.view, v.entryPath = at, e.Path
	}
	if !v.viewed || v.leave.before(at) {
		v.leave, v.exitPath = at, e.Path
	}
	v.viewed = true
}

// compileVisitFilters makes one test of an event and the entry of its visit. ofEntry says whether
// the test looks at the entry.
func compileVisitFilters(filters []Filter) (matches func(e, entry *event.Event) bool, ofEntry bool) {
	return compileVisitFilter(Filter{Join: JoinAnd, Of: filters})
}

func compileVisitFilter(f Filter) (matches func(e, entry *event.Event) bool, ofEntry bool) {
	if f.Join == JoinNone {
		holds := compileLeaf(f)
		if f.Entry {
			return func(_, entry *event.Event) bool { return holds(entry) }, true
		}
		return func(e, _ *event.Event) bool { return holds(e) }, false
	}
	of := make([]func(e, entry *event.Event) bool, len(f.Of))
	for i := range f.Of {
		var some bool
		of[i], some = compileVisitFilter(f.Of[i])
		ofEntry = ofEntry || some
	}
	if f.Join == JoinNot {
		return func(e, entry *event.Event) bool { return !of[0](e, entry) }, ofEntry
	}
	// "or" ends at the first that holds, "and" at the first that doesn't.
	ends := f.Join == JoinOr
	return func(e, entry *event.Event) bool {
		for _, holds := range of {
			if holds(e, entry) == ends {
				return ends
			}
		}
		return !ends
	}, ofEntry
}

func (q *Sessions) answer(r *run) (*Answer, error) {
	s, err := q.visits(r)
	if err != nil {
		return nil, err
	}
	var kept []*visit
	for i := range s.visits {
		if v := &s.visits[i]; !v.early && v.matched {
			kept = append(kept, v)
			r.cost.Matched += int(v.events)
		}
	}
	if q.List {
		return q.list(kept), nil
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
func (q *Sessions) list(kept []*visit) *Answer {
	slices.SortFunc(kept, func(a, b *visit) int { return b.entry.compare(a.entry) })
	answer := &Answer{Columns: []string{
		"session_id", "anonymous_id", "user_id", "start", "end", "duration_s", "events", "bounced", "entry_path", "exit_path",
		"source", "medium", "campaign", "referrer", "country", "device_type", "browser", "os",
	}}
	for _, v := range kept[:min(q.Limit, len(kept))] {
		e := v.first
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
	return answer
}
