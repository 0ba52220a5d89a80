package engine

import (
	"testing"
	"time"
)

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
	want("it waits", start.Add(18*time.Hour+48*time.Hour+calmDoubt))
}
