package query

import (
	"millimetric/index/event"
)

// Sessions asks about visits: numbers per group and bucket, or the visits themselves. Its filters
// keep the visits that hold a matching event, and may ask about their entries.
type Sessions struct {
	Common
	GroupBy  []Dimension
	Interval Interval
	List     bool
	Compare  bool // each row has what was in the previous period
	Limit    int  // of groups, each with all its buckets; of a list, of visits
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
		r.noPicture(&q.Common)
		for _, name := range []string{"group_by", "interval", "compare"} {
			if _, sent := r.take(name); sent {
				r.errs.Add(name, "Must not stand beside list")
			}
		}
	}
	q.Compare = r.compare()
	q.Limit = r.limit("limit", groupsLimit, groupsLimitMax)
	return q
}

func (q *Sessions) own() []Member {
	members := []Member{
		{"group_by", Texts((&grouping{dims: q.GroupBy}).names())}, {"interval", TextOrNull(string(q.Interval))}, {"list", Bool(q.List)},
	}
	members = append(members, compareSettings(&q.Common, q.Compare)...)
	return append(members, Member{"limit", Int(int64(q.Limit))})
}

// visit is what is known of one visit.
type visit struct {
	visitSpan
	visitPages
	actor   uint32
	number  uint32 // of the visit, once they are all known
	early   bool   // it began before the range, so it isn't asked about
	matched bool   // it holds an event that the filters want
	fields  uint32
	facts   uint32 // which combination of what the filters ask about the entry
}

// What a visit weighs in entries of a table, and the copy of a live event.
const (
	visitWeight = 5
	copyWeight  = 10
)

// visitScan gathers the visits whose entries lie in the range, from events in any order.
type visitScan struct {
	q       *Sessions
	who     *actors
	names   *sessionNumbers
	keys    *numbering[uint64] // pairs of actor and session name
	visits  []visit
	groups  *grouping
	filters visitFilters
	entries []slot // of the visits, where the question is for a list
	copied  int    // of these, live events, which are copied: of a sealed one, its place is kept alone
}

// visits finds the visits of whoever acts, and whole ones for a list. Where numbers of visitors' visits are asked for,
// a visitWalk needs less memory.
//
//  1. A visit that begins in the range has an event there. So the range is read first, and nothing else
//     is kept of what comes before and after.
//  2. What lies before the range rules out the visits that began there.
//  3. What comes after it belongs to the visits that are left.
//  4. Filters about entries are asked last, of all events of these visits: which entry a visit has is
//     only known once all of it has been seen.
func (q *Sessions) visits(r *run, groups *grouping) (*visitScan, error) {
	who, err := r.actors()
	if err != nil {
		return nil, err
	}
	s := &visitScan{q: q, who: who, names: newSessionNumbers(), keys: newNumbering[uint64](), groups: groups}
	s.filters.compile(q.Filters)
	size := func() int {
		return visitWeight*len(s.visits) + len(s.entries) + copyWeight*s.copied + len(s.names.list) + s.groups.size() + s.who.size() + s.filters.size()
	}
	found := func(then func(*visit, *scanRow)) func(*scanRow) {
		return func(e *scanRow) {
			if v := s.known(e); v != nil && !v.early {
				then(v, e)
			}
		}
	}
	end := event.TimeMax + 1
	if err := r.walk(q.From, q.To, size, s.meet); err != nil {
		return nil, err
	}
	if err := r.walk(event.TimeMin, q.From, size, found(func(v *visit, _ *scanRow) { v.early = true })); err != nil {
		return nil, err
	}
	if err := r.walk(q.To, end, size, found(s.add)); err != nil || !s.filters.askEntries() {
		return s, err
	}
	return s, r.walk(q.From, end, size, found(func(v *visit, e *scanRow) {
		v.matched = v.matched || s.filters.hold(e, v.facts)
	}))
}

// meet takes in an event of the range.
func (s *visitScan) meet(e *scanRow) {
	actor, ok := s.who.number(e)
	if !ok {
		return
	}
	number := s.keys.number(pair(actor, s.names.number(e)))
	if int(number) == len(s.visits) {
		s.visits = append(s.visits, visit{actor: actor})
	}
	v := &s.visits[number]
	s.add(v, e)
	if entry := e.place(); v.events == 1 || entry.before(v.entry) {
		v.entry, v.fields = entry, s.groups.fields.number(e)
		v.facts = s.filters.factsOf(e)
		if s.q.List {
			entry := at(&s.entries, number)
			s.copied += copies(e.live) - copies(entry.live)
			entry.keep(e)
		}
	}
}

// copies is how many copies an event that isn't sealed takes: one, or none where it is nil.
func copies(live *event.Event) int {
	if live == nil {
		return 0
	}
	return 1
}

// known returns the visit of an event, nil where it has none in the range.
func (s *visitScan) known(e *scanRow) *visit {
	name, ok := s.names.find(e)
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
func (s *visitScan) add(v *visit, e *scanRow) {
	v.count(e.time, e.name() == event.EventIdentify)
	if !v.matched && !s.filters.askEntries() {
		v.matched = s.filters.hold(e, 0)
	}
	if e.name() == event.EventPageview {
		v.see(e.place(), e.path())
	}
}

// kept returns the visits that are asked about.
func (s *visitScan) kept(r *run) (kept []*visit) {
	for i := range s.visits {
		if v := &s.visits[i]; !v.early && v.matched {
			v.number = uint32(i)
			kept = append(kept, v)
			r.cost.Matched += int(v.events)
		}
	}
	return kept
}
