package enginetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func runOps(t *testing.T, promise string, o Ops) OpsResult {
	t.Helper()
	begin := time.Now()
	r := o.Run()
	Say(t, promise, "seed=%d steps=%d events=%d looks=%d problems=%d steps/s=%.0f", o.Seed, r.Steps, r.Events, r.Looks, len(r.Problems), float64(r.Steps)/time.Since(begin).Seconds())
	return r
}

// opsReached is what a long run must have done and reached, each some times.
var opsReached = []string{
	"append", "append to several projects", "a link", "a late link", "a late event", "an event that comes too late",
	"a repeat within a request", "a repeat of a live event", "a repeat of a sealed event", "a repeat of what was there before a start",
	"sealed", "merged", "compact", "set retention", "a window becomes shorter", "segments are dropped", "a cipher key is destroyed",
	"time passes", "the clock jumps", "opened anew", "a start finds sealed and live events", "verified", "checked",
	"cut at rest", "cut in the middle of: append", "cut in the middle of: append to several projects", "cut in the middle of: compact", "cut in the middle of: set retention",
	"what wasn't acknowledged is there", "what wasn't acknowledged is not there",
	"a snapshot outlives: sealed", "a snapshot outlives: merged", "a snapshot outlives: segments are dropped", "a snapshot outlives: a cipher key is destroyed",
}

func TestProofRandomOperationsShowWhatTheModelShows(t *testing.T) {
	o := Ops{Seed: Seed(t), Stores: Figure(t, 2, 12, 60), Steps: Figure(t, 120, 300, 1000)}
	r := runOps(t, "random operations", o)
	for _, p := range r.Problems {
		t.Error(p)
	}
	var reached []string
	for _, what := range slices.Sorted(maps.Keys(r.Reached)) {
		reached = append(reached, fmt.Sprintf("%s %d", what, r.Reached[what]))
	}
	t.Log(strings.Join(reached, ", "))
	if t.Failed() || testing.Short() {
		return
	}
	for _, what := range opsReached {
		if r.Reached[what] < 3 {
			t.Errorf("seed=%d: of %q, there are %d", o.Seed, what, r.Reached[what])
		}
	}
}

// What was wrong once is tried again and again.
func TestOperationsThatFoundFaults(t *testing.T) {
	for _, o := range []Ops{} {
		for _, p := range o.Run().Problems {
			t.Error(p)
		}
	}
}

func TestProofOperationsMissAnEventThatTheModelForgets(t *testing.T) {
	if r := runOps(t, "random operations, control: the model forgets an event", Ops{Seed: Seed(t), Stores: 1, Steps: 100, Forget: true}); len(r.Problems) == 0 {
		t.Error("nobody looks")
	}
}
