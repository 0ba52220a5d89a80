// Package history makes events that look like those of a shop: visitors who come once or for years,
// visits of a few pages, paths and sources of which few are common, carts and purchases with prices,
// people who log in on more than one device, machines, and events that arrive late. The same Shape
// gives the same events.
//
// Each event is given twice: as a client sends it, and with what the server makes of it (source,
// country, device), so that another database can be given what the server keeps. The latter comes
// from the server's own classifier, once for each kind of visit and visitor: that is no judgement of
// the classifier.
//
// It starts no goroutines and touches no disk. Memory grows with the visitors by a bit each, and by
// the events that are under way late.
package history

import (
	"fmt"
	"math/rand/v2"

	"millimetric/index/event"
)

// Shape is what a history is made from.
type Shape struct {
	Seed   uint64
	Events int
	Days   int        // 0: 90
	From   event.Time // of the first event; 0: 2026-07-01T00:00:00Z
	// Plain leaves out what a server says of a visitor's connection: there are then no countries, no
	// devices and no machines, and an event is about 120 bytes shorter.
	Plain bool
	// NoIDs leaves out the events' ids, so that what they take can be told from the difference.
	NoIDs bool
}

// start is a Wednesday, and the 90 days after it hold no change of clocks in Europe or America.
const start event.Time = 1782864000000

const (
	second = event.Time(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

func (s Shape) withDefaults() Shape {
	if s.Days <= 0 {
		s.Days = 90
	}
	if s.From == 0 {
		s.From = start
	}
	return s
}

// To is the end of the history: no event is at it or later, but for those that make the number
// full.
func (s Shape) To() event.Time {
	s = s.withDefaults()
	return s.From + event.Time(s.Days)*day
}

// What the visits come to on average. The number of events is kept to in any case: visits come
// faster or slower as the rest of the days and of the events asks for it.
const (
	eventsPerVisit   = 4.4
	eventsPerVisitor = 12 // one event in twelve is a new visitor's first
)

// History makes events in the order in which they arrive.
type History struct {
	shape   Shape
	random  *rand.Rand
	world   *world
	made    int
	clock   event.Time // of the next visit's begin
	began   uint64     // visits
	visits  queue[visit]
	late    queue[Event]
	known   uint32   // visitors so far
	members []uint64 // a bit for each visitor that has logged in
	event   Event
	held    visit // the one whose next event comes in the millisecond of its last, if there is such
	tie     bool
}

// New returns the history of a shape.
func New(shape Shape) (*History, error) {
	shape = shape.withDefaults()
	random := rand.New(rand.NewPCG(shape.Seed, 0x686973746f7279))
	w, err := newWorld(random, !shape.Plain)
	if err != nil {
		return nil, fmt.Errorf("make a history: %w", err)
	}
	return &History{shape: shape, random: random, world: w, clock: shape.From}, nil
}

// Next returns the next event, valid until the one after it is asked for, and nil at the end.
func (h *History) Next() *Event {
	for h.made < h.shape.Events {
		// In the end all that is late arrives: no visit is to lack its beginning.
		if h.late.len() >= h.shape.Events-h.made {
			h.event = h.late.take()
			return h.give()
		}
		for !h.tie && (h.visits.empty() || h.clock <= h.visits.first()) {
			h.begin()
		}
		if !h.tie && !h.late.empty() && h.late.first() <= h.visits.first() {
			h.event = h.late.take()
			return h.give()
		}
		if h.step() {
			return h.give()
		}
	}
	return nil
}

func (h *History) give() *Event {
	h.made++
	h.event.Seq = uint64(h.made)
	return &h.event
}

// lateShare is one event in so many that arrives late.
const lateShare = 100

// step makes the next event of the visit whose turn it is; false if that event will come late.
func (h *History) step() bool {
	v, tied := h.held, h.tie
	if !tied {
		v = h.visits.take()
	}
	h.fill(&v)
	h.event.Tied = tied
	v.left--
	// A page and what is seen on it come at once, now and then.
	if h.tie = v.left > 0 && h.random.IntN(64) == 0; h.tie {
		h.held = v
	} else if v.left > 0 {
		v.at += second + event.Time(h.random.ExpFloat64()*float64(35*second))
		h.visits.put(v.at, v)
	}
	if tied || h.tie || h.random.IntN(lateShare) > 0 {
		return true
	}
	// From half a minute to two days, short delays being the common ones.
	h.late.put(h.event.Time+30*second<<h.random.IntN(13)+event.Time(h.random.IntN(int(30*second))), h.event)
	return false
}

// begin begins a visit, and sets the clock to the next one's begin.
func (h *History) begin() {
	h.began++
	v := visit{number: h.began, at: h.clock, visitor: h.visitor(), left: h.length()}
	v.person = h.world.person(v.visitor)
	v.entry = h.world.entry(h.random)
	v.click = h.random.Uint64()
	if v.person.bot {
		v.left = 1 + h.random.IntN(20)
	}
	h.visits.put(v.at, v)
	left := max(h.shape.To()-h.clock, minute)
	mean := float64(left) / (float64(max(h.shape.Events-h.made, 1)) / eventsPerVisit)
	h.clock += event.Time(h.random.ExpFloat64()*mean/tide(h.clock)) + 1
}

// tide is how busy a moment is: evenings more than nights, weekdays more than weekends. Its mean is
// about 1.
func tide(at event.Time) float64 {
	of := [24]float64{.5, .35, .25, .2, .2, .3, .5, .8, 1, 1.1, 1.15, 1.2, 1.3, 1.25, 1.2, 1.2, 1.25, 1.35, 1.5, 1.7, 1.75, 1.6, 1.3, .8}[at%day/hour]
	if weekday := (at/day + 4) % 7; weekday == 0 || weekday == 6 {
		of *= .8
	}
	return of
}

// visitor is new for a part of the visits; else mostly one who was here lately, and now and then one
// of a few who come again and again.
func (h *History) visitor() uint32 {
	if h.known == 0 || h.random.Float64() < eventsPerVisit/eventsPerVisitor {
		if h.known%64 == 0 {
			h.members = append(h.members, 0)
		}
		h.known++
		return h.known - 1
	}
	u := h.random.Float64()
	if h.random.IntN(4) == 0 {
		return uint32(float64(h.known) * u * u * u * u)
	}
	return h.known - 1 - uint32(float64(h.known)*u*u*u)
}

// length is one event for a third of the visits, and seldom more than twenty.
func (h *History) length() int {
	if h.random.IntN(3) == 0 {
		return 1
	}
	return min(2+int(h.random.ExpFloat64()*3.6), 60)
}

func (h *History) member(visitor uint32) bool { return h.members[visitor/64]>>(visitor%64)&1 == 1 }
func (h *History) join(visitor uint32)        { h.members[visitor/64] |= 1 << (visitor % 64) }
