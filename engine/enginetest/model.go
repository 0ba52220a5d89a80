// Package enginetest tests the engine from outside: Model is a store so simple that it can be seen
// to be right, Crash cuts the power at random moments and looks at what is left, Sweep lets every
// operation of the disk fail in turn, Damage changes stored bytes and Blast single values. CipherKey
// gives a store its cipher keys where no keyring is at hand. What these found is printed as proofs
// (proof.go).
//
// Crash starts goroutines that send events and waits for them; Damage and Blast start one for each
// store that they look at, and leave it where it hangs. Their file systems are in memory. Sweep starts
// child processes and goroutines that listen to them, and waits for all; its stores are on the real
// disk, in a folder that it is given.
package enginetest

import (
	"fmt"
	"math"
	"slices"

	"millimetric/index/event"
)

// Model is a naive store: a list of events and a set of IDs per project. It is for one goroutine.
type Model struct {
	events map[event.Project][]event.Event
	ids    map[modelID]bool
}

type modelID struct {
	project event.Project
	id      string
}

// NewModel returns an empty store.
func NewModel() *Model {
	return &Model{events: map[event.Project][]event.Event{}, ids: map[modelID]bool{}}
}

// Append keeps the events whose IDs are new. It leaves events alone.
func (m *Model) Append(project event.Project, events []event.Event) {
	for _, e := range events {
		key := modelID{project, e.ID}
		if e.ID != "" && m.ids[key] {
			continue
		}
		m.ids[key] = true
		e.Seq = event.Seq(len(m.events[project]) + 1)
		m.events[project] = append(m.events[project], e)
	}
}

// Snapshot returns the project as it is now.
func (m *Model) Snapshot(project event.Project) *ModelSnapshot {
	return &ModelSnapshot{events: slices.Clone(m.events[project])}
}

// ModelSnapshot is one project of a Model at one moment.
type ModelSnapshot struct{ events []event.Event }

// AsOf returns the position of the last event.
func (s *ModelSnapshot) AsOf() event.Seq { return event.Seq(len(s.events)) }

// Scan yields the events with from <= Time < to.
func (s *ModelSnapshot) Scan(from, to event.Time, yield func(*event.Event) bool) {
	for i := range s.events {
		if e := &s.events[i]; from <= e.Time && e.Time < to && !yield(e) {
			return
		}
	}
}

// Links yields every link that at its arrival came before all others of its visitor.
func (s *ModelSnapshot) Links(yield func(event.Link) bool) {
	for i, e := range s.events {
		l := event.Link{AnonymousID: e.AnonymousID, UserID: e.UserID, Time: e.Time, Seq: e.Seq}
		first := e.UserID != ""
		for _, before := range s.events[:i] {
			if before.UserID != "" && before.AnonymousID == e.AnonymousID && before.Time <= e.Time {
				first = false
			}
		}
		if first && !yield(l) {
			return
		}
	}
}

// Source is what readers see of one project.
type Source interface {
	AsOf() event.Seq
	Scan(from, to event.Time, yield func(*event.Event) bool)
	Links(yield func(event.Link) bool)
}

// Events returns all events of a source by position.
func Events(s Source) []event.Event {
	return between(s, math.MinInt64, math.MaxInt64)
}

func between(s Source, from, to event.Time) []event.Event {
	var events []event.Event
	s.Scan(from, to, func(e *event.Event) bool {
		events = append(events, *e)
		return true
	})
	slices.SortFunc(events, func(a, b event.Event) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return events
}

// Diff says how two sources differ, "" where they don't: in position, in events, in events between
// from and to, in links.
func Diff(got, want Source, from, to event.Time) string {
	if got.AsOf() != want.AsOf() {
		return fmt.Sprintf("as of %d, want %d", got.AsOf(), want.AsOf())
	}
	if d := diff("event", Events(got), Events(want)); d != "" {
		return d
	}
	if d := diff(fmt.Sprintf("event between %d and %d", from, to), between(got, from, to), between(want, from, to)); d != "" {
		return d
	}
	return diff("link", links(got), links(want))
}

func links(s Source) (all []event.Link) {
	s.Links(func(l event.Link) bool {
		all = append(all, l)
		return true
	})
	return all
}

func diff[T comparable](what string, got, want []T) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%s %d is %+v, want %+v", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("there are %d of: %s; want %d", len(got), what, len(want))
	}
	return ""
}
