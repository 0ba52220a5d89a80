package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// Where events come faster than they are sealed, which stands still here, memory stays in its bounds:
// appends are refused, with a time to come back, and are taken again once sealing has caught up.
func TestAppendsAreRefusedWhileSealingLags(t *testing.T) {
	e := opened(t, Options{FS: vfs.NewMem(), FreeBytesMin: -1, FreePercentMin: -1, MemoryBytes: memoryMin})
	defer mustClose(t, e)
	traffic := eventtest.NewTraffic(1, eventtest.Start, 100)
	e.sealing.Lock()
	taken, refused := 0, error(nil)
	for refused == nil && taken < 1_000_000 {
		if refused = e.Append(context.Background(), 1, traffic.Events(1000)); refused == nil {
			taken += 1000
		}
	}
	live := e.liveBytes.Load()
	e.sealing.Unlock()
	var why *event.Error
	if !errors.As(refused, &why) || why.Code != event.CodeOverloaded || why.RetryIn == 0 {
		t.Fatalf("after %d events: %v", taken, refused)
	}
	if most := e.budget.live + 1000*1000; live > most || live < e.budget.live/2 {
		t.Errorf("live events take %d bytes of %d", live, e.budget.live)
	}
	within(t, time.Minute, func() bool { return e.liveBytes.Load() <= e.budget.live })
	if err := e.Append(context.Background(), 1, traffic.Events(1000)); err != nil {
		t.Errorf("after sealing: %v", err)
	}
	if kept := e.Footprint(1).Events; kept != uint64(taken+1000) {
		t.Errorf("%d events of %d are kept", kept, taken+1000)
	}
}

// Many projects fill the memory together, though none of them has many events.
func TestEventsOfManyProjectsAreSealedBeforeMemoryIsFull(t *testing.T) {
	e := opened(t, Options{FS: vfs.NewMem(), FreeBytesMin: -1, FreePercentMin: -1, MemoryBytes: memoryMin})
	defer mustClose(t, e)
	const projects = 20
	traffic := eventtest.NewTraffic(2, eventtest.Start, 100)
	for i := range 80 {
		project := event.Project(1 + i%projects)
		within(t, time.Minute, func() bool {
			err := e.Append(context.Background(), project, traffic.Events(1000))
			if err != nil && !errors.Is(err, event.ErrLimit) {
				t.Fatal(err)
			}
			return err == nil
		})
	}
	if e.budget.rows < 80*1000/projects {
		t.Fatalf("%d events of a project are sealed by themselves: the test shows nothing", e.budget.rows)
	}
	if sealed := e.Footprint(0).Sealed; sealed == 0 {
		t.Error("nothing is sealed")
	}
}

// within waits until something holds.
func within(t *testing.T, most time.Duration, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it doesn't come true in %v", most)
		}
	}
}
