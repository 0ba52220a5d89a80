package engine

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"millimetric/index/event"
)

// gate is a disk whose syncs of the log can be held up.
type gate struct {
	mem  *vfs.MemFS
	held atomic.Pointer[chan struct{}]
	// reached gets a value when a sync is held.
	reached chan struct{}
}

func newGate() *gate { return &gate{mem: vfs.NewMem(), reached: make(chan struct{}, 100)} }

func (g *gate) fs() vfs.FS {
	return errorfs.Wrap(g.mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		sync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
		if held := g.held.Load(); held != nil && sync {
			g.reached <- struct{}{}
			<-*held
		}
		return nil
	}))
}

// hold holds syncs up until the function that it returns is called.
func (g *gate) hold() (release func()) {
	held := make(chan struct{})
	g.held.Store(&held)
	return func() {
		g.held.Store(nil)
		close(held)
	}
}

func opened(t *testing.T, opt Options) *Engine {
	t.Helper()
	e, err := Open("store", fixed(opt))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fixed gives options a clock that stands still and cipher keys that are no secret.
func fixed(opt Options) Options {
	opt.Now = func() time.Time { return time.UnixMilli(1774612800000) }
	opt.CipherKey = func(project event.Project, bucket int32) ([32]byte, error) {
		return [32]byte{byte(project), byte(bucket)}, nil
	}
	return opt
}

func mustClose(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func codeOf(err error) string {
	var e *event.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func one(id string) []event.Event { return []event.Event{{Name: "a", ID: id}} }

func TestAStalledSyncLeavesTheOutcomeUnknownAndRecovers(t *testing.T) {
	disk := newGate()
	e := opened(t, Options{FS: disk.fs(), CommitWait: 20 * time.Millisecond})
	release := disk.hold()
	err := e.Append(context.Background(), 1, one("x"))
	var unknown *event.Error
	if !errors.As(err, &unknown) || unknown.Code != event.CodeOutcomeUnknown || unknown.RetryIn == 0 {
		t.Fatalf("got %v", err)
	}
	if got := e.Snapshot(1).AsOf(); got != 0 {
		t.Errorf("readers see %d events that aren't synced", got)
	}
	release()
	if err := e.Append(context.Background(), 1, one("x")); err != nil && codeOf(err) != event.CodeOutcomeUnknown {
		t.Fatal(err)
	}
	mustClose(t, e)
	e = opened(t, Options{FS: disk.mem})
	defer mustClose(t, e)
	if got := e.Snapshot(1).AsOf(); got != 1 {
		t.Errorf("sent twice, %d are there", got)
	}
}

func TestTheEndOfTheContextLeavesTheOutcomeUnknown(t *testing.T) {
	disk := newGate()
	e := opened(t, Options{FS: disk.fs()})
	release := disk.hold()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() { result <- e.Append(ctx, 1, one("x")) }()
	<-disk.reached
	cancel()
	if err := <-result; codeOf(err) != event.CodeOutcomeUnknown || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	mustClose(t, e)
	if got := e.Snapshot(1).AsOf(); got != 1 {
		t.Errorf("the commit was given up: %d events", got)
	}
}

// A repeat is known before its original is durable. It must not be acknowledged before that.
func TestARepeatWaitsForTheSyncOfItsOriginal(t *testing.T) {
	disk := newGate()
	e := opened(t, Options{FS: disk.fs(), CommitWait: time.Hour})
	release := disk.hold()
	original, repeat := make(chan error, 1), make(chan error, 1)
	go func() { original <- e.Append(context.Background(), 1, one("x")) }()
	<-disk.reached
	// Large enough to be gathered while the original is being synced.
	large := []event.Event{{ID: "x", Properties: strings.Repeat("x", overlapBytes)}}
	go func() { repeat <- e.Append(context.Background(), 1, large) }()
	waitFor(t, "the repeat to be gathered", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.inFlight == 2
	})
	select {
	case err := <-repeat:
		t.Fatalf("the repeat was answered (%v) while the original isn't durable", err)
	case <-time.After(50 * time.Millisecond):
	}
	release()
	if err := errors.Join(<-original, <-repeat); err != nil {
		t.Error(err)
	}
	if got := e.Snapshot(1).AsOf(); got != 1 {
		t.Errorf("%d events", got)
	}
	mustClose(t, e)
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 5000 {
		if is() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

func TestAFullQueueIsRefusedAtOnceAndRecordsStillGoThrough(t *testing.T) {
	disk := newGate()
	e := opened(t, Options{FS: disk.fs(), CommitWait: time.Hour, QueueBytes: 4 * eventBytes})
	release := disk.hold()
	results := make(chan error, 100)
	send := func() { go func() { results <- e.Append(context.Background(), 1, one("")) }() }
	send()
	<-disk.reached
	sent := 1
	for ; e.queued() < 3; sent++ {
		send()
		waitFor(t, "a request to be queued", func() bool { return e.queued() == sent })
	}
	err := e.Append(context.Background(), 1, one(""))
	if codeOf(err) != event.CodeOverloaded || !errors.Is(err, event.ErrLimit) {
		t.Errorf("got %v", err)
	}
	go func() { results <- e.PutRecords(context.Background(), Record{Kind: "k", ID: "i", Value: []byte{1}}) }()
	waitFor(t, "the record to be queued", func() bool { return e.queued() == sent })
	release()
	for range sent + 1 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if got := int(e.Snapshot(1).AsOf()); got != sent {
		t.Errorf("%d events of %d", got, sent)
	}
	mustClose(t, e)
}

func (e *Engine) queued() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.waiting)
}

func TestAStuckCommitShedsThenEndsTheProcess(t *testing.T) {
	disk := newGate()
	fatal, notices := make(chan string, 1), make(chan Notice, 100)
	e := opened(t, Options{
		FS: disk.fs(), CommitWait: time.Hour, StallExit: 1500 * time.Millisecond,
		Fatal: func(reason string) { fatal <- reason }, Notify: func(n Notice) { notices <- n },
	})
	release := disk.hold()
	result := make(chan error)
	go func() { result <- e.Append(context.Background(), 1, one("x")) }()
	<-disk.reached
	waitFor(t, "appends to be refused", func() bool { return e.state[stateStuck].Load() })
	if err := e.Append(context.Background(), 1, one("y")); codeOf(err) != event.CodeOverloaded {
		t.Errorf("got %v", err)
	}
	<-fatal
	release()
	if err := <-result; codeOf(err) != event.CodeOutcomeUnknown {
		t.Errorf("acknowledged after the end: %v", err)
	}
	stuck := false
	for len(notices) > 0 {
		_, is := (<-notices).(Stuck)
		stuck = stuck || is
	}
	if !stuck {
		t.Error("nobody was told")
	}
	mustClose(t, e)
}

func TestLowSpaceRefusesEventsButNotRecords(t *testing.T) {
	mem := vfs.NewMem()
	const gb = 1 << 30
	mem.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 100 * gb, AvailBytes: 4 * gb})
	var notices []Notice
	e := opened(t, Options{FS: mem, Notify: func(n Notice) {
		if _, ok := n.(SpaceLow); ok {
			notices = append(notices, n)
		} else if _, ok := n.(SpaceBack); ok {
			notices = append(notices, n)
		}
	}})
	err := e.Append(context.Background(), 1, one("x"))
	var low *event.Error
	if !errors.As(err, &low) || low.Code != event.CodeDiskLow || low.RetryIn == 0 || !errors.Is(e.Ready(), event.ErrLimit) {
		t.Errorf("4 of 100 GiB free: %v", err)
	}
	if err := e.PutRecords(context.Background(), Record{Kind: "k", ID: "i", Value: []byte{1}}); err != nil {
		t.Errorf("records: %v", err)
	}
	mem.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 100 * gb, AvailBytes: 6 * gb})
	waitFor(t, "the watch to look", func() bool { return !e.state[stateFull].Load() })
	if err := e.Append(context.Background(), 1, one("x")); err != nil {
		t.Errorf("6 of 100 GiB free: %v", err)
	}
	mustClose(t, e)
	if len(notices) != 2 || !notices[0].Urgent() || notices[1].Urgent() {
		t.Errorf("notices: %v", notices)
	}
}

// Others may fill the disk between two looks of the watch: events are taken on a look of their own.
func TestEventsAreNotTakenOnAnOldLookAtTheDisk(t *testing.T) {
	const gb = 1 << 30
	mem := vfs.NewMem()
	mem.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 100 * gb, AvailBytes: 50 * gb})
	opt := fixed(Options{FS: mem})
	var passed atomic.Int64
	began := opt.Now()
	opt.Now = func() time.Time { return began.Add(time.Duration(passed.Load())) }
	e, err := Open("store", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, e)
	if err := e.Append(context.Background(), 1, one("x")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		free  uint64
		after time.Duration
		taken bool
	}{{gb, spaceFresh, false}, {50 * gb, spaceFresh, true}} {
		mem.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 100 * gb, AvailBytes: c.free})
		passed.Add(int64(c.after))
		if err := e.Append(context.Background(), 1, one("x")); (err == nil) != c.taken {
			t.Errorf("%d GiB free, %v after the last look: %v", c.free/gb, c.after, err)
		}
	}
}

// Pebble would not come back from opening a store on a disk without any room.
func TestAFullDiskIsSaidWhenTheStoreIsOpened(t *testing.T) {
	mem := vfs.NewMem()
	e := opened(t, Options{FS: mem})
	if err := e.Append(context.Background(), 1, one("x")); err != nil {
		t.Fatal(err)
	}
	mustClose(t, e)
	mem.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 1 << 30, AvailBytes: openBytesMin})
	if _, err := Open("store", fixed(Options{FS: mem})); codeOf(err) != event.CodeDiskLow {
		t.Errorf("without room for the log: %v", err)
	}
	mem.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 1 << 30, AvailBytes: 64 << 20})
	again := opened(t, Options{FS: mem})
	if got := again.Snapshot(1).AsOf(); got != 1 {
		t.Errorf("with room again: %d events", got)
	}
	mustClose(t, again)
}

func TestTheReserveIsTheGreaterOfShareAndBytes(t *testing.T) {
	for _, c := range []struct {
		opt   Options
		total uint64
		want  uint64
	}{
		{Options{}, 1000 << 30, 50 * (1000 << 30 / 100) / 10},
		{Options{}, 10 << 30, 2 << 30},
		{Options{FreeBytesMin: -1}, 1000, 50},
		{Options{FreePercentMin: -1, FreeBytesMin: 7}, 1 << 40, 7},
		{Options{FreePercentMin: -1, FreeBytesMin: -1}, 1 << 40, 0},
	} {
		e := &Engine{opt: c.opt.withDefaults()}
		if got := e.reserve(vfs.DiskUsage{TotalBytes: c.total}); got != c.want {
			t.Errorf("%+v of %d: %d, want %d", c.opt, c.total, got, c.want)
		}
	}
}

func TestTooMuchAtOnceIsRefused(t *testing.T) {
	e := opened(t, Options{FS: vfs.NewMem()})
	defer mustClose(t, e)
	err := e.Append(context.Background(), 1, make([]event.Event, appendBytesMax/eventBytes+1))
	if codeOf(err) != event.CodeTooLarge {
		t.Errorf("got %v", err)
	}
	if err := e.Append(context.Background(), 1, make([]event.Event, 10_000)); err != nil {
		t.Error(err)
	}
	if got := e.Snapshot(1).AsOf(); got != 10_000 {
		t.Errorf("%d events", got)
	}
}

func TestWritesThatPebbleHoldsBackAreShed(t *testing.T) {
	e := opened(t, Options{FS: vfs.NewMem()})
	defer mustClose(t, e)
	e.listener().WriteStallBegin(pebble.WriteStallBeginInfo{Reason: "memtable count limit reached"})
	if err := e.Append(context.Background(), 1, one("x")); codeOf(err) != event.CodeOverloaded {
		t.Errorf("got %v", err)
	}
	e.listener().WriteStallEnd()
	if err := e.Append(context.Background(), 1, one("x")); err != nil {
		t.Error(err)
	}
}
