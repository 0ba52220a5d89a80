package querytest

import (
	"math/rand/v2"

	"millimetric/index"
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
}

// NewSealed cuts events at random into up to six segments and a live rest. Mostly an event lies with
// those that came before and after it, or with those of its day; late ones lie elsewhere. The seed decides
// all of it.
func NewSealed(events []event.Event, seed uint64) *Sealed {
	r := rand.New(rand.NewPCG(seed, 0x7365616c))
	s := &Sealed{Slice: events, Least: event.TimeMin, ordinals: ordinalsOf(events)}
	// The numbers have another order than those of Slice: none may show.
	numbers := r.Perm(len(s.ordinals))
	for id, ordinal := range s.ordinals {
		s.ordinals[id] = uint32(numbers[ordinal])
	}
	places := 1 + r.IntN(7)
	byDay, strays := r.IntN(2) == 0, r.IntN(3)
	rows := make([][]index.Row, places)
	for i := range events {
		place := i * places / len(events)
		switch {
		case strays == 0 && r.IntN(3) == 0:
			place = r.IntN(places)
		case byDay:
			place = int(events[i].Time/(24*3600*1000)) % places
		}
		if place == places-1 {
			s.live = append(s.live, events[i])
			continue
		}
		rows[place] = append(rows[place], index.Row{Event: &events[i], Ordinal: s.ordinals[events[i].AnonymousID]})
	}
	typed := []int{0, 0, -1, 1, 2}[r.IntN(5)]
	for _, list := range rows {
		if len(list) == 0 {
			continue
		}
		segment, err := index.Open(index.Build(list, index.BuildOptions{TypedMax: typed}))
		if err != nil {
			panic("querytest: open what was built: " + err.Error())
		}
		s.segments = append(s.segments, segment)
	}
	return s
}

// Floor returns Least.
func (s *Sealed) Floor() event.Time { return s.Least }

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
