package engine

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// waitingDB always has a compaction that waits, and counts those that begin.
type waitingDB struct{ begun int }

func (d *waitingDB) GetAllowedWithoutPermission() int { return 1 }

func (d *waitingDB) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	return true, pebble.WaitingCompaction{}
}

func (d *waitingDB) Schedule(pebble.CompactionGrantHandle) bool {
	d.begun++
	return true
}

// Once the engine ends, what waits may be taken back, so it mustn't begin: not when another one ends either.
func TestNoCompactionBeginsOnceTheEngineEnds(t *testing.T) {
	db := &waitingDB{}
	c := newCompactions(&Engine{})
	c.Register(1, db)
	if began, _ := c.TrySchedule(); !began {
		t.Fatal("the first one is refused")
	}
	c.Done()
	if db.begun != 1 {
		t.Fatalf("%d have begun after the first, want 1", db.begun)
	}
	c.end()
	c.Done()
	c.look()
	if began, _ := c.TrySchedule(); began || db.begun != 1 {
		t.Errorf("after the end, %d have begun, and one more is granted: %t", db.begun, began)
	}
	c.Unregister()
}
