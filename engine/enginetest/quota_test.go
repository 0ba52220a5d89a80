package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// filling is a store on a small disk that events fill.
type filling struct {
	t     *testing.T
	disk  *quota
	opt   engine.Options
	e     *engine.Engine
	gen   *eventtest.Gen
	model *Model
	acked int

	upkeep Upkeep
}

func newFilling(t *testing.T, seed uint64) *filling {
	var ticks atomic.Int64
	f := &filling{t: t, disk: newQuota(20 << 20), gen: eventtest.New(seed, 100, 1000), model: NewModel()}
	f.opt = engine.Options{
		FS: f.disk, CipherKey: CipherKey, FreeBytesMin: 16 << 20, FreePercentMin: -1, MemTableBytes: 1 << 20,
		SealRows: 1000, SegmentRows: 10_000, Notify: f.upkeep.notice,
		Now:   func() time.Time { return time.UnixMilli(int64(eventtest.Start) + ticks.Add(1)) },
		Fatal: func(reason string) { panic(reason) },
	}
	f.open()
	return f
}

func (f *filling) open() {
	f.t.Helper()
	e, err := engine.Open(dir, f.opt)
	if err != nil {
		f.t.Fatal(err)
	}
	f.e = e
}

// append sends a hundred events and returns the code of a refusal.
func (f *filling) append() (code string) {
	f.t.Helper()
	events := f.gen.Events(100)
	for i := range events {
		events[i].ID = fmt.Sprintf("%d-%d", f.acked, i)
	}
	kept := append([]event.Event{}, events...)
	err := f.e.Append(context.Background(), 1, events)
	if err == nil {
		f.model.Append(1, kept)
		f.acked += len(kept)
		return ""
	}
	var e *event.Error
	if !errors.As(err, &e) || e.RetryIn == 0 {
		f.t.Fatalf("refused with %v", err)
	}
	return e.Code
}

// until appends until the answer is the wanted one. It leaves time between requests: at full speed a
// disk in memory fills faster than any real one, and this one is small.
func (f *filling) until(code string) time.Duration {
	f.t.Helper()
	begin := time.Now()
	for f.append() != code {
		if time.Since(begin) > 30*time.Second {
			f.t.Fatalf("no answer of %q within %v", code, time.Since(begin))
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(begin)
}

func (f *filling) whole() {
	f.t.Helper()
	got, err := Stored(f.e, 1)
	if err != nil {
		f.t.Fatal(err)
	}
	if d := diff("event", got, Events(f.model.Snapshot(1))); d != "" {
		f.t.Error(d)
	}
}

func TestProofAFullDiskRefusesEventsBeforeAWriteFails(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the watch over free space")
	}
	seed := Seed(t)
	f := newFilling(t, seed)
	f.until(event.CodeDiskLow)
	refusedAt, _ := f.disk.GetDiskUsage("")
	f.whole()
	if err := f.e.PutRecords(context.Background(), engine.Record{Kind: "k", ID: "i", Value: []byte("v")}); err != nil {
		t.Errorf("records on a full disk: %v", err)
	}
	f.disk.size.Add(64 << 20)
	recovered := f.until("")
	f.whole()
	if err := f.e.Close(); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.whole()
	if err := f.e.Close(); err != nil {
		t.Fatal(err)
	}
	Say(t, "R8, disk in memory", "seed=%d acked=%d lost=0 failed_writes=%d free_at_refusal=%d recovered_after_ms=%d %v",
		seed, f.acked, f.disk.failed.Load(), refusedAt.AvailBytes, recovered.Milliseconds(), &f.upkeep)
	if f.upkeep.Idle() {
		t.Errorf("seed=%d: nothing is sealed and merged while the disk fills: %v", seed, &f.upkeep)
	}
	if f.disk.failed.Load() != 0 {
		t.Errorf("seed=%d: %d writes found no space", seed, f.disk.failed.Load())
	}
}

// Without the guard writes do fail: the disk is one that can be full.
func TestProofADiskWithoutTheGuardFails(t *testing.T) {
	f := newFilling(t, 1)
	if err := f.e.Close(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan string, 100)
	f.opt.FreeBytesMin, f.opt.CommitWait = -1, 2*time.Second
	f.opt.SealRows = 0 // what seals would meet a full disk inside Pebble, which then ends the process itself
	f.opt.Fatal = func(reason string) { ended <- reason; select {} }
	f.disk.size.Store(f.disk.used.Load() + 1<<20 + 4096)
	f.open()
	for range 2000 {
		if f.disk.failed.Load() > 0 {
			break
		}
		f.append()
	}
	if f.disk.failed.Load() == 0 {
		t.Errorf("%d events fit where there is no space: the disk is never full", f.acked)
	}
	f.disk.size.Add(1 << 30) // Pebble tries again for ever, and keeps a processor busy until it succeeds
	Say(t, "R8 control: no guard", "failed_writes=%d ended=%d", f.disk.failed.Load(), len(ended))
}
