package engine_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/index/event"
)

// A project may have nothing in any later group, so that its positions show no gap: the numbers of the
// groups must.
func TestAGroupThatIsGoneIsMissedThoughItsProjectSaysNothingMore(t *testing.T) {
	fs := vfs.NewMem()
	e := open(t, fs)
	for _, project := range []event.Project{1, 2, 1} {
		appended(t, e, project, event.Event{Name: "a"})
	}
	closed(t, e)
	tamper(t, fs, func(db *pebble.DB) error { return db.Delete(groupKey(2), pebble.Sync) })
	if _, err := engine.Open("store", options(fs)); !errors.Is(err, event.ErrDamaged) {
		t.Errorf("open: %v", err)
	}
	if report, err := engine.Check("store", options(fs)); err != nil || len(report.Problems) == 0 {
		t.Errorf("check: %v, %v", report.Problems, err)
	}
}
