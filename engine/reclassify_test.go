package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index"
	"millimetric/index/event"
)

// anew tells sources by a rule that changes half of them.
func anew(url, _ string, now index.Touch) index.Touch {
	if len(url)%2 == 0 {
		return index.Touch{Source: "anew", Medium: url, Rule: "even"}
	}
	return now
}

func toldAnew(events []event.Event) []event.Event {
	events = slices.Clone(events)
	for i := range events {
		e := &events[i]
		t := anew(e.URL, e.Referrer, index.Touch{Source: e.Source, Medium: e.Medium, Campaign: e.Campaign, Confidence: e.SourceConfidence, Rule: e.SourceRule})
		e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule = t.Source, t.Medium, t.Campaign, t.Confidence, t.Rule
	}
	return events
}

// visits appends so many events with URLs to project 1.
func (c *calendar) visits(n int) {
	c.t.Helper()
	var all []event.Event
	for i := range n {
		all = append(all, event.Event{
			Time: event.TimeOf(c.now) - event.Time(i*3600_000), Name: "view", Properties: "{}", AnonymousID: fmt.Sprint("v", i%7), SessionID: "s",
			URL: fmt.Sprintf("https://shop.example/%d", i%1234), Source: "direct", Medium: "direct", SourceRule: "direct",
		})
	}
	if err := c.e.Append(context.Background(), 1, all); err != nil {
		c.t.Fatal(err)
	}
}

// The process is cut at some row of the work: the next one finds each event with its old source or its new one,
// loses none, and does the rest.
func TestTellingSourcesAnewCanBeCutAtAnyPlace(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, 1))
	mixed := 0
	for round := range 6 {
		fs := vfs.NewCrashableMem()
		c := newCalendar(t, Options{SealRows: 100, FS: fs})
		for range 4 {
			c.visits(400)
			if _, err := c.e.seal(c.e.projects[1]); err != nil {
				t.Fatal(err)
			}
		}
		c.visits(50) // these stay live
		old := c.events()
		want := toldAnew(old)
		var looks atomic.Int64
		at := int64(1 + random.IntN(1200))
		var left *vfs.MemFS
		before := c.e.Snapshot(1)
		err := c.e.Reclassify(context.Background(), 1, func(url, referrer string, now index.Touch) index.Touch {
			if looks.Add(1) == at {
				left = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(seed, uint64(round)))})
			}
			return anew(url, referrer, now)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.events(); !slices.Equal(got, want) {
			t.Fatalf("round %d: %d events, not as wanted", round, len(got))
		}
		if shown, err := before.Events(); err != nil || !slices.Equal(shown, old) {
			t.Errorf("round %d: a snapshot from before shows other sources: %v", round, err)
		}
		before.Release()
		c.reopened(t, want)
		if left != nil {
			mixed += c.afterCut(t, left, old, want)
		}
		if err := c.e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d: %d stores held sources of both kinds after the cut", seed, mixed)
}

func (c *calendar) reopened(t *testing.T, want []event.Event) {
	t.Helper()
	if err := c.e.Close(); err != nil {
		t.Fatal(err)
	}
	c.open()
	if got := c.events(); !slices.Equal(got, want) {
		t.Errorf("after a start %d events are not as wanted", len(got))
	}
}

// afterCut opens what a crash left, and does the work again. It returns 1 where some of it was done.
func (c *calendar) afterCut(t *testing.T, left vfs.FS, old, want []event.Event) (mixed int) {
	t.Helper()
	cut := &calendar{t: t, now: c.now, ring: ring{keys: c.ring.keys}, opt: c.opt}
	cut.opt.FS = left
	cut.ring.use(&cut.opt)
	cut.open()
	got := cut.events()
	if len(got) != len(old) {
		t.Fatalf("%d events after a cut, want %d", len(got), len(old))
	}
	done := 0
	for i := range got {
		if got[i] != old[i] && got[i] != want[i] {
			t.Fatalf("an event is neither as before nor as after: %+v", got[i])
		}
		if got[i] == want[i] && old[i] != want[i] {
			done++
		}
	}
	if err := cut.e.Reclassify(context.Background(), 1, anew); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(cut.events(), want) {
		t.Error("the work that was cut isn't done the second time")
	}
	if err := cut.e.Close(); err != nil {
		t.Fatal(err)
	}
	if done > 0 {
		return 1
	}
	return 0
}

// Persons are erased while sources are told anew, before it and after it: what is left is all others' events with
// their new sources, and nothing of the persons is on the disk.
func TestPersonsAreErasedWhileSourcesAreToldAnew(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 100})
	for range 4 {
		c.visits(400)
		if _, err := c.e.seal(c.e.projects[1]); err != nil {
			t.Fatal(err)
		}
	}
	c.visits(50) // these stay live
	c.erase(Person{AnonymousID: "v1"})
	var looks atomic.Int64
	erased := make(chan error, 2)
	err := c.e.Reclassify(context.Background(), 1, func(url, referrer string, now index.Touch) index.Touch {
		if n := looks.Add(1); n == 300 || n == 900 {
			who := Person{AnonymousID: fmt.Sprint("v", n/300+1)} // v2 and v4
			go func() {
				_, err := c.e.Erase(context.Background(), 1, who)
				erased <- err
			}()
		}
		return anew(url, referrer, now)
	})
	if err := errors.Join(err, <-erased, <-erased); err != nil {
		t.Fatal(err)
	}
	c.erase(Person{AnonymousID: "v5"})
	c.gone()
	for _, when := range []string{"at once", "opened anew"} {
		got := c.events()
		for _, e := range got {
			if slices.Contains([]string{"v1", "v2", "v4", "v5"}, e.AnonymousID) {
				t.Fatalf("%s: an event of %s is there", when, e.AnonymousID)
			}
		}
		if want := 1650 * 3 / 7; len(got) < want-10 || len(got) > want+10 || !slices.Equal(got, toldAnew(got)) {
			t.Errorf("%s: %d events, about %d are wanted, or some have their old sources", when, len(got), want)
		}
		c.reopen()
	}
	mustClose(t, c.e)
	if r := c.check(); len(r.Problems) > 0 {
		t.Error(r.Problems)
	}
}
