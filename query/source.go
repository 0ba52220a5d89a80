package query

import (
	"millimetric/index"
	"millimetric/index/event"
)

// Source is one project at one moment, as a question sees it: sealed segments, and live events that are
// in none of them. Every event is in one place only.
type Source interface {
	// AsOf is the position of the last event.
	AsOf() event.Seq
	// Floor is the time before which no event may be shown.
	Floor() event.Time
	// Segments returns the segments that may hold events with from <= Time < to. They may hold others,
	// too.
	Segments(from, to event.Time) []*index.Segment
	// Live yields the events with from <= Time < to that are in no segment yet, in any order, each with
	// the ordinal of its visitor, until yield returns false. An event is only looked at during the call,
	// so a source may use its memory again; the strings in it must stay.
	Live(from, to event.Time, yield func(e *event.Event, visitor uint32) bool) error
	// Visitors bounds the ordinals of visitors, those in segments included: all are below it.
	Visitors() uint32
	// Links yields, in any order, at least every link that at its arrival came before all others of its
	// visitor that aren't below the floor, until yield returns false.
	Links(yield func(event.Link) bool) error
}

// CommitClock is what a Source may offer beside: when a position was committed. Where it does, that is
// the clock of a replay; elsewhere a replay's clock is Common.Now.
type CommitClock interface {
	CommittedAt(position event.Seq) (at event.Time, known bool, err error)
}
