package engine_test

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event/eventtest"
)

// Beside requests, events count wherever they lie: live, sealed, or some of each.
func TestVerifyCountsLiveAndSealedEvents(t *testing.T) {
	gen := eventtest.New(1, 30, 10_000)
	e := open(t, vfs.NewMem())
	defer closed(t, e)
	want := 0
	for _, seal := range []bool{false, true, false, true} {
		events := gen.Events(50)
		appended(t, e, 1, events...)
		want += len(events)
		if seal {
			if err := e.Compact(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		report, err := e.Verify()
		if err != nil || len(report.Problems) > 0 {
			t.Fatal(err, report.Problems)
		}
		if report.Events != uint64(want) {
			t.Errorf("%d events are told of %d, sealed just now: %v", report.Events, want, seal)
		}
	}
}
