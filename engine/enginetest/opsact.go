package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
)

// act is one thing that is done.
type act struct {
	name string
	run  func(r *opsRun) error
}

// change is an act that a cut of the power may come into: what it does to the engine, and what of it the
// model has to know then.
type change struct {
	name  string
	parts []*changePart
}

// changePart is what is acknowledged by itself.
type changePart struct {
	do    func(e *engine.Engine) error
	acked atomic.Bool
	// done tells the model, after it was acknowledged.
	done func() error
	// found tells the model what became of it where the power was cut before it was.
	found func() error
}

// choose picks what to do next.
func (r *opsRun) choose() act {
	switch n := r.random.IntN(100); {
	case n < 58:
		return changing(r.append())
	case n < 64:
		return act{"time passes", (*opsRun).pass}
	case n < 66:
		return act{"the clock jumps", (*opsRun).jump}
	case n < 70:
		return changing(r.retention())
	case n < 72:
		return changing(r.erase())
	case n < 79:
		return changing(r.compact())
	case n < 84:
		return act{"a snapshot is taken", (*opsRun).hold}
	case n < 88:
		return act{"a snapshot is let go", (*opsRun).release}
	case n < 92:
		return act{"opened anew", func(r *opsRun) error { return r.reopen(r.random.IntN(8)) }}
	case n < 94:
		return act{"cut at rest", func(r *opsRun) error { return r.cut(change{}) }}
	case n < 95:
		return act{"verified", (*opsRun).verify}
	}
	return act{"cut in the middle", (*opsRun).cutInside}
}

func changing(c change) act {
	return act{c.name, func(r *opsRun) error { return r.change(c) }}
}

// start does all parts at once, each in a goroutine of its own, and waits for them.
func (c change) start(e *engine.Engine) error {
	failed := make(chan error, len(c.parts))
	var all sync.WaitGroup
	for _, part := range c.parts {
		all.Go(func() {
			err := part.do(e)
			if err == nil {
				part.acked.Store(true)
			}
			failed <- err
		})
	}
	all.Wait()
	for range c.parts {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

func (r *opsRun) change(c change) error {
	if err := c.start(r.e); err != nil {
		return err
	}
	for _, part := range c.parts {
		if err := part.done(); err != nil {
			return err
		}
	}
	return nil
}

// append makes a request to one project, or several at the same time.
func (r *opsRun) append() change {
	c := change{name: "append"}
	first := event.Project(1 + r.random.IntN(projects))
	n := 1
	if r.random.IntN(4) == 0 {
		c.name, n = "append to several projects", projects
	}
	for i := range n {
		p := 1 + (first+event.Project(i))%projects
		size := 1
		if r.random.IntN(3) == 0 {
			size += r.random.IntN(60)
		}
		c.parts = append(c.parts, r.request(p, r.events(p, size)))
	}
	return c
}

func (r *opsRun) request(p event.Project, events []event.Event) *changePart {
	before := event.Seq(len(r.model.events[p]))
	isNew := event.Seq(r.model.New(p, events))
	kept := func() error {
		r.model.Append(p, events)
		for _, e := range r.model.events[p][before:] {
			if e.ID != "" {
				r.sent[p] = append(r.sent[p], opsSent{e.ID, e.Seq, r.elapsed.Load()})
			}
		}
		return r.noteCommits(p)
	}
	return &changePart{
		do: func(e *engine.Engine) error {
			return e.Append(context.Background(), p, append([]event.Event{}, events...))
		},
		done: kept,
		found: func() error {
			s := r.e.Snapshot(p)
			defer s.Release()
			switch asOf := s.AsOf(); asOf {
			case before + isNew:
				if isNew > 0 {
					r.count("what wasn't acknowledged is there")
				}
				return kept()
			case before:
				r.count("what wasn't acknowledged is not there")
				return nil
			default:
				return fmt.Errorf("of %d events that weren't acknowledged, project %d holds %d", isNew, p, asOf-before)
			}
		},
	}
}

// noteCommits notes when new positions were committed.
func (r *opsRun) noteCommits(p event.Project) error {
	s := r.e.Snapshot(p)
	defer s.Release()
	latest := r.last
	for position := event.Seq(len(r.commits[p]) + 1); position <= s.AsOf(); position++ {
		at, known, err := s.CommittedAt(position)
		if err != nil || !known || at < r.last {
			return fmt.Errorf("position %d of project %d was committed at %d (%t, %v), another one before at %d", position, p, at, known, err, r.last)
		}
		r.commits[p], latest = append(r.commits[p], at), max(latest, at)
	}
	// Requests at the same time may share a group, or not: what is committed with one is no earlier.
	r.last = latest
	return nil
}

// windows are retention windows in days: buckets are days up to 92, and months beyond.
var windows = []int{0, 1, 2, 3, 7, 20, 30, 92, 93, 200}

func (r *opsRun) retention() change {
	p, days := event.Project(1+r.random.IntN(projects)), windows[r.random.IntN(len(windows))]
	if r.model.days[p] > 0 && r.random.IntN(3) == 0 {
		days = 0
	}
	set := func() error {
		if days > 0 && (r.model.days[p] == 0 || days < r.model.days[p]) {
			r.count("a window becomes shorter")
		}
		r.model.SetRetention(p, days)
		return nil
	}
	return change{"set retention", []*changePart{{
		do:   func(e *engine.Engine) error { return e.SetRetention(context.Background(), p, days) },
		done: set,
		found: func() error {
			if r.e.Retention(p) == days {
				return set()
			}
			return nil
		},
	}}}
}

// compact seals and merges all. Nothing of it may show, so somebody looks all the while.
func (r *opsRun) compact() change {
	nothing := func() error { return nil }
	do := func(e *engine.Engine) error {
		ended := make(chan error, 1)
		go func() { ended <- e.Compact(context.Background()) }()
		for p := event.Project(0); ; p++ {
			select {
			case err := <-ended:
				return err
			case <-time.After(3 * time.Millisecond):
			}
			s := e.Snapshot(1 + p%projects)
			_, err := r.model.compareWith(s, 1+p%projects)
			s.Release()
			if err != nil {
				return errors.Join(fmt.Errorf("while all is compacted: %w", err), <-ended)
			}
		}
	}
	return change{"compact", []*changePart{{do: do, done: nothing, found: nothing}}}
}

// pass lets time pass: mostly little, at times days.
func (r *opsRun) pass() error {
	switch r.random.IntN(4) {
	case 0:
		r.sleep(1 + r.random.Int64N(1000))
	case 1:
		r.sleep(r.random.Int64N(3 * dayMillis))
	default:
		r.sleep(r.random.Int64N(5 * 3600_000))
	}
	return nil
}

// jumpMax is how long the clock may be off before the engine takes it for right, in milliseconds.
const jumpMax = 10 * 3600_000

func (r *opsRun) sleep(ms int64) {
	if r.off != 0 && r.elapsed.Load()+ms-r.offFor > jumpMax {
		r.setRight()
	}
	r.elapsed.Add(ms)
	r.wall.Add(ms)
	r.model.Now(r.now())
	// Time doesn't pass at once: somebody looks at the clock at least every few hours.
	for p := range event.Project(projects) {
		r.e.Snapshot(1 + p).Release()
	}
}

// setRight sets the clock right again.
func (r *opsRun) setRight() {
	r.wall.Add(-r.off)
	r.off = 0
}

// jump sets the clock wrong, by an hour or many days, or right again.
func (r *opsRun) jump() error {
	if r.off != 0 {
		r.setRight()
		return nil
	}
	const hour = 3600_000
	r.off = []int64{hour, -hour, 24 * hour, -24 * hour, 40 * 24 * hour, -40 * 24 * hour}[r.random.IntN(6)]
	r.offFor = r.elapsed.Load()
	r.wall.Add(r.off)
	return nil
}

// heldMax bounds the snapshots that are held.
const heldMax = 6

func (r *opsRun) hold() error {
	if len(r.held) == heldMax {
		return nil
	}
	p := event.Project(1 + r.random.IntN(projects))
	s := r.e.Snapshot(p)
	events, err := s.Events()
	if err != nil {
		s.Release()
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := heldSnapshot{snapshot: s, project: p, events: events, floor: s.Floor(), before: map[string]int{}}
	for what, n := range r.counts {
		h.before[what] = n
	}
	r.held = append(r.held, h)
	return nil
}

func (r *opsRun) release() error {
	if len(r.held) == 0 {
		return nil
	}
	i := r.random.IntN(len(r.held))
	err := r.lookBack(r.held[i])
	r.held[i].snapshot.Release()
	r.held[i] = r.held[len(r.held)-1]
	r.held = r.held[:len(r.held)-1]
	return err
}

func (r *opsRun) verify() error {
	report, err := r.e.Verify()
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("%v", report.Problems)
	}
	return err
}
