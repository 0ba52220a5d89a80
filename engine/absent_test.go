package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"millimetric/index/event"
)

// numbered returns how many visitors the runs of project 1 hold.
func (c *calendar) numbered() (n int) {
	for _, r := range c.e.projects[1].newest().runs[runVisitors] {
		n += r.count
	}
	return n
}

// keep sets the retention window of project 1.
func (c *calendar) keep(days int) {
	c.t.Helper()
	if err := c.e.SetRetention(context.Background(), 1, days); err != nil {
		c.t.Fatal(err)
	}
}

// visitors sends an event of each visitor.
func (c *calendar) visitors(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.send(event.Event{Name: "view", AnonymousID: name})
	}
}

// When the window has passed over all events of a visitor, nothing that stands for the visitor is kept; whoever
// comes again meanwhile is one visitor, for those who look from before, too.
func TestVisitorsOfWhomNothingIsLeftAreForgotten(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	c.keep(3)
	for i := range 50 {
		c.visitors(fmt.Sprint("old ", i))
	}
	c.visitors("back before", "back after")
	c.compact()
	c.pass(2 * 24 * time.Hour)
	c.visitors("stays")
	c.compact()
	before := c.e.Snapshot(1)
	if n := c.numbered(); n != 53 {
		t.Fatalf("%d visitors have ordinals, want 53", n)
	}
	c.pass(3 * 24 * time.Hour)
	c.visitors("back before") // live, and nobody has asked for the ordinal yet
	c.compact()
	// Of events that are live, or were a moment ago, it isn't known whether runs hold their visitors: -1.
	check := func(when string, runs, shown int) {
		t.Helper()
		if n := c.numbered(); n != runs && runs >= 0 {
			t.Errorf("%s: %d visitors are numbered, want %d", when, n, runs)
		}
		if got := c.ordinalsOf(); len(got) != shown {
			t.Errorf("%s: %d visitors are shown, want %d", when, len(got), shown)
		}
	}
	check("when the day is over", 2, 2)
	if events, err := before.Events(); err != nil || len(events) != 53 {
		t.Errorf("a snapshot from before shows %d events, %v", len(events), err)
	}
	before.Release()
	c.visitors("back after", "stays", "old 7")
	check("when some are back", -1, 4)
	c.compact()
	check("when they are sealed", 4, 4)
	c.reopen()
	c.visitors("back after", "old 7", "old 8")
	check("opened anew", -1, 5)
	c.pass(10 * 24 * time.Hour)
	c.compact()
	check("when nobody is left", 0, 0)
	c.reopen()
	c.visitors("stays", "old 7")
	c.compact()
	check("when the first are back", 2, 2)
	mustClose(t, c.e)
	if r := c.check(); len(r.Problems) > 0 {
		t.Error(r.Problems)
	}
}

// A snapshot from before, with a live event of a visitor who is about to be forgotten and for whom nobody has
// asked yet: the ordinal that it is told later is that of its segments.
func TestAVisitorWhoIsBackKeepsTheOrdinalOfOlderSnapshots(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	c.keep(3)
	c.visitors("first", "second")
	c.compact()
	c.pass(3 * 24 * time.Hour)
	c.visitors("second")
	s := c.e.Snapshot(1)
	c.pass(24 * time.Hour)
	p := c.e.projects[1]
	if err := c.e.retain(p); err != nil {
		t.Fatal(err)
	}
	if err := c.e.forgetAbsent(p, true); err != nil {
		t.Fatal(err)
	}
	if n := c.numbered(); n != 1 {
		t.Errorf("%d visitors are numbered, want the one who is back", n)
	}
	ordinals := map[string]uint32{}
	for _, segment := range s.Segments(event.TimeMin, event.TimeMax) {
		reader, err := segment.Reader()
		if err != nil {
			t.Fatal(err)
		}
		for row := range uint32(segment.Rows()) {
			e, ordinal, err := reader.Event(row)
			if err != nil {
				t.Fatal(err)
			}
			ordinals[e.AnonymousID] = ordinal
		}
	}
	met := 0
	err := s.Live(event.TimeMin, event.TimeMax, func(e *event.Event, ordinal uint32) bool {
		met++
		if ordinal != ordinals[e.AnonymousID] {
			t.Errorf("%s has the ordinals %d and %d", e.AnonymousID, ordinals[e.AnonymousID], ordinal)
		}
		return true
	})
	if err != nil || met != 1 || len(ordinals) != 2 {
		t.Errorf("%d live events, %d visitors in segments, %v", met, len(ordinals), err)
	}
	s.Release()
	mustClose(t, c.e)
}

// Ids that nobody has to know any more are dropped while their runs are being merged.
func TestRunsThatAreDroppedWhileTheyAreMerged(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	c.keep(3)
	p := c.e.projects[1]
	c.e.merging.Lock()
	for i := range 2 {
		c.send(event.Event{Name: "view", AnonymousID: "v", ID: fmt.Sprint(i)})
		if _, err := c.e.seal(p); err != nil {
			t.Fatal(err)
		}
	}
	held, _ := c.e.hold(p)
	c.pass(40 * 24 * time.Hour)
	if err := c.e.retain(p); err != nil {
		t.Fatal(err)
	}
	if before, now := len(held.sealed.runs[runIDs]), len(p.newest().runs[runIDs]); before != 2 || now != 0 {
		t.Fatalf("there are %d runs of ids after retention, %d before", now, before)
	}
	err := c.e.mergeRuns(p, held.sealed, runIDs, places(2))
	c.e.merging.Unlock()
	if n := len(p.newest().runs[runIDs]); err != nil || n != 0 {
		t.Errorf("%d runs of ids are back, %v", n, err)
	}
	held.Release()
	c.compact()
	mustClose(t, c.e)
	if r := c.check(); len(r.Problems) > 0 {
		t.Error(r.Problems)
	}
}
