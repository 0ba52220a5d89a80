package engine

import (
	"sync"
	"time"

	"millimetric/index/event"
)

// calmClock is the clock by which time is over for events. The server's clock may jump, because
// somebody sets it or a time server errs, and what retention destroys can't be brought back. So a
// jump counts only after it has lasted: until then this clock goes on as the elapsed time says. It
// never goes back.
type calmClock struct {
	wall    func() time.Time
	elapsed func() time.Duration // of a clock that nobody sets

	mu     sync.Mutex // guards what follows
	begun  bool
	at     time.Time     // what it said last, were it to go back
	shown  time.Time     // the latest that it ever said
	last   time.Duration // when that was
	jump   time.Duration // how far the server's clock is off; 0 where it isn't
	jumped time.Duration // since when
}

const (
	// calmDrift is how far the server's clock may stray between two looks without that being a jump.
	calmDrift = 5 * time.Minute
	// calmDoubt is how long a jump must last to be believed: twice the longest that a wrong time server
	// commonly goes unnoticed, and half of what expired events may stay at most.
	calmDoubt = 12 * time.Hour
)

// newCalmClock makes one of the server's clock, whose times should carry the reading of a clock that
// nobody sets, as those of time.Now do, unless elapsed is given.
func newCalmClock(wall func() time.Time, elapsed func() time.Duration) *calmClock {
	if elapsed == nil {
		start := wall()
		elapsed = func() time.Duration { return wall().Sub(start) }
	}
	return &calmClock{wall: wall, elapsed: elapsed}
}

// begin tells what time it was for certain at some moment before. Where the server's clock is far ahead of
// that, nobody can tell whether the server has rested for so long or its clock is wrong, as it may be
// right after a machine has started: that is a jump, too.
func (c *calmClock) begin(known event.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := c.wall().Round(0)
	c.begun, c.at, c.last = true, wall, c.elapsed()
	if known > 0 && wall.Sub(known.Std()) > calmDoubt {
		c.at = known.Std()
	}
}

func (c *calmClock) now() event.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, elapsed := c.wall().Round(0), c.elapsed()
	if !c.begun {
		c.begun, c.at, c.last = true, wall, elapsed
	}
	c.at = c.at.Add(elapsed - c.last)
	c.last = elapsed
	off := wall.Sub(c.at)
	switch {
	case off.Abs() <= calmDrift:
		c.at, c.jump = wall, 0
	case c.jump == 0 || (off-c.jump).Abs() > calmDrift:
		c.jump, c.jumped = off, elapsed
	case elapsed-c.jumped >= calmDoubt:
		c.at, c.jump = wall, 0
	}
	if c.at.After(c.shown) {
		c.shown = c.at
	}
	return event.TimeOf(c.shown)
}
