package enginetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// aging is a store of one event a day, whose clocks are set by hand.
type aging struct {
	t       *testing.T
	fs      vfs.FS
	wall    atomic.Int64 // ms
	elapsed atomic.Int64 // ms
	dropped atomic.Int64 // cipher keys
	ring    *opsRing
	e       *engine.Engine
}

const agingDays = 40

// newAging makes a store that holds an event of each of the last days, sealed, each day under a cipher key
// of its own, and then keeps so many days.
func newAging(t *testing.T, window int) *aging {
	a := &aging{t: t, fs: vfs.NewMem()}
	a.wall.Store(int64(eventtest.Start))
	a.open()
	a.setRetention(agingDays + 10)
	for day := range agingDays {
		at := eventtest.Start - event.Time(day)*dayMillis
		e := event.Event{Name: "x", AnonymousID: "v", SessionID: "s", Properties: "{}", Time: at, ID: fmt.Sprint(day)}
		if err := a.e.Append(context.Background(), 1, []event.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	a.compact()
	a.setRetention(window)
	return a
}

func (a *aging) open() {
	a.t.Helper()
	now := func() time.Time { return time.UnixMilli(a.wall.Load()) }
	var err error
	if a.ring, err = openOpsRing(a.fs, now, a.ring); err != nil {
		a.t.Fatal(err)
	}
	a.e, err = engine.Open(storeIn(keptFolder), engine.Options{
		FS: a.fs, Now: now, Elapsed: func() time.Duration { return time.Duration(a.elapsed.Load()) * time.Millisecond },
		CipherKey: a.ring.CipherKey, CipherBuckets: a.ring.buckets,
		DropCipherKey: func(p event.Project, bucket int32) error {
			a.dropped.Add(1)
			return a.ring.DropCipherKey(p, bucket)
		},
		SealRows: 8, FreeBytesMin: -1, FreePercentMin: -1,
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *aging) close() {
	a.t.Helper()
	if err := a.e.Close(); err != nil {
		a.t.Fatal(err)
	}
}

func (a *aging) compact() {
	a.t.Helper()
	if err := a.e.Compact(context.Background()); err != nil {
		a.t.Fatal(err)
	}
}

func (a *aging) setRetention(days int) {
	a.t.Helper()
	if err := a.e.SetRetention(context.Background(), 1, days); err != nil {
		a.t.Fatal(err)
	}
}

// shown returns how many events are shown.
func (a *aging) shown() int {
	s := a.e.Snapshot(1)
	defer s.Release()
	return len(Events(s))
}

// waitDropped waits until so many cipher keys are destroyed.
func (a *aging) waitDropped(n int64) {
	a.t.Helper()
	for begin := time.Now(); a.dropped.Load() < n; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			a.t.Fatalf("%d cipher keys are destroyed, not %d", a.dropped.Load(), n)
		}
	}
}

// What a snapshot shows stays readable until it is released, and goes after that.
func TestASnapshotOutlivesTheEndOfItsEvents(t *testing.T) {
	a := newAging(t, 50)
	a.close()
	a.open() // so that nothing of it is in memory
	defer func() { a.close() }()
	s := a.e.Snapshot(1)
	a.setRetention(9)
	if n := a.shown(); n != 10 {
		t.Errorf("%d events are shown, of 9 days and today", n)
	}
	time.Sleep(1500 * time.Millisecond) // upkeep looks for work each second
	events, err := s.Events()
	if err != nil || len(events) != agingDays {
		t.Errorf("a snapshot from before shows %d events, %v", len(events), err)
	}
	s.Release()
	a.waitDropped(agingDays - 10)
}
