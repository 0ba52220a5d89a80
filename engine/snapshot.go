package engine

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

// Snapshot is one project as it was at one moment. It never changes, needs no release, and is safe
// for concurrent use.
type Snapshot struct {
	full    []stretch
	open    []event.Event
	links   []event.Link
	commits []commitMark
	asOf    event.Seq
}

// Snapshot returns the project as it is now: all that was acknowledged, and nothing that isn't
// durable. A project that is unknown is empty.
func (e *Engine) Snapshot(number event.Project) *Snapshot {
	if p, ok := e.shown.Load(number); ok {
		if s := p.(*project).current.Load(); s != nil {
			return s
		}
	}
	return &Snapshot{}
}

// AsOf returns the position of the last event.
func (s *Snapshot) AsOf() event.Seq { return s.asOf }

// CommittedAt returns the server's time at which a position was committed: what its clock said when
// the position was the last one. Before the first event there was no such moment.
func (s *Snapshot) CommittedAt(position event.Seq) (at event.Time, known bool) {
	if position == 0 || position > s.asOf {
		return 0, false
	}
	after, _ := slices.BinarySearchFunc(s.commits, position+1, func(m commitMark, p event.Seq) int { return cmp.Compare(m.first, p) })
	return s.commits[after-1].at, true
}

// Scan yields the events with from <= Time < to, in any order, until yield returns false. The
// events are shared: they must not be changed.
func (s *Snapshot) Scan(from, to event.Time, yield func(*event.Event) bool) {
	for i := range s.full {
		stretch := &s.full[i]
		if stretch.last < from || stretch.first >= to {
			continue
		}
		if !scan(stretch.events, from, to, yield) {
			return
		}
	}
	scan(s.open, from, to, yield)
}

func scan(events []event.Event, from, to event.Time, yield func(*event.Event) bool) bool {
	for i := range events {
		if e := &events[i]; e.Time >= from && e.Time < to && !yield(e) {
			return false
		}
	}
	return true
}

// Links yields, in the order of their positions, all links that at their arrival came before every
// other link of their visitor; so the last one of each visitor is its earliest, and the last one up
// to a position was its earliest then.
func (s *Snapshot) Links(yield func(event.Link) bool) {
	for _, l := range s.links {
		if !yield(l) {
			return
		}
	}
}
