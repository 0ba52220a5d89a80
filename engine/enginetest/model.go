// Package enginetest tests the engine from outside: Model is a store so simple that it can be seen
// to be right, Ops does random things to both and compares them, Crash cuts the power at random
// moments and looks at what is left, Sweep lets every operation of the disk fail in turn, Damage
// changes stored bytes and Blast single values. CipherKey gives a store its cipher keys where no
// keyring is at hand. What these found is printed as proofs (proof.go). Stages are the states in which
// a store may be when it is asked.
//
// Crash and Ops start goroutines that send events and wait for them; Damage and Blast start one for
// each store that they look at, and leave it where it hangs. Their file systems are in memory. Sweep
// starts child processes and goroutines that listen to them, and waits for all; its stores are on the
// real disk, in a folder that it is given.
package enginetest

import (
	"cmp"
	"fmt"
	"slices"

	"millimetric/index/event"
)

// Model is a naive store: per project a list of events, a set of IDs, a retention window, and who was erased. It is for
// one goroutine.
type Model struct {
	events map[event.Project][]event.Event
	ids    map[modelID]bool
	today  int64 // since 1970, by which retention goes
	days   map[event.Project]int
	gone   map[event.Project][]bool // of events that were out of the window at some time
	erased map[event.Project][]bool // of events
	late   map[modelErased]event.Time
}

// modelErased is somebody of whom nothing is kept that is dated before some time.
type modelErased struct {
	project event.Project
	kind    modelKind
	id      string
}

type modelKind int

const (
	modelUser    modelKind = iota
	modelVisitor           // all events
	modelDevice            // events without a user
)

type modelID struct {
	project event.Project
	id      string
}

// NewModel returns an empty store.
func NewModel() *Model {
	return &Model{
		events: map[event.Project][]event.Event{}, ids: map[modelID]bool{},
		days: map[event.Project]int{}, gone: map[event.Project][]bool{},
		erased: map[event.Project][]bool{}, late: map[modelErased]event.Time{},
	}
}

// Append keeps the events whose IDs are new. It leaves events alone.
func (m *Model) Append(project event.Project, events []event.Event) {
	for _, e := range events {
		key := modelID{project, e.ID}
		if e.ID != "" && m.ids[key] || m.isLate(project, &e) {
			continue
		}
		m.ids[key] = true
		e.Seq = event.Seq(len(m.events[project]) + 1)
		m.events[project] = append(m.events[project], e)
		m.gone[project] = append(m.gone[project], e.Time < m.Floor(project))
		m.erased[project] = append(m.erased[project], false)
	}
}

// New returns how many of the events Append would keep.
func (m *Model) New(project event.Project, events []event.Event) (n int) {
	met := map[string]bool{}
	for _, e := range events {
		if e.ID != "" && (m.ids[modelID{project, e.ID}] || met[e.ID]) || m.isLate(project, &e) {
			continue
		}
		met[e.ID] = true
		n++
	}
	return n
}

const dayMillis = 24 * 3600 * 1000

// Now tells the model what day it is.
func (m *Model) Now(now event.Time) {
	m.today = int64(now / dayMillis)
	for project := range m.events {
		m.expire(project)
	}
}

// SetRetention sets the retention window of a project in days, 0 for ever.
func (m *Model) SetRetention(project event.Project, days int) {
	m.days[project] = days
	m.expire(project)
}

// Floor returns the time before which no event of a project may be shown.
func (m *Model) Floor(project event.Project) event.Time {
	if m.days[project] == 0 {
		return event.TimeMin
	}
	return max(event.TimeMin, event.Time(m.today-int64(m.days[project]))*dayMillis)
}

// expire notes which events are out of the window: they may be gone for good, even where it grows.
func (m *Model) expire(project event.Project) {
	floor := m.Floor(project)
	for i := range m.events[project] {
		if m.events[project][i].Time < floor {
			m.gone[project][i] = true
		}
	}
}

// Compare says how what a store shows of a project differs from what it must show, "" where it
// doesn't: events by position, all that are in the window, less some that once weren't.
func (m *Model) Compare(project event.Project, asOf event.Seq, events []event.Event) string {
	all := m.events[project]
	if int(asOf) != len(all) {
		return fmt.Sprintf("as of %d, want %d", asOf, len(all))
	}
	floor := m.Floor(project)
	for i := range all {
		switch {
		case len(events) > 0 && events[0].Seq == all[i].Seq:
			if m.erased[project][i] {
				return fmt.Sprintf("event %d is shown, which was erased", i+1)
			}
			if events[0] != all[i] {
				return fmt.Sprintf("event %d is %+v, want %+v", i+1, events[0], all[i])
			}
			if all[i].Time < floor {
				return fmt.Sprintf("event %d of time %d is shown, the window begins at %d", i+1, all[i].Time, floor)
			}
			events = events[1:]
		case all[i].Time >= floor && !m.gone[project][i] && !m.erased[project][i]:
			return fmt.Sprintf("event %d of time %d is missing, the window begins at %d", i+1, all[i].Time, floor)
		}
	}
	if len(events) > 0 {
		return fmt.Sprintf("event %d comes after %d", events[0].Seq, len(all))
	}
	return ""
}

// Snapshot returns the project as it is now.
func (m *Model) Snapshot(project event.Project) *ModelSnapshot {
	return &ModelSnapshot{events: slices.Clone(m.events[project])}
}

// ModelSnapshot is one project of a Model at one moment, whatever its retention window.
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
