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
	"cmp"
	"fmt"
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

// Events returns the events by position.
func (s *ModelSnapshot) Events() ([]event.Event, error) { return s.events, nil }

// Links yields every link.
func (s *ModelSnapshot) Links(yield func(event.Link) bool) error {
	for _, e := range s.events {
		l := event.Link{AnonymousID: e.AnonymousID, UserID: e.UserID, Time: e.Time, Seq: e.Seq}
		if e.UserID != "" && !yield(l) {
			return nil
		}
	}
	return nil
}

// Source is what readers see of one project.
type Source interface {
	AsOf() event.Seq
	Events() ([]event.Event, error)
	Links(yield func(event.Link) bool) error
}

// Events returns all events of a source by position. What can't be read is a mistake of the test.
func Events(s Source) []event.Event {
	events, err := s.Events()
	if err != nil {
		panic(err)
	}
	return events
}

// Diff says how two sources differ, "" where they don't: in position, in events, in links.
func Diff(got, want Source) string {
	if got.AsOf() != want.AsOf() {
		return fmt.Sprintf("as of %d, want %d", got.AsOf(), want.AsOf())
	}
	if d := diff("event", Events(got), Events(want)); d != "" {
		return d
	}
	return diff("link", links(got), links(want))
}

// links returns, by position, the links that were the earliest of their visitor when they came: what
// else a source yields doesn't matter.
func links(s Source) (earliest []event.Link) {
	var all []event.Link
	err := s.Links(func(l event.Link) bool {
		all = append(all, l)
		return true
	})
	if err != nil {
		panic(err)
	}
	slices.SortFunc(all, func(a, b event.Link) int { return cmp.Compare(a.Seq, b.Seq) })
	first := map[string]event.Link{}
	for _, l := range all {
		if before, ok := first[l.AnonymousID]; !ok || l.Before(before) {
			first[l.AnonymousID] = l
			earliest = append(earliest, l)
		}
	}
	return earliest
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
