package engine

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine/ledger"
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

func TestWhatAStartTellsOfIsWhatIsShown(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	var found Recovered
	c.opt.Notify = func(n Notice) {
		if n, ok := n.(Recovered); ok {
			found = n
		}
	}
	c.household()
	c.compact()
	c.erase(Person{UserID: "ann"})
	c.send(event.Event{Name: "live"})
	for _, when := range []string{"erased", "compacted"} {
		c.reopen()
		if found.Sealed+found.Events != uint64(len(c.events())) || found.Sealed < 4 {
			t.Errorf("%s: %+v are told of, %d are shown", when, found, len(c.events()))
		}
		c.compact()
	}
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

// A store whose ledger is older, or lost, would let somebody come back: it isn't opened.
func TestAStoreWithoutItsLedgerIsNotOpened(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 1 << 20})
	c.household()
	c.erase(Person{UserID: "ann"})
	mustClose(t, c.e)
	name := c.opt.FS.PathJoin("store", ledger.FileName)
	if err := c.opt.FS.Rename(name, "aside"); err != nil {
		t.Fatal(err)
	}
	if e, err := Open("store", c.opt); !errors.Is(err, errOldLedger) {
		t.Errorf("opened without its ledger: %v, %v", e, err)
	}
	if r := c.check(); len(r.Problems) != 1 {
		t.Errorf("the check says %v", r.Problems)
	}
	if err := c.opt.FS.Rename("aside", name); err != nil {
		t.Fatal(err)
	}
	c.open()
	c.wantNames("with its ledger", withoutAnn)
	mustClose(t, c.e)
}

// A store that is older than the ledger, as one that was restored, is opened without who was erased since.
func TestNobodyComesBackWithAnOlderStore(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		disk := vfs.NewCrashableMem()
		c := newCalendar(t, Options{FS: disk, SealRows: 1 << 20})
		c.household()
		if sealed {
			c.compact()
		}
		mustClose(t, c.e)
		older := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
		c.open()
		c.pass(time.Hour)
		at := event.TimeOf(c.now) - 1
		c.erase(Person{UserID: "ann"})
		c.gone()
		newest := c.e.ledger.Entries()
		mustClose(t, c.e)
		c.opt.FS = older
		secret, err := c.opt.CipherKey(0, BucketRecords)
		if err != nil {
			t.Fatal(err)
		}
		l, err := LedgerIn(older, "store", secret)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := l.Merge(newest); n == 0 || err != nil {
			t.Fatalf("%d entries are newer, %v", n, err)
		}
		c.open()
		c.wantNames("restored", withoutAnn)
		c.send(event.Event{Name: "late", UserID: "ann", AnonymousID: "x", Time: at}, event.Event{Name: "late", AnonymousID: "phone", Time: at})
		c.wantNames("restored, and sent late", withoutAnn)
		c.gone()
		mustClose(t, c.e)
	}
}

// An erasure of which the ledger has got no more than the entry, as where a crash or a failure came right after
// it, comes to its end by itself: at the next start, or at the merger's next look.
func TestAnErasureThatWasCutComesToItsEnd(t *testing.T) {
	for _, how := range []string{"opened anew", "looked after", "nobody there"} {
		c := newCalendar(t, Options{SealRows: 1 << 20})
		want := withoutAnn
		if how != "nobody there" {
			c.household()
		} else {
			want = ""
			if _, err := c.e.hashersOf(1); err != nil {
				t.Fatal(err)
			}
		}
		key, err := c.e.ledgerKey(1)
		if err != nil {
			t.Fatal(err)
		}
		var p *project
		if err := c.e.inGather(func(*group) { p = c.e.project(1) }); err != nil {
			t.Fatal(err)
		}
		p.erasing.Lock()
		x := &Erasure{Receipt: newReceipt().String(), Project: 1, Requested: 1}
		receipt, err := hex.DecodeString(x.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		err = c.e.enterLedger(p, x, ledger.Entry{Project: 1, Kind: ledger.KindUser, Who: key.Hash(ledger.KindUser, "ann"), Receipt: ledger.Receipt(receipt)})
		p.erasing.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if how == "looked after" {
			if err := c.e.finishDue(); err != nil {
				t.Fatal(err)
			}
		} else {
			c.reopen()
		}
		c.wantNames(how, want)
		c.gone()
		if done, err := c.e.Erasure(x.Receipt); err != nil || done.Gone == 0 {
			t.Errorf("%s: %+v, %v", how, done, err)
		}
		mustClose(t, c.e)
	}
}

// Where a start can't hide who is in the ledger, as a piece of a segment can't be read, that project breaks, so that it
// shows nobody; all others go on.
func TestAStartThatCannotHideSomebodyBreaksHisProjectOnly(t *testing.T) {
	s := newShelf(t, Options{SealRows: 1 << 20})
	e := opened(t, s.opt)
	s.fill(e, 1, 2, 60)
	if err := e.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	key, err := e.ledgerKey(1)
	if err != nil {
		t.Fatal(err)
	}
	gone := s.want[1][0].AnonymousID
	p := e.known(1)
	p.erasing.Lock() // else the merger would hide him before the crash
	x := &Erasure{Receipt: newReceipt().String(), Project: 1, Requested: 1}
	receipt, err := hex.DecodeString(x.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	entry := ledger.Entry{Project: 1, Kind: ledger.KindVisitor, Who: key.Hash(ledger.KindVisitor, gone), Receipt: ledger.Receipt(receipt)}
	if err := e.enterLedger(p, x, entry); err != nil {
		t.Fatal(err)
	}
	crashed := s.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	p.erasing.Unlock()
	var pieces [][]byte
	err = walk(e.db, binaryPrefix(prefixPiece, 1), func(key, _ []byte) error {
		pieces = append(pieces, bytes.Clone(key))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, e)
	s.fs = crashed
	s.want[1] = slices.DeleteFunc(s.want[1], func(ev event.Event) bool { return ev.AnonymousID == gone })
	broken := 0
	for _, piece := range pieces {
		own := s.copied()
		own.swap(piece, []byte("what a piece isn't, and long enough"))
		e := opened(t, own.opt)
		if !own.answers(e, 1) {
			broken++
		}
		if !own.answers(e, 2) {
			t.Errorf("project 2 doesn't answer where piece %x can't be read", piece)
		}
		mustClose(t, e)
	}
	if broken == 0 {
		t.Errorf("none of %d pieces mattered", len(pieces))
	}
}

// A replay up to before the first event that was taken is what it was.
func TestAnErasureTookNothingBeforeItsFirstEvent(t *testing.T) {
	s := newShelf(t, Options{})
	e := opened(t, s.opt)
	defer mustClose(t, e)
	s.fill(e, 1, 1, 60)
	if err := e.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	gone := s.want[1][40].AnonymousID
	first := slices.IndexFunc(s.want[1], func(ev event.Event) bool { return ev.AnonymousID == gone })
	if first < 2 {
		t.Fatalf("the visitor comes first as event %d", first+1)
	}
	if _, err := e.Erase(context.Background(), 1, Person{AnonymousID: gone}); err != nil {
		t.Fatal(err)
	}
	snapshot := e.Snapshot(1)
	defer snapshot.Release()
	for position, want := range map[event.Seq]bool{1: false, event.Seq(first): false, event.Seq(first) + 1: true, 60: true} {
		if took, err := snapshot.ErasureTook(position); took != want || err != nil {
			t.Errorf("up to position %d: taken %t, %v; the first one was at %d", position, took, err, first+1)
		}
	}
}
