package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/ids"
)

// A run that is greater than a table's least size comes to lie in tables of its own, a smaller one in the
// table of what is written with it, the smallest in the log: all are read alike.
func TestRunsOfAllSizesAreReadBack(t *testing.T) {
	e := opened(t, Options{FS: vfs.NewMem(), FreeBytesMin: -1, FreePercentMin: -1})
	defer mustClose(t, e)
	p := newProject(1, [32]byte{})
	random := rand.New(rand.NewPCG(1, 2))
	for i, counts := range [][]int{{1}, {600_000}, {300_000, 200_000, 5}, {5, 600_000, 7, 300_000}} {
		w := &pieceWriter{e: e}
		var entries []runEntry
		for _, n := range counts {
			hashes := make([]ids.Hash, n)
			for j := range hashes {
				hashes[j] = ids.Hash{Hi: random.Uint64(), Lo: random.Uint64() &^ 0xff}
			}
			slices.SortFunc(hashes, ids.Hash.Compare)
			entry := runEntry{count: n}
			stamp := p.stamp()
			err := w.writeRun(thing{1, BucketSets, stamp}, &entry, func(emit ids.Emit) error { return ids.Build(stamp, 0, hashes, emit) })
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, entry)
		}
		if err := w.finish(); err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			run, err := e.openAny(p, runIDs, entry)
			if err == nil {
				err = run.Check()
			}
			if err != nil || run.Len() != entry.count {
				t.Errorf("case %d: run of %d: %v", i, entry.count, err)
			}
		}
	}
	left, err := e.opt.FS.List(e.incoming())
	if err != nil || len(left) > 0 {
		t.Errorf("tables were left: %v, %v", left, err)
	}
}

// A jump of the server's clock must neither end the time of events early nor keep them for days.
func TestTheCalmClockBelievesAJumpOnceItLasts(t *testing.T) {
	wall, elapsed := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), time.Duration(0)
	c := newCalmClock(func() time.Time { return wall }, func() time.Duration { return elapsed })
	pass := func(d time.Duration) { wall, elapsed = wall.Add(d), elapsed+d }
	want := func(what string, at time.Time) {
		t.Helper()
		if got := c.now().Std(); got.Sub(at).Abs() > calmDrift {
			t.Errorf("%s: %v, want %v", what, got, at)
		}
	}
	start := wall
	pass(time.Hour)
	want("an hour later", start.Add(time.Hour))
	wall = wall.Add(24 * time.Hour)
	want("right after a jump ahead", start.Add(time.Hour))
	pass(11 * time.Hour)
	want("before it is believed", start.Add(12*time.Hour))
	wall = wall.Add(-24 * time.Hour)
	want("after it was taken back", start.Add(12*time.Hour))
	wall = wall.Add(-24 * time.Hour)
	pass(time.Hour)
	want("after a jump back", start.Add(13*time.Hour))
	wall = wall.Add(24 * time.Hour)
	want("after that was taken back", start.Add(13*time.Hour))
	elapsed += 5 * time.Hour // the server's clock stands still
	want("while the clock is frozen", start.Add(18*time.Hour))
	wall = wall.Add(5*time.Hour + 48*time.Hour) // and then jumps, as after a suspended machine wakes
	want("right after a suspension", start.Add(18*time.Hour))
	pass(calmDoubt)
	want("once it has lasted", start.Add(18*time.Hour+48*time.Hour+calmDoubt))
	wall = wall.Add(-72 * time.Hour)
	want("after a jump back", start.Add(18*time.Hour+48*time.Hour+calmDoubt))
	pass(calmDoubt)
	want("never back", start.Add(18*time.Hour+48*time.Hour+2*calmDoubt))
}
