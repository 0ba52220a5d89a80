package query

import (
	"cmp"
	"slices"
	"sort"

	"millimetric/index/event"
)

// sourceInternal and sourceDirect are the sources that rules about touches name.
const (
	sourceInternal = "internal"
	sourceDirect   = "direct"
)

// halfHour is the length of the visits that a derived session_id makes.
const halfHour event.Time = 30 * 60 * 1000

// conversion is one event to be credited.
type conversion struct {
	actor  uint32
	valued bool
	at     place
	value  exactNumber // if it is valued
}

// conversions are those in the range, by actor and in order.
type conversions struct {
	who  *actors
	list []conversion
	sold []soldIn // what is known of whole segments, until it is joined with the list

	together *joinedSales // that of several whole segments; nil where there are fewer

	actors []bool // by number, for has; nil before
}

// has tells whether an actor has a conversion, whether or not that one counts.
func (c *conversions) has(actor uint32) bool {
	if n := len(c.list); c.actors == nil && n > 0 {
		c.actors = make([]bool, c.list[n-1].actor+1)
		for i := range c.list {
			c.actors[c.list[i].actor] = true
		}
	}
	return int(actor) < len(c.actors) && c.actors[actor]
}

// bits enters who of a block has conversions.
func (c *conversions) bits(first uint32, has *visitorBits) {
	*has = visitorBits{}
	at := sort.Search(len(c.list), func(i int) bool { return c.list[i].actor >= first })
	for ; at < len(c.list) && c.list[at].actor-first < blockVisitors; at++ {
		has.add(c.list[at].actor - first)
	}
}

func (q *Attribution) conversions(r *run) (*conversions, error) {
	who, err := r.actors()
	if err != nil {
		return nil, err
	}
	c := &conversions{who: who}
	isConversion := q.Conversion.matcher()
	var find *propertyReader
	if q.Value != "" {
		find = newPropertyReader(q.Value)
	}
	p := &pass{
		from: q.From, to: q.To, wants: conditionsOf(nil, append(slices.Clone(q.Filters), q.Conversion.namesFilter())),
		size: func() int { return 2*len(c.list) + c.who.size() },
	}
	p.visit = func(e *scanRow) {
		if !isConversion(e) {
			return
		}
		if actor, ok := c.who.number(e); ok {
			one := conversion{actor: actor, at: e.place()}
			if find != nil {
				one.value, one.valued = q.valueOf(find, e)
			}
			c.list = append(c.list, one)
		}
	}
	if q.soldPlainly() {
		p.parted = func(s *sealed) (bool, error) { return q.sold(r, p, s, c) }
	}
	if err := r.each(p); err != nil {
		return nil, err
	}
	r.cost.Matched = len(c.list)
	for _, of := range c.sold {
		r.cost.Matched += len(of.sales.list)
	}
	slices.SortFunc(c.list, func(a, b conversion) int { return a.compare(&b) })
	c.joinSold(r, q)
	switch q.Count {
	case CountFirst:
		c.list = slices.CompactFunc(slices.Clone(c.list), func(a, b conversion) bool { return a.actor == b.actor })
	case CountLast:
		c.list = slices.Clone(c.list)
		slices.Reverse(c.list)
		c.list = slices.CompactFunc(c.list, func(a, b conversion) bool { return a.actor == b.actor })
		slices.Reverse(c.list)
	}
	return c, nil
}

func (c *conversion) compare(o *conversion) int {
	if c.actor != o.actor {
		return cmp.Compare(c.actor, o.actor)
	}
	return c.at.compare(o.at)
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.time, o.time), cmp.Compare(p.seq, o.seq))
}

// visitTable finds the touches of visits while events come by in any order. Per visit it keeps the
// earliest event that carries a URL or a referrer, and the earliest page view where entry_path asks
// for it. For the rule that the half-hour cut makes no touches it must know whether the actor did
// something in the 30 minutes before a touch. Such an event lies in the same half-hour as the touch, and
// then it only has to come before it, or in the half-hour before that, and then it only has to be
// less than 30 minutes away. So the first event and the last time of each actor's half-hours tell.
type visitTable struct {
	q       *Attribution
	groups  *grouping
	wanted  predicate // the touch filters
	names   *sessionNumbers
	keys    *numbering[uint64] // pairs of actor and session name
	visits  []touchedVisit
	halves  map[uint64]half // by pair of actor and half-hour
	entries bool            // entry pages matter
}

// touchedVisit is a visit, as far as its touch goes.
type touchedVisit struct {
	touched bool
	touch   touch
	fields  uint32 // of the touch, in the grouping
	drop    touchDrop
	viewed  bool
	view    place // of the first page view
	path    string
}

// touch is one touch of an actor.
type touch struct {
	at     place
	group  uint32
	direct bool
}

// touchDrop says why a touch may not count.
type touchDrop byte

const (
	dropNot   touchDrop = iota
	dropAll             // internal, or not wanted by the touch filters
	dropIfCut           // direct, in a visit whose session_id was derived: if the half-hour cut made it
)

type half struct {
	first place
	last  event.Time
}

// touches finds the touches that count, actor by actor. If data_driven is asked for, those of all actors.
func (q *Attribution) touches(r *run, found *conversions, settlement *settlement) (*grouping, error) {
	everyone := slices.Contains(q.Models, ModelDataDriven)
	if q.Actor == ActorVisitor && !newGrouping(q.GroupBy).has(DimensionEntryPath) {
		t := newTouchWalk(r, q)
		return t.groups, t.walk(found, everyone, settlement)
	}
	t, err := q.visits(r, found, everyone)
	if err != nil {
		return nil, err
	}
	list := t.sorted()
	for from, to := range stretches(len(list), func(i int) uint32 { return list[i].actor }) {
		if err := settlement.take(list[from].actor, list[from:to]); err != nil {
			return nil, err
		}
	}
	return t.groups, nil
}

// visits reads the history up to the range's end, and beyond it for entry pages alone.
func (q *Attribution) visits(r *run, found *conversions, everyone bool) (*visitTable, error) {
	t := &visitTable{
		q: q, groups: newGrouping(q.GroupBy), wanted: compile(q.TouchFilters),
		names: newSessionNumbers(), keys: newNumbering[uint64](), halves: map[uint64]half{},
	}
	t.entries = t.groups.has(DimensionEntryPath)
	size := func() int {
		return 4*len(t.visits) + 2*len(t.halves) + len(t.names.list) + t.groups.size() + found.who.size()
	}
	visit := func(e *scanRow) {
		if actor, ok := found.who.number(e); ok && (everyone || found.has(actor)) {
			t.see(e, actor)
		}
	}
	if err := r.walk(event.TimeMin, q.To, size, visit); err != nil || !t.entries {
		return t, err
	}
	return t, r.walk(q.To, event.TimeMax+1, size, func(e *scanRow) {
		if actor, ok := found.who.number(e); ok && e.name() == event.EventPageview {
			if v := t.known(e, actor); v != nil {
				v.see(e)
			}
		}
	})
}

// see takes in one event of an actor.
func (t *visitTable) see(e *scanRow, actor uint32) {
	at := e.place()
	key := pair(actor, uint32(e.time/halfHour))
	if h, ok := t.halves[key]; !ok {
		t.halves[key] = half{first: at, last: at.time}
	} else if at.before(h.first) || at.time > h.last {
		if at.before(h.first) {
			h.first = at
		}
		h.last = max(h.last, at.time)
		t.halves[key] = h
	}
	number := t.keys.number(pair(actor, t.names.number(e)))
	if int(number) == len(t.visits) {
		t.visits = append(t.visits, touchedVisit{})
	}
	v := &t.visits[number]
	if t.entries && e.name() == event.EventPageview {
		v.see(e)
	}
	if !e.hasAddress() || v.touched && !at.before(v.touch.at) {
		return
	}
	v.touched, v.touch, v.drop = true, touch{at: at, direct: e.text(colSource) == sourceDirect}, dropNot
	switch {
	case e.text(colSource) == sourceInternal || !t.wanted(e):
		v.drop = dropAll
	case v.touch.direct && e.sessionDerived():
		v.drop = dropIfCut
	}
	if v.drop != dropAll {
		v.fields = t.groups.fields.number(e)
	}
}

// see takes in a page view.
func (v *touchedVisit) see(e *scanRow) {
	if at := e.place(); !v.viewed || at.before(v.view) {
		v.viewed, v.view, v.path = true, at, e.path()
	}
}

// known returns the visit of an event, nil where none of it was seen.
func (t *visitTable) known(e *scanRow, actor uint32) *touchedVisit {
	name, ok := t.names.find(e)
	if !ok {
		return nil
	}
	number, ok := t.keys.of[pair(actor, name)]
	if !ok {
		return nil
	}
	return &t.visits[number]
}

// wasCut tells whether a touch of the actor comes less than 30 minutes after the event before it.
func (t *visitTable) wasCut(actor uint32, at place) bool {
	hour := uint32(at.time / halfHour)
	if t.halves[pair(actor, hour)].first.before(at) {
		return true
	}
	before, ok := t.halves[pair(actor, hour-1)]
	return ok && hour > 0 && at.time-before.last < halfHour
}

// sorted returns the touches that count, by actor and in order.
func (t *visitTable) sorted() []actorTouch {
	var list []actorTouch
	for number := range t.visits {
		v := &t.visits[number]
		actor, _ := unpair(t.keys.list[number])
		if !v.touched || v.drop == dropAll || v.drop == dropIfCut && t.wasCut(actor, v.touch.at) {
			continue
		}
		v.touch.group = t.groups.number(v.fields, v.path, "")
		list = append(list, actorTouch{actor: actor, touch: v.touch})
	}
	slices.SortFunc(list, compareTouches)
	return list
}

// actorTouch is a touch that counts.
type actorTouch struct {
	actor uint32
	touch
}
