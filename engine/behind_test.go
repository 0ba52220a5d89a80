package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"millimetric/index/event"
)

// publishes seals a project as far as its manifest, and no further, as a seal does whose next read fails.
func (s *shelf) publishes(e *Engine, p *project) {
	s.t.Helper()
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	f, err := e.freeze(p)
	if err != nil {
		s.t.Fatal(err)
	}
	made, err := e.writeFrozen(p, p.newest(), f)
	if err == nil {
		err = e.publish(p, made.next)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	p.behind = true
}

func isBehind(p *project) bool {
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	return p.behind
}

// sends appends events, each twice and at a time of its own.
func (s *shelf) sends(e *Engine, from, to int) {
	s.t.Helper()
	for i := from; i < to; i++ {
		ev := event.Event{Time: event.TimeOf(e.opt.Now()), Name: "a", ID: fmt.Sprint(i), AnonymousID: fmt.Sprint("v", i%5), SessionID: "s", Properties: "{}"}
		if err := e.Append(context.Background(), 1, []event.Event{ev, ev}); err != nil {
			s.t.Fatal(err)
		}
		s.want[1] = append(s.want[1], ev)
		time.Sleep(time.Millisecond)
	}
}

// What a seal has published and not handed over is sealed, and isn't sealed again: neither its events nor the times
// at which they were committed.
func TestASealGoesOnBehindOneThatFailedToHandOver(t *testing.T) {
	for _, caughtUp := range []bool{false, true} {
		s := newShelf(t, Options{})
		e := opened(t, s.opt)
		for round := range 3 {
			s.sends(e, 10*round, 10*round+6)
			s.publishes(e, e.known(1))
			if caughtUp {
				if err := e.catchUp(e.known(1)); err != nil || isBehind(e.known(1)) {
					t.Fatalf("it isn't caught up: %v", err)
				}
				if rows, _ := e.known(1).liveRows(); rows > 0 || len(e.known(1).full) > 0 {
					t.Errorf("%d events are live still", rows)
				}
			}
		}
		if err := e.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
		if runs := e.known(1).newest().runs; len(runs[runCommits]) != 1 || runs[runCommits][0].first != 1 || runs[runCommits][0].last != 18 {
			t.Errorf("caught up: %t: the runs of commit times are %+v", caughtUp, runs[runCommits])
		}
		for _, i := range []int{0, 5, 10, 25} { // nothing is kept again
			ev := event.Event{Time: event.TimeOf(e.opt.Now()), Name: "again", ID: fmt.Sprint(i), AnonymousID: "v", SessionID: "s", Properties: "{}"}
			if err := e.Append(context.Background(), 1, []event.Event{ev}); err != nil {
				t.Fatal(err)
			}
		}
		snapshot := e.Snapshot(1)
		last := event.Time(0)
		for seq := event.Seq(1); seq <= 18; seq++ {
			at, known, err := snapshot.CommittedAt(seq)
			if err != nil || !known || at < last {
				t.Errorf("caught up: %t: event %d was committed at %d, the one before at %d; known: %t, %v", caughtUp, seq, at, last, known, err)
			}
			last = at
		}
		if snapshot.AsOf() != 18 {
			t.Errorf("caught up: %t: %d events are there", caughtUp, snapshot.AsOf())
		}
		snapshot.Release()
		mustClose(t, e)
		if report, err := Check("store", fixed(s.opt)); err != nil || len(report.Problems) > 0 {
			t.Errorf("caught up: %t: %v, %v", caughtUp, report.Problems, err)
		}
	}
}

func TestTheMergerCatchesUp(t *testing.T) {
	s := newShelf(t, Options{})
	e := opened(t, s.opt)
	defer mustClose(t, e)
	s.sends(e, 0, 6)
	p := e.known(1)
	s.publishes(e, p)
	e.wake()
	within(t, 10*time.Second, func() bool { return !isBehind(p) })
	s.sends(e, 0, 6) // again, so that their ids are looked for
	if n := e.Snapshot(1).AsOf(); n != 6 {
		t.Errorf("%d events are there", n)
	}
}
