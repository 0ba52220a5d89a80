package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index"
	"millimetric/index/event"
)

// gone has the bytes of who was erased leave the disk.
func (c *calendar) gone() {
	c.t.Helper()
	if left, err := c.e.FinishErasures(context.Background()); err != nil || left > 0 {
		c.t.Fatalf("%d erasures aren't at their end: %v", left, err)
	}
}

// crowd sends so many events of a few visitors each day, one in ten of them of ann.
func (c *calendar) crowd(events int) {
	c.t.Helper()
	var all []event.Event
	for i := range events {
		ev := event.Event{
			Time: event.TimeOf(c.now) + event.Time(i), Name: fmt.Sprint("e", i%7), ID: fmt.Sprintf("id-%d-%d", c.now.Unix(), i),
			AnonymousID: fmt.Sprint("visitor", i%23), Properties: fmt.Sprintf(`{"n":%d}`, i),
		}
		if i%10 == 0 {
			ev.UserID, ev.AnonymousID = "ann", fmt.Sprint("ann's ", i%3)
		}
		all = append(all, ev)
	}
	c.send(all...)
}

// holding returns what the store keeps of the log and of all pieces, encrypted as it is, but for the times of
// commits, which are nobody's.
func (c *calendar) holding() [][]byte {
	c.t.Helper()
	all := storedUnder(c.t, c.e, []byte{prefixGroup})
	m := c.e.projects[1].newest().manifest
	for _, t := range m.things(1) {
		if !slices.ContainsFunc(m.runs[runCommits], func(r runEntry) bool { return r.stamp == t.stamp }) {
			all = append(all, storedUnder(c.t, c.e, t.key(nil))...)
		}
	}
	return all
}

// Of an erased person nothing is left in any file: what held their events, encrypted as it was, in the log, in
// segments and runs, and in those that were merged away before.
func TestNothingOfAnErasedPersonIsLeftOnTheDisk(t *testing.T) {
	for _, how := range []string{"live", "sealed", "merged", "cut"} {
		t.Run(how, func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			c := newCalendar(t, Options{FS: fs, SealRows: 1 << 20, MemTableBytes: 64 << 10})
			var held [][]byte
			for range 3 {
				c.crowd(300)
				held = append(held, c.holding()...)
				if how != "live" {
					if _, err := c.e.seal(c.e.projects[1]); err != nil {
						t.Fatal(err)
					}
				}
				if err := c.e.Append(context.Background(), 2, []event.Event{{Name: "other", Time: event.TimeOf(c.now)}}); err != nil {
					t.Fatal(err)
				}
				held = append(held, c.holding()...)
				c.pass(time.Hour)
			}
			if how == "merged" {
				c.compact()
				held = append(held, c.holding()...)
			}
			if n := lying(t, fs, held); n < 3 {
				t.Fatalf("of %d values, %d lie on the disk before", len(held), n)
			}
			x := c.erase(Person{UserID: "ann"})
			if how == "cut" {
				mustClose(t, c.e)
				c.open()
			}
			c.gone()
			if n := lying(t, fs, held); n > 0 {
				t.Errorf("of %d values that held their events, %d lie on the disk", len(held), n)
			}
			done, err := c.e.Erasure(x.Receipt)
			if err != nil || done.Gone == 0 || done.Residue != 0 || done.Events != 90 || done.BytesScanned == 0 || done.FilesRetired == 0 || done.Segments == 0 {
				t.Errorf("the erasure says %+v, %v", done, err)
			}
			c.withoutAnn(810)
			c.compact()
			c.reopen()
			c.withoutAnn(810)
			mustClose(t, c.e)
			if r := c.check(); len(r.Problems) > 0 || r.Events != 813 {
				t.Errorf("%d events, %v", r.Events, r.Problems)
			}
		})
	}
}

// withoutAnn looks at events, ids, visitors and dictionaries.
func (c *calendar) withoutAnn(want int) {
	c.t.Helper()
	events := c.events()
	if len(events) != want || slices.ContainsFunc(events, func(e event.Event) bool { return e.UserID == "ann" }) {
		c.t.Errorf("%d events are shown, want %d", len(events), want)
	}
	p := c.e.projects[1]
	for i := range 3 {
		if ordinal, known, err := p.ordinals.find(fmt.Sprint("ann's ", i)); known || err != nil {
			c.t.Errorf("a visitor of hers has the ordinal %d, %v", ordinal, err)
		}
	}
	for i := range 23 {
		if _, known, err := p.ordinals.find(fmt.Sprint("visitor", i)); !known || err != nil {
			c.t.Errorf("visitor %d has no ordinal, %v", i, err)
		}
	}
	for _, s := range p.newest().segments {
		if _, found, err := s.Dict(event.ColumnUserID).Find("ann"); found || err != nil {
			c.t.Errorf("a dictionary has her, %v", err)
		}
	}
}

// The search finds what is there: otherwise its nothing would mean nothing.
func TestTheSearchForWhatIsLeftFindsWhatIsThere(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20, MemTableBytes: 64 << 10})
	c.crowd(100)
	if _, err := c.e.seal(c.e.projects[1]); err != nil {
		t.Fatal(err)
	}
	c.e.merging.Lock() // nothing is written anew meanwhile
	x := c.erase(Person{UserID: "ann"})
	all := []Erasure{x}
	p := &pass{all: all, of: map[event.Project][]*Erasure{1: {&all[0]}}, upTo: c.e.committed.Load(), left: map[event.Project]leftThings{}}
	found, err := c.e.searchStore(p)
	if err != nil || found.residue < 11 {
		t.Errorf("%d traces are found, want the ten rows and some groups; %v", found.residue, err)
	}
	c.e.merging.Unlock()
	c.gone()
	p.left[1] = leftThings{next: c.e.projects[1].newest().next}
	found, err = c.e.searchStore(p)
	if err != nil || found.residue == 0 {
		t.Errorf("pieces that nothing names aren't found: %v", err)
	}
	mustClose(t, c.e)
}

// Somebody who reads what is from before holds it up, and nobody else.
func TestAReaderHoldsUpTheEndOfAnErasure(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	c.crowd(100)
	s := c.e.Snapshot(1)
	x := c.erase(Person{UserID: "ann"})
	if left, err := c.e.FinishErasures(context.Background()); left != 1 || err != nil {
		t.Errorf("%d erasures wait, %v", left, err)
	}
	if all, err := s.Events(); len(all) != 100 || err != nil {
		t.Errorf("the reader sees %d events, %v", len(all), err)
	}
	s.Release()
	c.gone()
	if done, err := c.e.Erasure(x.Receipt); err != nil || done.Gone == 0 {
		t.Errorf("%+v, %v", done, err)
	}
	mustClose(t, c.e)
}

// Who comes again after an erasure is one visitor, whatever of the erasure is done by then.
func TestWhoComesAgainIsCountedOnce(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		c := newCalendar(t, Options{SealRows: 1 << 20})
		c.crowd(100)
		c.e.merging.Lock()
		c.erase(Person{UserID: "ann"})
		c.pass(time.Hour)
		again := func(n int) {
			for i := range 3 {
				c.send(event.Event{Name: "again", AnonymousID: fmt.Sprint("ann's ", i), UserID: "ann", ID: fmt.Sprint("again", n, i)})
			}
		}
		again(1)
		if sealed {
			if _, err := c.e.seal(c.e.projects[1]); err != nil {
				t.Fatal(err)
			}
		} else {
			c.ordinalsOf() // which gives some
		}
		c.e.merging.Unlock()
		c.gone()
		again(2)
		check := func(when string) {
			t.Helper()
			if got := c.ordinalsOf(); len(got) != 23+3 {
				t.Errorf("%s, sealed %t: %d visitors, want 26", when, sealed, len(got))
			}
		}
		check("at once")
		c.compact()
		check("compacted")
		c.reopen()
		again(3)
		check("opened anew")
		mustClose(t, c.e)
		if r := c.check(); len(r.Problems) > 0 {
			t.Error(r.Problems)
		}
	}
}

// ordinalsOf returns the ordinals of all events that are shown.
func (c *calendar) ordinalsOf() map[uint32]string {
	c.t.Helper()
	s := c.e.Snapshot(1)
	defer s.Release()
	of := map[uint32]string{}
	note := func(ordinal uint32, id string) {
		if before, ok := of[ordinal]; ok && before != id {
			c.t.Errorf("%s and %s have the same ordinal", before, id)
		}
		of[ordinal] = id
	}
	for _, segment := range s.Segments(event.TimeMin, event.TimeMax) {
		reader, err := segment.Reader()
		if err != nil {
			c.t.Fatal(err)
		}
		for row := range uint32(segment.Rows()) {
			e, ordinal, err := reader.Event(row)
			if err != nil {
				c.t.Fatal(err)
			}
			if !segment.Hidden().Has(row) {
				note(ordinal, e.AnonymousID)
			}
		}
	}
	err := s.Live(event.TimeMin, event.TimeMax, func(e *event.Event, ordinal uint32) bool {
		note(ordinal, e.AnonymousID)
		return true
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return of
}

// While segments are written anew, the window is made longer and a day ends: what the longer one keeps stays.
func TestALongerWindowHoldsForWhatIsBeingWrittenAnew(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	c.keep(1)
	for i := range 2 { // segments
		for j := range 8 {
			c.send(event.Event{Name: "view", AnonymousID: fmt.Sprint(i, "-", j)}, event.Event{Name: "view", UserID: "ann", AnonymousID: "ann's"})
		}
		if _, err := c.e.seal(c.e.projects[1]); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(24 * time.Hour) // they are of yesterday, and kept today
	c.e.merging.Lock()
	c.erase(Person{UserID: "ann"})
	var once sync.Once
	c.e.projects[1].retouch = func(_, _ string, now index.Touch) index.Touch {
		once.Do(func() {
			c.keep(0)
			c.pass(24 * time.Hour)
		})
		return now
	}
	c.e.merging.Unlock()
	c.gone()
	if n := len(c.events()); n != 16 {
		t.Errorf("%d events are left, want 16", n)
	}
	c.e.setRetouch(c.e.projects[1], nil)
	mustClose(t, c.e)
}

// What another one has taken from the list of what is to be deleted may not be deleted yet: an erasure that went on
// would find it in the tables.
func TestCleaningWaitsForWhoeverIsCleaning(t *testing.T) {
	s := newShelf(t, Options{})
	e := opened(t, s.opt)
	defer mustClose(t, e)
	e.cleaning.Lock()
	cleaned := make(chan error, 1)
	go func() { cleaned <- e.clean() }()
	select {
	case err := <-cleaned:
		t.Errorf("it didn't wait: %v", err)
		cleaned <- err
	case <-time.After(50 * time.Millisecond):
	}
	e.cleaning.Unlock()
	if err := <-cleaned; err != nil {
		t.Error(err)
	}
}
