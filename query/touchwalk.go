package query

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

// touchWalk finds the touches of visitors a block of them at a time, where visitTable needs tables of the
// whole history: a visitor's events come in order, so that what it takes to know whether one is a touch is
// the time of the event before it, and which visits had their first address. The events of tangled
// visitors (see block) are gathered and sorted first.
type touchWalk struct {
	r      *run
	q      *Attribution
	wanted predicate // the touch filters
	groups *grouping
	kinds  touchKinds

	block      *block
	lists      blockLists[metEvent]   // of tangled visitors
	touches    blockLists[actorTouch] // of the others
	waits      waiting[metEvent]
	before     []event.Time          // by visitor: of the event met last; nil before the first block
	began      visitorBits           // some event was met
	visits     map[visitKey]struct{} // that had their first address
	found      []actorTouch          // of the visitor at hand
	settlement *settlement           // takes the touches of each visitor
}

// metEvent is what an event is to the touches of its visitor.
type metEvent struct {
	at      place
	visit   visitKey // if it has an address
	fields  uint32   // of the touch, in the grouping
	address bool
	direct  bool
	drop    touchDrop
}

func compareMet(a, b metEvent) int { return a.at.compare(b.at) }

func newTouchWalk(r *run, q *Attribution) *touchWalk {
	return &touchWalk{
		r: r, q: q, wanted: compile(q.TouchFilters), groups: newGrouping(q.GroupBy), visits: map[visitKey]struct{}{},
	}
}

// walk makes the pass. Only visitors with conversions matter, unless everyone does.
func (t *touchWalk) walk(conversions *conversions, everyone bool, settlement *settlement) error {
	t.settlement = settlement
	p := &pass{from: event.TimeMin, to: t.q.To, wants: conditionsOf(nil, nil), ordered: true}
	p.size = func() int {
		return 2*len(t.lists.nodes) + 3*len(t.touches.nodes) + 2*len(t.waits.list) + 2*len(t.visits) + t.groups.size()
	}
	has := func(uint32) bool { return true }
	if !everyone {
		has = conversions.has
		p.among = has
	}
	p.visit = func(e *scanRow) {
		if has(e.visitor) {
			t.waits.add(e.visitor, t.met(e, e.visitor%blockVisitors))
		}
	}
	if ok, err := t.walkStarts(p, conversions); ok || err != nil {
		return err
	}
	p.take = t.take
	return t.r.eachBlock(p, t)
}

func (t *touchWalk) nextWaiting() uint64 { return t.waits.next() }

func (t *touchWalk) begin(b *block) {
	t.lists.clear()
	t.touches.clear()
	clear(t.visits)
	t.waits.enter(b, &t.lists)
	t.block, t.began = b, visitorBits{}
	if t.before == nil {
		t.before = make([]event.Time, blockVisitors)
	}
}

// met is what an event is to the touches of its visitor, whom a number in his block names.
func (t *touchWalk) met(e *scanRow, visitor uint32) metEvent {
	m := metEvent{at: e.place()}
	kind := t.kinds.of(e)
	if kind == touchNone {
		return m
	}
	m.address, m.visit = true, visitOf(e, visitor)
	m.direct = kind == touchCut || kind == touchWanted && e.text(colSource) == sourceDirect
	switch {
	case kind == touchDropped || !t.wanted(e):
		m.drop = dropAll
	case kind == touchCut:
		m.drop = dropIfCut
	}
	if m.drop != dropAll {
		m.fields = t.groups.fields.number(e)
	}
	return m
}

// take takes rows of a view.
func (t *touchWalk) take(v *view, chosen []int32) {
	if len(chosen) == 0 {
		return
	}
	times := v.timesOf()
	row := scanRow{view: v}
	session := uint32(noOrdinal) // that had an address last, of the same visitor
	last := uint32(noOrdinal)
	for _, at := range chosen {
		row.at, row.time, row.visitor = int(at), times[at], v.come(int(at))
		visitor := row.visitor - v.block
		if visitor != last {
			last, session = visitor, noOrdinal
		}
		switch {
		case t.block.tangled.has(visitor):
			t.lists.add(visitor, t.met(&row, visitor))
		case v.session(int(at)) == session:
			t.before[visitor] = row.time // of this visit, the first address is known
		default:
			m := t.met(&row, visitor)
			if m.address {
				session = v.session(int(at))
			}
			t.step(visitor, &m)
		}
	}
}

// step goes on to the next event of a visitor.
func (t *touchWalk) step(visitor uint32, m *metEvent) {
	cut := t.began.has(visitor) && m.at.time-t.before[visitor] < halfHour
	t.began.add(visitor)
	t.before[visitor] = m.at.time
	if !m.address {
		return
	}
	known := len(t.visits)
	if t.visits[m.visit] = struct{}{}; len(t.visits) == known {
		return
	}
	if m.drop == dropAll || m.drop == dropIfCut && cut {
		return
	}
	t.touches.add(visitor, actorTouch{
		actor: visitor + t.block.first,
		touch: touch{at: m.at, group: t.groups.number(m.fields, "", ""), direct: m.direct},
	})
}

// end takes in the touches of a block.
func (t *touchWalk) end(b *block) error {
	for _, visitor := range t.lists.met {
		for _, m := range t.lists.of(visitor, compareMet) {
			t.step(visitor, &m)
		}
	}
	slices.Sort(t.touches.met)
	for _, visitor := range t.touches.met {
		if err := t.settlement.take(b.first+visitor, t.touches.of(visitor, compareTouches)); err != nil {
			return err
		}
	}
	return nil
}

func compareTouches(a, b actorTouch) int {
	return cmp.Or(cmp.Compare(a.actor, b.actor), a.at.compare(b.at))
}
