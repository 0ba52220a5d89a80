package enginetest

import (
	"testing"
	"time"

	"millimetric/index/event/eventtest"
)

const hour = int64(time.Hour / time.Millisecond)

// pass lets time pass, as clocks say that are right or stay off, and looks at the store each hour.
func (a *aging) pass(hours int64) {
	for range hours {
		a.wall.Add(hour)
		a.elapsed.Add(hour)
		a.e.Snapshot(1).Release()
	}
}

// settle waits until upkeep has looked at the project, whatever it found.
func (a *aging) settle() { time.Sleep(1200 * time.Millisecond) }

// left returns how many cipher keys there are of days and months.
func (a *aging) left() (n int) {
	for _, bucket := range a.ring.buckets(1) {
		if bucket >= 0 {
			n++
		}
	}
	return n
}

func (a *aging) want(what string, shown, keys int) {
	a.t.Helper()
	if n := a.shown(); n != shown {
		a.t.Errorf("%s, %d events are shown, not %d", what, n, shown)
	}
	if n := a.left(); n != keys {
		a.t.Errorf("%s, there are %d cipher keys, not %d", what, n, keys)
	}
}

// Noon of the first day is where all of these begin, with an event of each of the days 0 to 39 before, of
// which 20 and today are shown.
func TestProofClocksThatJumpEndNothingEarlyAndKeepNothingLate(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for upkeep")
	}
	t.Cleanup(func() { sayRetained(t, "R16, retention, clocks that jump") }) // all of them go on until then
	const window = 20
	for name, jump := range map[string]int64{"an hour ahead": hour, "a day ahead": 24 * hour, "40 days ahead": 40 * 24 * hour, "an hour back": -hour, "a day back": -24 * hour, "40 days back": -40 * 24 * hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAging(t, window)
			defer func() { a.close() }()
			a.waitDropped(agingDays - window - 1)
			a.want("at first", window+1, window+1)
			a.wall.Add(jump)
			a.pass(6)
			a.settle()
			a.want("six hours after the jump", window+1, window+1)
			a.wall.Add(-jump)
			a.pass(8) // two o'clock in the night
			a.settle()
			a.want("after midnight, the clock is right again", window, window)
			a.wall.Add(jump)
			a.pass(4)
			a.close()
			a.wall.Add(-jump)
			a.open()
			a.settle()
			a.want("after a start with a clock that is right again", window, window)
		})
	}
}

// A clock that stands still doesn't stop time, nor does one that was wrong and is set right for good.
func TestProofAFrozenClockKeepsNothingLate(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for upkeep")
	}
	const window = 20
	a := newAging(t, window)
	defer func() { a.close() }()
	a.waitDropped(agingDays - window - 1)
	for range 3 * 24 {
		a.elapsed.Add(hour)
		a.e.Snapshot(1).Release()
	}
	a.settle()
	a.want("three days later by a frozen clock", window-2, window-2)
	a.wall.Add(3 * 24 * hour)
	a.pass(24)
	a.settle()
	a.want("a day after it was set right", window-3, window-3)
	a.wall.Add(2 * 24 * hour) // a machine was suspended: its clocks stood still together
	a.settle()
	a.pass(23)
	a.settle()
	a.want("within a day after it woke", window-6, window-6)
	sayRetained(t, "R16, retention, clocks that stand still")
}

// Where a machine starts with a wrong clock, events may be hidden until it is right, but none is destroyed.
// Where it has really rested for long, they are hidden at once, and destroyed within the day.
func TestProofAStartWithAWrongClockDestroysNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for upkeep")
	}
	const window = 20
	for _, right := range []bool{false, true} {
		a := newAging(t, window)
		a.waitDropped(agingDays - window - 1)
		a.close()
		a.wall.Add(5 * 24 * hour)
		a.open()
		a.compact()
		a.settle()
		a.want("after a start five days later", window-4, window+1)
		if right {
			a.pass(23)
			a.settle()
			a.want("within a day", window-5, window-5)
			a.close()
			continue
		}
		a.close()
		a.wall.Store(int64(eventtest.Start))
		a.open()
		a.settle()
		a.want("after a start with the right time", window+1, window+1)
		a.close()
	}
	sayRetained(t, "R16, retention")
}

// sayRetained prints the line of a proof that has found nothing.
func sayRetained(t *testing.T, promise string) {
	if !t.Failed() {
		Say(t, promise, "destroyed_early=0 kept_more_than_24h_late=0")
	}
}
