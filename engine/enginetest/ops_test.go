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
	runUntilReached(t, o, opsReached)
}

// erasuresReached is what a run with erasures must have done, beside the rest.
var erasuresReached = []string{
	"a user is erased", "a visitor is erased", "an erasure takes events", "erased from the disk", "cut in the middle of: erase",
}

func TestProofRandomOperationsWithErasures(t *testing.T) {
	wanted := erasuresReached
	if Full() {
		wanted = slices.Concat(opsReached, erasuresReached)
	}
	runUntilReached(t, Ops{Seed: Seed(t), Stores: Figure(t, 1, 4, 60), Steps: Figure(t, 120, 300, 1000), Erase: true}, wanted)
}

func runUntilReached(t *testing.T, o Ops, wanted []string) {
	t.Helper()
	reached := make(map[string]int)
	runReaching(t, o, reached)
	if testing.Short() {
		return
	}
	// What is rare may be rarer than it should be in one run: a few more stores settle it.
	for more := uint64(1); more <= 8 && !t.Failed() && len(tooRare(reached, wanted)) > 0; more++ {
		runReaching(t, Ops{Seed: o.Seed + uint64(o.Stores) + more*6, Stores: 6, Steps: o.Steps, Erase: o.Erase}, reached)
	}
	for _, what := range tooRare(reached, wanted) {
		t.Errorf("seed=%d: of %q, there are %d", o.Seed, what, reached[what])
	}
}

// runReaching runs random operations, reports the problems, and adds what they did to reached.
func runReaching(t *testing.T, o Ops, reached map[string]int) {
	t.Helper()
	r := runOps(t, "random operations", o)
	for _, p := range r.Problems {
		t.Error(p)
	}
	var all []string
	for _, what := range slices.Sorted(maps.Keys(r.Reached)) {
		reached[what] += r.Reached[what]
		all = append(all, fmt.Sprintf("%s %d", what, reached[what]))
	}
	t.Log(strings.Join(all, ", "))
}

// tooRare lists what a run must do and has hardly done.
func tooRare(reached map[string]int, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(what string) bool { return reached[what] >= 3 })
}

// What was wrong once is tried again and again.
func TestOperationsThatFoundFaults(t *testing.T) {
	for _, o := range []Ops{
		// A seal began between two requests of a group, and a repeat was kept.
		{Seed: 356919072121, Stores: 2, Steps: 120},
		// A window was made longer, and a day ended, while a segment was written anew: what only the shorter one
		// would have ended by then was dropped.
		{Seed: 6708, Stores: 1, Steps: 230, Erase: true},
	} {
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
