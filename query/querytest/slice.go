package querytest

import "millimetric/index/event"

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

// Scan yields the events of a range. It hands out the same memory each time, as a source may.
func (s Slice) Scan(from, to event.Time, yield func(*event.Event) bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].Time < from || s[i].Time >= to {
			continue
		}
		e := s[i]
		goOn := yield(&e)
		e = event.Event{}
		if !goOn {
			return
		}
	}
}

// Links yields every link.
func (s Slice) Links(yield func(event.Link) bool) {
	for i := range s {
		e := &s[i]
		if e.UserID != "" && !yield(event.Link{AnonymousID: e.AnonymousID, UserID: e.UserID, Time: e.Time, Seq: e.Seq}) {
			return
		}
	}
}
