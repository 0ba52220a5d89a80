package engine

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// restAfterDamage is for how many looks of the watch (space.go) Pebble compacts nothing after it has failed
// to for damage. It would try the same again at once, for ever, as a table of the topmost level that can't
// be read can't be left out.
const restAfterDamage = 10

// backgroundFailed takes an error of Pebble's that no caller has.
func (e *Engine) backgroundFailed(err error) {
	if pebble.IsCorruptionError(err) {
		e.rest.Store(restAfterDamage) // it was told as damage
		return
	}
	e.failures.note(err)
	e.opt.Notify(Background{Cause: err})
}

// compactions says when Pebble may compact: one at a time, as by itself, but not while it rests. Pebble
// asks it, is asked for what waits when one ends, and once a second.
type compactions struct {
	e *Engine

	mu       sync.Mutex // guards what follows; it is held while nothing of Pebble's is called that locks
	idle     sync.Cond  // waits for granting to end
	db       pebble.DBForCompaction
	running  int
	granting bool
	ended    bool // none begins any more
}

func newCompactions(e *Engine) *compactions {
	c := &compactions{e: e}
	c.idle.L = &c.mu
	return c
}

// Register is part of pebble.CompactionScheduler.
func (c *compactions) Register(_ int, db pebble.DBForCompaction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.db, c.running = db, 0
}

// Unregister is part of pebble.CompactionScheduler. Nothing is asked of Pebble after it.
func (c *compactions) Unregister() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.db = nil
	for c.granting {
		c.idle.Wait()
	}
}

// end lets none begin any more. After it, Pebble may be told that nobody waits for a compaction that it was asked
// for. Before, that would end the process at times: Pebble (v2.1.7) remembers the compaction that it would begin
// next, and begins it when it is granted, though it was taken back since.
func (c *compactions) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for c.granting {
		c.idle.Wait()
	}
}

// TrySchedule is part of pebble.CompactionScheduler.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.free() {
		return false, nil
	}
	c.running++
	return true, c
}

// free reports whether another compaction may begin. The caller holds mu.
func (c *compactions) free() bool {
	resting := c.e.rest.Load() > 0 && c.e.wanted.Load() == 0
	return c.db != nil && !c.ended && !resting && c.running < c.db.GetAllowedWithoutPermission()
}

// UpdateGetAllowedWithoutPermission is part of pebble.CompactionScheduler. It may be called with Pebble's
// locks held: what has become free is given at the next look.
func (c *compactions) UpdateGetAllowedWithoutPermission() {}

// grant lets what waits begin.
func (c *compactions) grant() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.granting {
		c.idle.Wait()
	}
	for c.free() {
		db := c.db
		c.granting = true
		c.running++
		c.mu.Unlock()
		waiting, _ := db.GetWaitingCompaction()
		began := waiting && db.Schedule(c)
		c.mu.Lock()
		c.granting = false
		c.idle.Broadcast()
		if !began {
			c.running--
			return
		}
	}
}

// Done is part of pebble.CompactionGrantHandle.
func (c *compactions) Done() {
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
	c.grant()
}

// Started is part of pebble.CompactionGrantHandle.
func (c *compactions) Started() {}

// MeasureCPU is part of pebble.CompactionGrantHandle.
func (c *compactions) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats is part of pebble.CompactionGrantHandle.
func (c *compactions) CumulativeStats(pebble.CompactionGrantHandleStats) {}

// look has one look at whether the rest is over, and lets what waits begin.
func (c *compactions) look() {
	if n := c.e.rest.Load(); n > 0 {
		c.e.rest.CompareAndSwap(n, n-1)
	}
	c.grant()
}

// pokeAfter is how long a compaction that somebody waits for may wait for one that rests.
const pokeAfter = 10 * time.Millisecond

// compactKeys has Pebble compact a range of keys now, whether it rests or not. What has begun goes on where ctx ends,
// unless the engine ends: see compactions.end.
func (e *Engine) compactKeys(ctx context.Context, from, to []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.wanted.Add(1)
	defer e.wanted.Add(-1)
	poke := time.AfterFunc(pokeAfter, e.compactions.grant)
	defer poke.Stop()
	if err := e.db.Compact(e.life, from, to, false); err != nil {
		return storeError("compact store "+e.dir, err)
	}
	return ctx.Err()
}

// corruption is an error of damage as Pebble has it, in one line: Pebble joins a value to it that has nothing
// to say to people.
type corruption struct{ error }

func (c corruption) Error() string {
	return strings.ReplaceAll(c.error.Error(), "\n<corruption detail carrier>", "")
}

func (c corruption) Unwrap() error { return c.error }
