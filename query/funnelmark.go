package query

import (
	"cmp"
	"math/bits"
	"time"

	"millimetric/index/event"
)

// funnelMark is what a funnel keeps of one event: a few words, so that long histories fit into memory.
type funnelMark struct {
	time   event.Time
	seq    event.Seq
	steps  uint32 // the steps that it may serve, one bit each
	bars   uint32 // the exclusions that it is one of, one bit each
	held   uint32 // which combination of the values of hold it has
	group  uint32 // which value of breakdown it has; by first touch, if it is a touch or a page view
	visit  uint32 // its session_id, if the breakdown is by first touch
	who    uint32 // its visitor and user, if actors are listed
	begins bool   // an attempt begins here
	opens  bool   // it is the first of its actor's that does, where that is known
	viewed bool   // it is a page view, if the breakdown is by entry page
	touch  touchKind
}

// touchKind says whether the event could be its visit's touch.
type touchKind byte

const (
	touchNone   touchKind = iota // it carries neither url nor referrer
	touchWanted                  // a touch, if it is the first of its visit
	// touchCut is a touch unless the actor was there shortly before: then only the half-hour that
	// session ids are derived from cut the visit in two.
	touchCut
	touchDropped // coming from the site itself, it goes on with a visit
)

// touchCutBelow is how near the event before must lie to make a touchCut no touch.
const touchCutBelow = 30 * time.Minute

func compareMarks(a, b funnelMark) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq))
}

func (m *funnelMark) isBefore(o *funnelMark) bool { return compareMarks(*m, *o) < 0 }

// sight is how a funnel looks at events.
type sight struct {
	q         *Funnel
	scanFrom  event.Time
	scanTo    event.Time
	beginTo   event.Time // attempts begin before
	tests     map[string][]stepTest
	memo      codeMemo     // by code of a name: which of lists has its tests, plus one
	lists     [][]stepTest // the first is empty
	filters   predicate
	hold, by  *groups
	visits    *sessionNumbers
	kinds     touchKinds
	names     *numbering[string]
	who       *numbering[uint64] // pairs of names: visitor and user
	touched   bool               // the breakdown is by first touch
	asks      bool               // some step or exclusion has filters
	entries   bool               // and by its visit's entry page
	untouched uint32             // the group of actors without one
}

// stepTest tells whether an event of a certain name may serve a step, or is one of an exclusion's.
type stepTest struct {
	bit   uint32
	bar   bool
	asks  bool // there is more to hold than the name
	holds predicate
}

func newSight(q *Funnel, clock event.Time) *sight {
	s := &sight{
		q: q, scanFrom: q.From, scanTo: q.To + event.Time(q.Window.Milliseconds()), beginTo: q.To, tests: map[string][]stepTest{}, filters: compile(q.Filters),
		hold: newGroupsOf(nil), by: newGroupsOf(nil), visits: newSessionNumbers(), names: newNumbering[string](), who: newNumbering[uint64](),
	}
	for i := range q.Steps {
		s.addTest(&q.Steps[i].Step, 1<<i, false)
	}
	for i := range q.Exclude {
		s.addTest(&q.Exclude[i].Step, 1<<i, true)
	}
	if len(q.Hold) > 0 {
		var read []groupColumn
		for _, f := range q.Hold {
			read = append(read, f.groupColumn())
		}
		s.hold = newGroupsOf(read)
	}
	if q.Breakdown != nil {
		s.by = newGroupsOf([]groupColumn{q.Breakdown.groupColumn()})
		s.touched = q.Breakdown.FirstTouch
	}
	if s.touched {
		s.scanFrom = event.TimeMin // the whole history says which touch was the first
		s.untouched = s.by.values[0].number("")
		s.entries = q.Breakdown.Name == fieldEntryPath && q.Breakdown.Property == ""
	}
	if s.entries {
		s.scanTo = event.TimeMax + 1 // a visit's first page view may come long after its touch
	}
	if q.Mature {
		// An attempt that begins at the clock less a window is one window old: it is in.
		s.beginTo = min(s.beginTo, clock-event.Time(q.Window.Milliseconds())+1)
	}
	return s
}

// addTest enters a step under the names of its events, so that an event meets only the tests of its
// own name.
func (s *sight) addTest(step *Step, bit uint32, bar bool) {
	of := step.AnyOf
	if len(of) == 0 {
		of = []Step{*step}
	}
	for _, one := range of {
		s.asks = s.asks || len(one.Filters) > 0
		s.tests[one.Event] = append(s.tests[one.Event], stepTest{bit: bit, bar: bar, asks: len(one.Filters) > 0, holds: compile(one.Filters)})
	}
}

// testsOf returns the tests of an event's name.
func (s *sight) testsOf(e *scanRow) []stepTest {
	if e.live != nil {
		return s.tests[e.live.Name]
	}
	slot := s.memo.slot(e.view.sealed, e.code(colName))
	if *slot == 0 {
		s.lists = append(s.lists, s.tests[e.name()])
		*slot = uint32(len(s.lists))
	}
	return s.lists[*slot-1]
}

// mark makes the mark of an event; ok is false for one that no attempt can tell from nothing.
func (s *sight) mark(e *scanRow) (m funnelMark, ok bool) {
	m.time = e.time
	if e.time >= s.q.From {
		s.meet(e, &m)
		ok = m.steps|m.bars != 0 || s.q.Order == OrderStrict
	}
	if s.touched && (e.time < s.q.To || s.entries && e.name() == event.EventPageview) {
		// Any event may be the one before a touch.
		s.markTouch(e, &m)
		ok = true
	}
	if ok {
		m.seq = e.seq()
	}
	return m, ok
}

// markSteps makes the mark of an event in the range, without what it could be as a touch.
func (s *sight) markSteps(e *scanRow) (m funnelMark, ok bool) {
	m.time = e.time
	s.meet(e, &m)
	if ok = m.steps|m.bars != 0 || s.q.Order == OrderStrict; ok {
		m.seq = e.seq()
	}
	return m, ok
}

// meet fills in what the event is to the steps.
func (s *sight) meet(e *scanRow, m *funnelMark) {
	for _, t := range s.testsOf(e) {
		switch {
		case t.bar && m.bars&t.bit == 0 && t.holds(e):
			m.bars |= t.bit
		case !t.bar && m.steps&t.bit == 0 && t.holds(e):
			m.steps |= t.bit
		}
	}
	if m.steps != 0 && !s.filters(e) {
		m.steps = 0
	}
	if m.steps|m.bars == 0 {
		return
	}
	m.held = s.hold.number(e)
	if m.steps == 0 {
		return
	}
	m.begins = e.time < s.beginTo && (m.steps&1 != 0 || s.q.Order == OrderAny)
	if m.begins && !s.touched {
		m.group = s.by.number(e)
	}
	if s.q.List != nil {
		m.who = s.who.number(pair(s.names.number(e.anonymousID()), s.names.number(e.user())))
	}
}

func (s *sight) markTouch(e *scanRow, m *funnelMark) {
	m.visit = s.visits.number(e)
	m.viewed = s.entries && e.name() == event.EventPageview
	m.touch = s.kinds.of(e)
	if m.touch != touchNone || m.viewed {
		m.group = s.by.number(e)
	}
}

// firstTouch returns the first touch of the actor whose marks these are, nil where it has none.
func (s *sight) firstTouch(marks []funnelMark) *funnelMark {
	if !s.touched {
		return nil
	}
	met := map[uint32]bool{}
	for i := range marks {
		m := &marks[i]
		if m.touch == touchNone || met[m.visit] {
			continue
		}
		if m.touch == touchWanted || m.touch == touchCut && !follows(marks, i) {
			touch := *m
			if s.entries {
				touch.group = s.entryPage(marks, m.visit)
			}
			return &touch
		}
		met[m.visit] = true
	}
	return nil
}

// entryPage returns the group of a visit's entry page.
func (s *sight) entryPage(marks []funnelMark, visit uint32) uint32 {
	for i := range marks {
		if marks[i].viewed && marks[i].visit == visit {
			return marks[i].group
		}
	}
	return s.untouched
}

// follows tells whether the actor was there less than half an hour before.
func follows(marks []funnelMark, i int) bool {
	return i > 0 && marks[i].time-marks[i-1].time < event.Time(touchCutBelow.Milliseconds())
}

func (s *sight) size() int {
	return s.hold.size() + s.by.size() + len(s.visits.list) + len(s.names.list) + len(s.who.list)
}

// highest returns the number of the highest bit of a word that isn't 0.
func highest(word uint32) int { return bits.Len32(word) - 1 }
