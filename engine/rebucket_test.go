package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// ring is a keyring in memory.
type ring struct {
	mu      sync.Mutex
	keys    map[cipherID][32]byte
	dropped []cipherID
	made    int
}

func (r *ring) use(opt *Options) {
	opt.CipherKey = func(project event.Project, bucket int32) ([32]byte, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		id := cipherID{project, bucket}
		key, ok := r.keys[id]
		if !ok {
			r.made++
			key = sha256.Sum256(fmt.Append(nil, id, r.made))
			r.keys[id] = key
		}
		return key, nil
	}
	opt.CipherBuckets = r.buckets
	opt.DropCipherKey = func(project event.Project, bucket int32) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.keys, cipherID{project, bucket})
		r.dropped = append(r.dropped, cipherID{project, bucket})
		return nil
	}
}

func (r *ring) buckets(project event.Project) (all []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.keys {
		if id.project == project {
			all = append(all, id.bucket)
		}
	}
	slices.Sort(all)
	return all
}

// calendar is a store whose clock a test moves, and that has a keyring in memory.
type calendar struct {
	t    *testing.T
	ring ring
	mu   sync.Mutex
	now  time.Time
	opt  Options
	e    *Engine
}

func newCalendar(t *testing.T, opt Options) *calendar {
	c := &calendar{t: t, now: eventtest.Start.Std(), ring: ring{keys: map[cipherID][32]byte{}}, opt: opt}
	c.opt.Now = func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.now
	}
	if c.opt.FS == nil {
		c.opt.FS = vfs.NewCrashableMem()
	}
	c.opt.CommitWait = orDefault(c.opt.CommitWait, time.Minute) // on a busy machine a commit may take long
	c.ring.use(&c.opt)
	c.open()
	return c
}

func (c *calendar) open() {
	c.t.Helper()
	e, err := Open("store", c.opt)
	if err != nil {
		c.t.Fatal(err)
	}
	c.e = e
}

func (c *calendar) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// day appends so many events of a UTC day to project 1, with ids, and visitors of that day's own.
func (c *calendar) day(at time.Time, events int) {
	c.t.Helper()
	var all []event.Event
	for i := range events {
		all = append(all, event.Event{
			Time: event.TimeOf(at.Truncate(24*time.Hour)) + event.Time(i*1000), Name: "view", Properties: `{"n":1}`,
			ID: fmt.Sprintf("%d-%d-%d", at.Unix(), i, len(all)), AnonymousID: fmt.Sprintf("v%d-%d", at.Unix()/86400, i%5),
		})
	}
	if err := c.e.Append(context.Background(), 1, all); err != nil {
		c.t.Fatal(err)
	}
}

func (c *calendar) compact() {
	c.t.Helper()
	if err := c.e.Compact(context.Background()); err != nil {
		c.t.Fatal(err)
	}
}

func (c *calendar) asOf() event.Seq {
	s := c.e.Snapshot(1)
	defer s.Release()
	return s.AsOf()
}

func (c *calendar) events() []event.Event {
	c.t.Helper()
	s := c.e.Snapshot(1)
	defer s.Release()
	all, err := s.Events()
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

// Shortened to days, a window lets go of the months' cipher keys, and of no event that it still holds.
func TestAWindowThatBecomesShortWritesMonthsAnewByDays(t *testing.T) {
	c := newCalendar(t, Options{SealRows: 100})
	for back := range 70 {
		c.day(c.now.AddDate(0, 0, -back), 15)
	}
	c.compact()
	before := c.events()
	months := c.ring.buckets(1)
	if len(before) != 70*15 || months[len(months)-1] >= dayBuckets {
		t.Fatalf("%d events, under cipher keys %v", len(before), months)
	}
	old := c.e.Snapshot(1)
	if err := c.e.SetRetention(context.Background(), 1, 60); err != nil {
		t.Fatal(err)
	}
	c.compact()
	floor := floorOf(int64(event.TimeOf(c.now)/dayMillis), 60)
	want := slices.DeleteFunc(slices.Clone(before), func(e event.Event) bool { return e.Time < floor })
	if got := c.events(); !slices.Equal(got, want) || len(want) != 61*15 {
		t.Errorf("%d events are left, want %d", len(got), len(want))
	}
	if shown, err := old.Events(); err != nil || !slices.Equal(shown, before) {
		t.Errorf("the old snapshot shows %d events, %v", len(shown), err)
	}
	old.Release()
	c.compact()
	for _, s := range c.e.projects[1].newest().manifest.segments {
		if s.bucket != dayBuckets+int32(s.minTime/dayMillis) || s.minTime/dayMillis != s.maxTime/dayMillis {
			t.Errorf("a segment from %d to %d is under the cipher key of bucket %d", s.minTime, s.maxTime, s.bucket)
		}
	}
	for _, bucket := range c.ring.buckets(1) {
		if bucket >= 0 && (bucket < dayBuckets || bucketEnd(bucket) <= floor) {
			t.Errorf("the cipher key of bucket %d is left", bucket)
		}
	}
	mustClose(t, c.e)
	c.open()
	if got := c.events(); !slices.Equal(got, want) {
		t.Errorf("after a restart, %d events are left", len(got))
	}
	mustClose(t, c.e)
	if report, err := Check("store", c.opt); err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %v, %v", report.Problems, err)
	}
}

// Under a window of a week, a store takes no more after two months than after six weeks; and an id is known
// for as long as senders may try again.
func TestAStoreUnderAShortWindowStaysAsSmallAsItIs(t *testing.T) {
	const each = 40
	c := newCalendar(t, Options{SealRows: 1000})
	if err := c.e.SetRetention(context.Background(), 1, 7); err != nil {
		t.Fatal(err)
	}
	known := func() (n int) {
		for _, r := range c.e.projects[1].newest().runs[runIDs] {
			n += r.count
		}
		return n
	}
	most, keys := 0, 0
	for day := range 90 {
		c.day(c.now, each)
		asOf := c.asOf()
		if c.day(c.now, each); c.asOf() != asOf {
			t.Fatalf("day %d: events were kept twice", day)
		}
		if day >= 30 && day%10 == 0 {
			from := c.now
			c.day(from.AddDate(0, 0, -30), each) // sent again after 30 days
			if c.asOf() != asOf {
				t.Fatalf("day %d: events of 30 days ago were kept again", day)
			}
		}
		if _, err := c.e.seal(c.e.projects[1]); err != nil {
			t.Fatal(err)
		}
		c.pass(24 * time.Hour)
		if err := c.e.tidy(); err != nil {
			t.Fatal(err)
		}
		if day == 50 {
			most, keys = known(), len(c.ring.buckets(1))
		}
	}
	if now := known(); most < 35*each || most > 50*each || now > most+10*each {
		t.Errorf("%d ids are known after 50 days, %d after 90", most, now)
	}
	if now := len(c.ring.buckets(1)); now > keys+1 || keys > 14 {
		t.Errorf("%d cipher keys after 50 days, %d after 90", keys, now)
	}
	m := c.e.projects[1].newest().manifest
	if len(m.segments) > 9 || len(m.runs[runIDs]) > 12 {
		t.Errorf("%d segments, %d runs of ids", len(m.segments), len(m.runs[runIDs]))
	}
	if got := len(c.events()); got != 7*each {
		t.Errorf("%d events are left", got)
	}
	mustClose(t, c.e)
}
