package engine

import (
	"fmt"
	"slices"
	"sort"
	"sync/atomic"

	"millimetric/index"
	"millimetric/index/event"
)

// Snapshot is one project as it was at one moment. It never changes, and is safe for concurrent use.
// Release says that it isn't needed any more; until then, what it shows stays on disk, even where
// it was merged since.
type Snapshot struct {
	e        *Engine
	p        *project // nil where the project is unknown
	sealed   *sealed
	live     view
	floor    event.Time
	released atomic.Bool
}

// Snapshot returns the project as it is now: all that was acknowledged, and nothing that isn't
// durable. A project that is unknown is empty.
func (e *Engine) Snapshot(number event.Project) *Snapshot {
	known, ok := e.shown.Load(number)
	if !ok {
		return e.unknown(number)
	}
	p := known.(*project)
	today := e.today()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &Snapshot{e: e, p: p, sealed: p.state(), live: p.shown}
	s.sealed.readers++
	s.floor = floorOf(today, s.sealed.days)
	return s
}

// unknown is a snapshot of a project that isn't there: an empty one, unless its manifest may be among
// those that can't be read.
func (e *Engine) unknown(number event.Project) *Snapshot {
	s := &Snapshot{e: e, sealed: &sealed{manifest: &manifest{}, readers: 1}}
	if why := e.missing(number); why != nil {
		s.p = &project{number: number, states: []*sealed{s.sealed}}
		s.p.broken.Store(&why)
	}
	return s
}

// Release lets go of what the snapshot shows. It may be called once or more; nothing may be read after.
func (s *Snapshot) Release() {
	if s.p == nil || s.released.Swap(true) {
		return
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.sealed.readers--
	s.e.bury(s.p.retire()) // before anybody sees that nobody reads: an erasure that does deletes what is buried
}

// AsOf returns the position of the last event.
func (s *Snapshot) AsOf() event.Seq { return max(s.live.asOf, s.sealed.watermark) }

// Floor returns the time before which no event may be shown: the project's retention window begins
// there.
func (s *Snapshot) Floor() event.Time { return s.floor }

// CommittedAt returns the server's time at which a position was committed: what its clock said when
// the position was the last one. Before the first event there was no such moment.
func (s *Snapshot) CommittedAt(position event.Seq) (at event.Time, known bool, err error) {
	if position == 0 || position > s.AsOf() {
		return 0, false, nil
	}
	if position > s.sealed.watermark {
		marks := s.live.commits
		after := sort.Search(len(marks), func(i int) bool { return marks[i].First > position })
		if after == 0 {
			return 0, false, nil
		}
		return marks[after-1].At, true, nil
	}
	for _, run := range s.sealed.commits {
		if first, last := run.SeqRange(); first <= position && position <= last {
			return run.At(position)
		}
	}
	return 0, false, nil
}

// PastWindows is what is known of the retention windows that a project had before the one that it has.
type PastWindows struct {
	Ended event.Time // when the last of them did; 0 where there was none
	Reach event.Time // up to which time they may have hidden or destroyed events
}

// RetentionTook reports whether retention has taken events with from <= Time < to, at or before a
// position, since the position was committed, or shows some that it hid then. What the windows of the past
// were isn't known, so all that they or the present one reach counts as changed since. Of events that are
// destroyed it is only known that there were some.
func (s *Snapshot) RetentionTook(position event.Seq, from, to event.Time, past PastWindows) (bool, error) {
	at, known, err := s.CommittedAt(position)
	if err != nil {
		return false, err
	}
	then, reach := event.TimeMin, max(s.floor, past.Reach)
	if known && at > past.Ended {
		then, reach = floorOf(int64(at/dayMillis), s.sealed.days), s.floor
	}
	if from, to = max(from, then), min(to, reach); from >= to {
		return false, nil
	}
	return s.sealed.gone > s.sealed.erasures.gone || s.holds(position, from, to), nil
}

// holds reports whether there are events with from <= Time < to, at or before a position, hidden ones
// among them.
func (s *Snapshot) holds(position event.Seq, from, to event.Time) bool {
	for i := range s.sealed.manifest.segments {
		if m := &s.sealed.manifest.segments[i]; m.minSeq <= position && m.maxTime >= from && m.minTime < to {
			return true
		}
	}
	for _, stretch := range s.live.full {
		if stretch.first < to && stretch.last >= from && stretch.events[0].Seq <= position {
			return true
		}
	}
	for i := range s.live.events {
		if e := &s.live.events[i]; e.Seq <= position && e.Time >= from && e.Time < to {
			return true
		}
	}
	return false
}

// Segments returns the sealed segments that may hold events with from <= Time < to.
func (s *Snapshot) Segments(from, to event.Time) []*index.Segment {
	var found []*index.Segment
	for i := range s.sealed.manifest.segments {
		if entry := &s.sealed.manifest.segments[i]; entry.maxTime >= max(from, s.floor) && entry.minTime < to && !entry.allHidden() {
			found = append(found, s.sealed.segments[i])
		}
	}
	return found
}

// Live yields the events with from <= Time < to that are in no segment yet, each with the ordinal of
// its visitor, until yield returns false. The events are shared: they must not be changed.
func (s *Snapshot) Live(from, to event.Time, yield func(e *event.Event, visitor uint32) bool) error {
	if s.p == nil {
		return nil
	}
	if why := s.p.damage(); why != nil {
		return why
	}
	from = max(from, s.floor)
	for _, stretch := range s.live.full {
		if stretch.last < from || stretch.first >= to {
			continue
		}
		if goOn, err := s.scan(stretch, stretch.events, from, to, yield); err != nil || !goOn {
			return err
		}
	}
	if len(s.live.events) == 0 {
		return nil
	}
	_, err := s.scan(s.live.open, s.live.events, from, to, yield)
	return err
}

func (s *Snapshot) scan(in *stretch, events []event.Event, from, to event.Time, yield func(*event.Event, uint32) bool) (goOn bool, err error) {
	visitors, err := s.p.ordinals.of(in, events)
	if err != nil {
		return false, fmt.Errorf("number visitors of project %d: %w", s.p.number, err)
	}
	for i := range events {
		if e := &events[i]; e.Time >= from && e.Time < to && !yield(e, visitors[i]) {
			return false, nil
		}
	}
	return true, nil
}

// Visitors bounds the ordinals of all visitors in the snapshot: they are below it.
func (s *Snapshot) Visitors() uint32 {
	if s.p == nil {
		return 0
	}
	// Who is live gets an ordinal here at the latest. A failure shows again in Live.
	_ = s.Live(event.TimeMin, event.TimeMax+1, func(*event.Event, uint32) bool { return true })
	return s.p.ordinals.bound()
}

// Links yields, in any order, at least each link that was the earliest of its visitor, of those whose
// time isn't over, when it came.
func (s *Snapshot) Links(yield func(event.Link) bool) error {
	goOn := true
	for i, segment := range s.sealed.segments {
		if s.sealed.manifest.segments[i].maxTime < s.floor {
			continue
		}
		err := segment.Links(func(l event.Link) bool {
			if l.Time >= s.floor {
				goOn = yield(l)
			}
			return goOn
		})
		if err != nil || !goOn {
			return err
		}
	}
	return s.Live(s.floor, event.TimeMax+1, func(e *event.Event, _ uint32) bool {
		return e.UserID == "" || yield(event.Link{AnonymousID: e.AnonymousID, UserID: e.UserID, Time: e.Time, Seq: e.Seq})
	})
}

// Events returns all events of the snapshot in the order of their positions. It is for tests and
// checks: it holds them all in memory.
func (s *Snapshot) Events() ([]event.Event, error) {
	var all []event.Event
	for i, segment := range s.sealed.segments {
		if s.sealed.manifest.segments[i].maxTime < s.floor {
			continue
		}
		reader, err := segment.Reader()
		if err != nil {
			return nil, err
		}
		for row := range uint32(segment.Rows()) {
			e, _, err := reader.Event(row)
			if err != nil {
				return nil, err
			}
			if e.Time >= s.floor && !segment.Hidden().Has(row) {
				all = append(all, e)
			}
		}
	}
	err := s.Live(s.floor, event.TimeMax+1, func(e *event.Event, _ uint32) bool {
		all = append(all, *e)
		return true
	})
	slices.SortFunc(all, func(a, b event.Event) int { return int(a.Seq) - int(b.Seq) })
	return all, err
}
