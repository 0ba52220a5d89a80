package query

import (
	"millimetric/index"
	"millimetric/index/event"
)

// bounded is what a Source may offer beside: the time from which on no event may be shown.
type bounded interface {
	Ceiling() event.Time
}

// ceilingOf returns the time from which on a source shows no event.
func ceilingOf(s Source) event.Time {
	if b, ok := s.(bounded); ok {
		return b.Ceiling()
	}
	return event.TimeMax + 1
}

// Within returns a source in which there are no events but those with from <= Time < to, for who may see no
// others: not as a look-back, and not as what came of it either. Links are those of the whole source.
func Within(s Source, from, to event.Time) Source {
	return &window{Source: s, floor: max(s.Floor(), from), ceiling: min(ceilingOf(s), to)}
}

// window is a part of a source.
type window struct {
	Source
	floor, ceiling event.Time
}

// Floor is the time before which no event may be shown.
func (w *window) Floor() event.Time { return w.floor }

// Ceiling is the time from which on none may be shown.
func (w *window) Ceiling() event.Time { return w.ceiling }

// Segments returns those that may hold events of the window, too.
func (w *window) Segments(from, to event.Time) []*index.Segment {
	return w.Source.Segments(max(from, w.floor), min(to, w.ceiling))
}

// Live yields the live events of the window.
func (w *window) Live(from, to event.Time, yield func(e *event.Event, visitor uint32) bool) error {
	return w.Source.Live(max(from, w.floor), min(to, w.ceiling), yield)
}

// linkFloor returns the time before which a source's links count no more. A window has those of the whole
// source: who is who doesn't depend on which events may be seen, and neither do counts of persons.
func linkFloor(s Source) event.Time {
	if w, ok := s.(*window); ok {
		return linkFloor(w.Source)
	}
	return s.Floor()
}

// CommittedAt is part of CommitClock; a source without one has no clock here either.
func (w *window) CommittedAt(position event.Seq) (at event.Time, known bool, err error) {
	if clock, ok := w.Source.(CommitClock); ok {
		return clock.CommittedAt(position)
	}
	return 0, false, nil
}

// Lost is part of Losses. It tells of the whole source, whose links reach beyond the window.
func (w *window) Lost(position event.Seq, from, to event.Time) ([]Loss, error) {
	source, ok := w.Source.(Losses)
	if !ok {
		return nil, nil
	}
	return source.Lost(position, from, to)
}
