package querytest

import (
	"maps"
	"math/rand/v2"
	"slices"

	"millimetric/index"
	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// Sealed is a query.Source over events of which some lie in segments, as they do in a store: each in
// one of several, or in none. Which lies where must not show in an answer.
type Sealed struct {
	Slice
	Least    event.Time // the floor
	segments []*index.Segment
	live     []event.Event
	ordinals map[string]uint32
	last     event.Seq
}

// manyVisitors is a number of visitors that questions look at in several blocks.
const manyVisitors = 40_000

// NewSealed cuts events at random into up to six segments and a live rest. Mostly an event lies with
// those that came before and after it, or with those of its day; late ones lie elsewhere. The seed decides
// all of it.
func NewSealed(events []event.Event, seed uint64) *Sealed {
	r := rand.New(rand.NewPCG(seed, 0x7365616c))
	s := &Sealed{Slice: events, Least: event.TimeMin, ordinals: ordinalsOf(events), last: Slice(events).AsOf()}
	// The numbers have another order than those of Slice: none may show.
	numbers := r.Perm(len(s.ordinals))
	apart := uint32(1)
	if seed%4 == 0 { // some blocks of visitors apart, so that several workers share them
		apart = uint32(manyVisitors/(len(numbers)+1)) + 1
	}
	for id, ordinal := range s.ordinals {
		s.ordinals[id] = uint32(numbers[ordinal]) * apart
	}
	places := 1 + r.IntN(7)
	byDay, strays := r.IntN(2) == 0, r.IntN(3)
	s.cut([]int{0, 0, -1, 1, 2}[r.IntN(5)], func(i int) int {
		place := i * places / len(events)
		switch {
		case strays == 0 && r.IntN(3) == 0:
			place = r.IntN(places)
		case byDay:
			place = dayOf(&events[i]) % places
		}
		if place == places-1 {
			return -1
		}
		return place
	})
	return s
}

// NewHidden is NewSealed over events and others that are hidden in the segments, as those of somebody who was
// erased: no answer may show them.
func NewHidden(events []event.Event, seed uint64) *Sealed {
	all, hidden := withStrangers(events, rand.New(rand.NewPCG(seed, 0x68696465)))
	s := NewSealed(all, seed)
	s.Slice, s.last = events, Slice(events).AsOf()
	s.live = slices.DeleteFunc(s.live, func(e event.Event) bool { return hidden[whereIs(&e)] })
	for i, segment := range s.segments {
		reader, err := segment.Reader()
		if err != nil {
			panic("querytest: read what was built: " + err.Error())
		}
		var rows []uint32
		for row := range uint32(segment.Rows()) {
			e, _, err := reader.Event(row)
			if err != nil {
				panic("querytest: read what was built: " + err.Error())
			}
			if hidden[whereIs(&e)] {
				rows = append(rows, row)
			}
		}
		s.segments[i] = segment.Without(bitmap.Of(rows))
	}
	return s
}

// eventPlace tells events apart: no two of a visitor have the same time and position.
type eventPlace struct {
	visitor string
	time    event.Time
	seq     event.Seq
}

func whereIs(e *event.Event) eventPlace { return eventPlace{e.AnonymousID, e.Time, e.Seq} }

// withStrangers mixes events with some that are much like them.
func withStrangers(events []event.Event, r *rand.Rand) (all []event.Event, strangers map[eventPlace]bool) {
	met := map[eventPlace]bool{}
	for i := range events {
		met[whereIs(&events[i])] = true
	}
	all, strangers = slices.Clone(events), map[eventPlace]bool{}
	for range len(events) {
		e := events[r.IntN(len(events))]
		e.Time += event.Time(r.Int64N(3600_000)) - 1800_000
		switch r.IntN(4) {
		case 0:
			e.AnonymousID = "somebody who was erased"
		case 1:
			e.UserID = "erased"
		}
		if at := whereIs(&e); e.Time >= event.TimeMin && !met[at] {
			met[at], strangers[at] = true, true
			all = append(all, e)
		}
	}
	return all, strangers
}

// NewDays puts events into one segment for each UTC day, and leaves none live.
func NewDays(events []event.Event) *Sealed {
	s := &Sealed{Slice: events, Least: event.TimeMin, ordinals: ordinalsOf(events), last: Slice(events).AsOf()}
	s.cut(0, func(i int) int { return dayOf(&events[i]) })
	return s
}

func dayOf(e *event.Event) int { return int(e.Time / (24 * 3600 * 1000)) }

// cut puts each event into the segment of its place, or leaves it live where that is negative.
func (s *Sealed) cut(typed int, place func(i int) int) {
	rows := map[int][]index.Row{}
	for i := range s.Slice {
		e := &s.Slice[i]
		if at := place(i); at >= 0 {
			rows[at] = append(rows[at], index.Row{Event: e, Ordinal: s.ordinals[e.AnonymousID]})
		} else {
			s.live = append(s.live, *e)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(rows)) {
		segment, err := index.Open(index.Build(rows[at], index.BuildOptions{TypedMax: typed}))
		if err != nil {
			panic("querytest: open what was built: " + err.Error())
		}
		s.segments = append(s.segments, segment)
	}
}

// AsOf returns the highest position.
func (s *Sealed) AsOf() event.Seq { return s.last }

// Floor returns Least.
func (s *Sealed) Floor() event.Time { return s.Least }

// Visitors returns a number above all ordinals.
func (s *Sealed) Visitors() (bound uint32) {
	for _, ordinal := range s.ordinals {
		bound = max(bound, ordinal+1)
	}
	return bound
}

// Segments returns all segments: a source may return more than is asked for.
func (s *Sealed) Segments(_, _ event.Time) []*index.Segment { return s.segments }

// Live yields the events of a range that are in no segment.
func (s *Sealed) Live(from, to event.Time, yield func(e *event.Event, visitor uint32) bool) error {
	for i := range s.live {
		e := s.live[i]
		if e.Time >= from && e.Time < to && !yield(&e, s.ordinals[e.AnonymousID]) {
			break
		}
	}
	return nil
}
