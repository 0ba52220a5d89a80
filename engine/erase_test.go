package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
)

func (c *calendar) reopen() {
	c.t.Helper()
	mustClose(c.t, c.e)
	c.open()
}

// check has the closed store verified.
func (c *calendar) check() Report {
	c.t.Helper()
	report, err := Check("store", c.opt)
	if err != nil {
		c.t.Fatal(err)
	}
	return report
}

// send appends events, which are dated now where they have no time.
func (c *calendar) send(events ...event.Event) {
	c.t.Helper()
	for i := range events {
		if events[i].Time == 0 {
			events[i].Time = event.TimeOf(c.now)
		}
	}
	if err := c.e.Append(context.Background(), 1, events); err != nil {
		c.t.Fatal(err)
	}
}

func (c *calendar) erase(who Person) Erasure {
	c.t.Helper()
	x, err := c.e.Erase(context.Background(), 1, who)
	if err != nil {
		c.t.Fatal(err)
	}
	return x
}

// names lists what a snapshot shows, by position.
func (c *calendar) names() string {
	c.t.Helper()
	var names []string
	for _, e := range c.events() {
		names = append(names, e.Name)
	}
	return strings.Join(names, " ")
}

func (c *calendar) wantNames(when, want string) {
	c.t.Helper()
	if got := c.names(); got != want {
		c.t.Errorf("%s: %q is shown, want %q", when, got, want)
	}
}

// household sends events of ann, on two devices, of bob, who shares one of them, and of a visitor.
func (c *calendar) household() {
	c.send(
		event.Event{Name: "a1", AnonymousID: "phone", ID: "1"},                       // ann's, before she logs in
		event.Event{Name: "a2", AnonymousID: "phone", UserID: "ann", ID: "2"},        // the first link of phone
		event.Event{Name: "b1", AnonymousID: "phone", UserID: "bob", ID: "3"},        // bob's
		event.Event{Name: "a3", AnonymousID: "phone", ID: "4"},                       // ann's, as the first link is hers
		event.Event{Name: "b2", AnonymousID: "desk", UserID: "bob", ID: "5"},         // the first link of desk
		event.Event{Name: "a4", AnonymousID: "desk", UserID: "ann", ID: "6"},         // ann's
		event.Event{Name: "b3", AnonymousID: "desk", ID: "7"},                        // bob's
		event.Event{Name: "v1", AnonymousID: "stranger", ID: "8"},                    // nobody's
		event.Event{Name: "a5", AnonymousID: "tablet", UserID: "ann", Time: 1 << 40}, // long ago
	)
}

const withoutAnn = "b1 b2 b3 v1"

func TestAUserIsErasedAsThePersonRuleSays(t *testing.T) {
	for _, how := range []string{"live", "sealed", "in parts"} {
		t.Run(how, func(t *testing.T) {
			c := newCalendar(t, Options{SealRows: 1 << 20})
			c.household()
			switch how {
			case "sealed":
				c.compact()
			case "in parts":
				if _, err := c.e.seal(c.e.projects[1]); err != nil {
					t.Fatal(err)
				}
				c.send(event.Event{Name: "a6", AnonymousID: "phone"}, event.Event{Name: "a7", AnonymousID: "tablet"})
			}
			before := c.e.Snapshot(1)
			x := c.erase(Person{UserID: "ann"})
			c.wantNames("at once", withoutAnn)
			if all, err := before.Events(); err != nil || len(all) < 9 {
				t.Errorf("a snapshot from before shows %d events, %v", len(all), err)
			}
			before.Release()
			want := map[string]int{"in parts": 7}[how]
			if want = max(want, 5); x.Events != want || x.Hidden == 0 || x.Kind != "user" || x.Before <= event.TimeOf(c.now) {
				t.Errorf("the erasure took %d events, want %d: %+v", x.Events, want, x)
			}
			c.reopen()
			c.wantNames("opened anew", withoutAnn)
			c.compact()
			c.wantNames("compacted", withoutAnn)
			mustClose(t, c.e)
			if r := c.check(); len(r.Problems) > 0 {
				t.Error(r.Problems)
			}
		})
	}
}

func TestAVisitorIsErasedWithAllEvents(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	c.household()
	c.erase(Person{AnonymousID: "phone"})
	c.wantNames("without phone", "b2 a4 b3 v1 a5")
	c.erase(Person{AnonymousID: "phone"})
	c.erase(Person{AnonymousID: "nobody"})
	c.wantNames("erased twice", "b2 a4 b3 v1 a5")
	c.reopen()
	c.wantNames("opened anew", "b2 a4 b3 v1 a5")
	mustClose(t, c.e)
}

// What comes late is of somebody who is gone, if it is dated before; what is dated later is a new person's.
func TestLateEventsOfAnErasedPersonAreNotKept(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	c.household()
	start := event.TimeOf(c.now)
	c.pass(time.Hour)
	x := c.erase(Person{UserID: "ann"})
	late := func(round string) {
		c.send(
			event.Event{Name: "l1" + round, AnonymousID: "phone", Time: start + 5},                 // ann's device
			event.Event{Name: "l2" + round, AnonymousID: "new", UserID: "ann", Time: x.Before - 1}, // hers
			event.Event{Name: "l3" + round, AnonymousID: "phone", UserID: "ann", ID: "2", Time: start},
			event.Event{Name: "k1" + round, AnonymousID: "phone", UserID: "bob", Time: start + 6}, // bob's
			event.Event{Name: "k2" + round, AnonymousID: "desk", Time: start + 7},                 // bob's
			event.Event{Name: "k3" + round, AnonymousID: "phone", UserID: "ann", Time: x.Before},  // a new person's
		)
	}
	late("")
	want := withoutAnn + " k1 k2 k3"
	c.wantNames("at once", want)
	c.reopen()
	c.wantNames("opened anew", want)
	late("'")
	want += " k1' k2' k3'"
	c.wantNames("sent again", want)
	c.compact()
	c.reopen()
	late("\"")
	c.wantNames("sent once more", want+" k1\" k2\" k3\"")
	mustClose(t, c.e)
}

func TestAnErasureInAStoreOfNobodyIsKnown(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	at := event.TimeOf(c.now)
	c.pass(time.Minute)
	c.erase(Person{UserID: "ann"})
	c.send(event.Event{Name: "late", AnonymousID: "x", UserID: "ann", Time: at}, event.Event{Name: "other", AnonymousID: "x", Time: at})
	c.wantNames("at once", "other")
	c.reopen()
	c.wantNames("opened anew", "other")
	mustClose(t, c.e)
}

// Links of who is hidden tell nothing any more.
func TestLinksOfAnErasedUserAreGoneAtOnce(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	c.household()
	c.erase(Person{UserID: "ann"})
	var links []string
	s := c.e.Snapshot(1)
	defer s.Release()
	err := s.Links(func(l event.Link) bool {
		links = append(links, fmt.Sprint(l.AnonymousID, "=", l.UserID))
		return true
	})
	slices.Sort(links)
	if got := strings.Join(links, " "); err != nil || got != "desk=bob phone=bob" {
		t.Errorf("links are %q, %v", got, err)
	}
	for position, want := range []bool{true, true, true, true, true, true, true, true, true} {
		if took, err := s.ErasureTook(event.Seq(position + 1)); took != want || err != nil {
			t.Errorf("as of %d, an erasure took something: %t, %v", position+1, took, err)
		}
	}
	c.send(event.Event{Name: "later"})
	after := c.e.Snapshot(1)
	defer mustClose(t, c.e)
	defer after.Release()
	if took, err := after.ErasureTook(10); took || err != nil {
		t.Errorf("as of a position behind it, an erasure took something: %t, %v", took, err)
	}
}
