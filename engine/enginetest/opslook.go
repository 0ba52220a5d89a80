package enginetest

import (
	"errors"
	"fmt"
	"slices"

	"millimetric/engine"
	"millimetric/index/event"
)

// heldSnapshot is a snapshot that is kept while other things are done, and what it showed at first.
type heldSnapshot struct {
	snapshot *engine.Snapshot
	project  event.Project
	events   []event.Event
	floor    event.Time
	before   map[string]int // counts, when it was taken
}

// look compares one project with the model, and at times a snapshot with what it showed at first.
func (r *opsRun) look() error {
	if len(r.held) > 0 && r.random.IntN(4) == 0 {
		if err := r.lookBack(r.held[r.random.IntN(len(r.held))]); err != nil {
			return err
		}
	}
	return r.lookAt(event.Project(1+r.random.IntN(projects)), r.random.IntN(6) == 0)
}

// lookAt compares a project with the model; closely says that all that a snapshot tells is looked at.
func (r *opsRun) lookAt(p event.Project, closely bool) error {
	r.result.Looks++
	s := r.e.Snapshot(p)
	defer s.Release()
	events, err := r.model.compareWith(s, p)
	if err != nil {
		return err
	}
	if got, want := r.e.Retention(p), r.model.days[p]; got != want {
		return fmt.Errorf("project %d keeps %d days, not %d", p, got, want)
	}
	if !closely {
		return nil
	}
	err = errors.Join(sameLinks(s, events), r.sameRange(s, events), sameOrdinals(s, events), r.sameCommits(s, p))
	if err != nil {
		return fmt.Errorf("project %d: %w", p, err)
	}
	return nil
}

// compareWith returns the events of a snapshot, which must be what the model has.
func (m *Model) compareWith(s *engine.Snapshot, p event.Project) ([]event.Event, error) {
	if got, want := s.Floor(), m.Floor(p); got != want {
		return nil, fmt.Errorf("the window of project %d begins at %d, not %d", p, got, want)
	}
	events, err := s.Events()
	if err != nil {
		return nil, fmt.Errorf("read project %d: %w", p, err)
	}
	if d := m.Compare(p, s.AsOf(), events); d != "" {
		return nil, fmt.Errorf("project %d: %s", p, d)
	}
	return events, nil
}

// lookBack checks that a snapshot shows what it showed at first.
func (r *opsRun) lookBack(h heldSnapshot) error {
	r.result.Looks++
	events, err := h.snapshot.Events()
	if err != nil {
		return fmt.Errorf("read a snapshot of project %d again: %w", h.project, err)
	}
	if d := diff("event", events, h.events); d != "" {
		return fmt.Errorf("a snapshot of project %d has changed: %s", h.project, d)
	}
	if h.snapshot.Floor() != h.floor {
		return fmt.Errorf("the window of a snapshot of project %d has moved", h.project)
	}
	for _, what := range []string{"sealed", "merged", "segments are dropped", "a cipher key is destroyed"} {
		r.mu.Lock()
		if r.counts[what] > h.before[what] {
			r.counts["a snapshot outlives: "+what]++
		}
		r.mu.Unlock()
	}
	return errors.Join(sameLinks(h.snapshot, events), sameOrdinals(h.snapshot, events))
}

// sameLinks holds a snapshot's links against those of its events.
func sameLinks(s *engine.Snapshot, events []event.Event) error {
	if d := diff("link", links(s), links(&ModelSnapshot{events: events})); d != "" {
		return errors.New(d)
	}
	return nil
}

// sameRange asks for a range of time, as questions do.
func (r *opsRun) sameRange(s *engine.Snapshot, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	from := events[r.random.IntN(len(events))].Time
	to := from + event.Time(r.random.Int64N(20*dayMillis))
	var got []event.Event
	for _, segment := range s.Segments(from, to) {
		reader, err := segment.Reader()
		if err != nil {
			return err
		}
		for row := range uint32(segment.Rows()) {
			e, _, err := reader.Event(row)
			if err != nil {
				return err
			}
			if e.Time >= max(from, s.Floor()) && e.Time < to && !segment.Hidden().Has(row) {
				got = append(got, e)
			}
		}
	}
	err := s.Live(from, to, func(e *event.Event, _ uint32) bool { got = append(got, *e); return true })
	slices.SortFunc(got, func(a, b event.Event) int { return int(a.Seq) - int(b.Seq) })
	want := slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.Time < from || e.Time >= to })
	if d := diff("event of a range", got, want); d != "" {
		err = errors.Join(err, errors.New(d))
	}
	return err
}

// sameOrdinals checks that each visitor has one ordinal, and that no two have the same.
func sameOrdinals(s *engine.Snapshot, events []event.Event) error {
	visitors, ordinals := map[uint32]string{}, map[string]uint32{}
	var wrong error
	see := func(id string, ordinal uint32) {
		known, met := ordinals[id]
		other, taken := visitors[ordinal]
		if met && known != ordinal || taken && other != id || ordinal >= s.Visitors() {
			wrong = fmt.Errorf("visitor %s has ordinal %d of %d, which is that of %q; it had %d", id, ordinal, s.Visitors(), other, known)
		}
		ordinals[id], visitors[ordinal] = ordinal, id
	}
	for _, segment := range s.Segments(event.TimeMin, event.TimeMax) {
		reader, err := segment.Reader()
		if err != nil {
			return err
		}
		for row := range uint32(segment.Rows()) {
			e, ordinal, err := reader.Event(row)
			if err != nil {
				return err
			}
			if !segment.Hidden().Has(row) {
				see(e.AnonymousID, ordinal)
			}
		}
	}
	err := s.Live(event.TimeMin, event.TimeMax+1, func(e *event.Event, ordinal uint32) bool {
		see(e.AnonymousID, ordinal)
		return true
	})
	for i := range events {
		if _, met := ordinals[events[i].AnonymousID]; !met {
			wrong = fmt.Errorf("visitor %s has no ordinal", events[i].AnonymousID)
		}
	}
	return errors.Join(err, wrong)
}

// sameCommits checks that positions say when they were committed, and what they said before.
func (r *opsRun) sameCommits(s *engine.Snapshot, p event.Project) error {
	for i, want := range r.commits[p] {
		at, known, err := s.CommittedAt(event.Seq(i + 1))
		if err != nil || !known || at != want {
			return fmt.Errorf("position %d was committed at %d, now it says %d (%t, %w)", i+1, want, at, known, err)
		}
	}
	return nil
}
