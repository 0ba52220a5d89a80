package querytest

import (
	"millimetric/index"
	"millimetric/index/event"
)

// Slice is a query.Source over a plain slice of events, the smallest one there can be. It yields
// its events from the last to the first, as no answer may rest on their order.
type Slice []event.Event

// AsOf returns the highest position.
func (s Slice) AsOf() event.Seq {
	var last event.Seq
	for i := range s {
		last = max(last, s[i].Seq)
	}
	return last
}

// Floor returns that nothing is too old.
func (s Slice) Floor() event.Time { return event.TimeMin }

// Segments returns none.
func (s Slice) Segments(_, _ event.Time) []*index.Segment { return nil }

// Live yields the events of a range. It hands out the same memory each time, as a source may.
func (s Slice) Live(from, to event.Time, yield func(e *event.Event, visitor uint32) bool) error {
	ordinals := ordinalsOf(s)
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].Time < from || s[i].Time >= to {
			continue
		}
		e := s[i]
		goOn := yield(&e, ordinals[e.AnonymousID])
		e = event.Event{}
		if !goOn {
			break
		}
	}
	return nil
}

// ordinalsOf numbers the visitors of some events in the order in which they came.
func ordinalsOf(events []event.Event) map[string]uint32 {
	ordinals := map[string]uint32{}
	for i := range events {
		if _, known := ordinals[events[i].AnonymousID]; !known {
			ordinals[events[i].AnonymousID] = uint32(len(ordinals))
		}
	}
	return ordinals
}

// Visitors returns how many visitors there are.
func (s Slice) Visitors() uint32 { return uint32(len(ordinalsOf(s))) }

// Links yields every link.
func (s Slice) Links(yield func(event.Link) bool) error {
	for i := range s {
		e := &s[i]
		if e.UserID != "" && !yield(event.Link{AnonymousID: e.AnonymousID, UserID: e.UserID, Time: e.Time, Seq: e.Seq}) {
			break
		}
	}
	return nil
}
