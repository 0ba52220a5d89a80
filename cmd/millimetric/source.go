package main

import (
	"millimetric/engine"
	"millimetric/index"
	"millimetric/index/event"
)

// liveSource is a snapshot as questions see it while the engine keeps every event live.
type liveSource struct{ *engine.Snapshot }

// CommittedAt returns when a position was committed.
func (s liveSource) CommittedAt(position event.Seq) (at event.Time, known bool, err error) {
	at, known = s.Snapshot.CommittedAt(position)
	return at, known, nil
}

// Floor returns that nothing is too old.
func (s liveSource) Floor() event.Time { return event.TimeMin }

// Segments returns none.
func (s liveSource) Segments(_, _ event.Time) []*index.Segment { return nil }

// Live yields the events of a range. Visitors are numbered in the order in which they came, so that
// they have the same numbers each time.
func (s liveSource) Live(from, to event.Time, yield func(e *event.Event, visitor uint32) bool) error {
	ordinals := map[string]uint32{}
	s.Scan(event.TimeMin, event.TimeMax+1, func(e *event.Event) bool {
		ordinal, known := ordinals[e.AnonymousID]
		if !known {
			ordinal = uint32(len(ordinals))
			ordinals[e.AnonymousID] = ordinal
		}
		return e.Time < from || e.Time >= to || yield(e, ordinal)
	})
	return nil
}

// Visitors returns a bound of the ordinals: there are no more visitors than events.
func (s liveSource) Visitors() uint32 { return uint32(s.AsOf()) }

// Links yields the links.
func (s liveSource) Links(yield func(event.Link) bool) error {
	s.Snapshot.Links(yield)
	return nil
}
