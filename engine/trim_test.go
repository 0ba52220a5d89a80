package engine

import (
	"testing"
	"time"
)

// The log is trimmed by whoever has sealed: by upkeep, by the daily sweep, by those who compact. None may put
// an older mark in place of another's newer one, or the store can't be opened again: so one waits for the
// other, and looks what there is to trim only then.
func TestOneTrimWaitsForTheOther(t *testing.T) {
	s := newShelf(t, Options{SealRows: 1 << 20})
	e := opened(t, s.opt)
	s.fill(e, 1, 2, 3)
	e.trimming.Lock()
	failed := make(chan error)
	go func() { failed <- e.trim() }()
	select {
	case err := <-failed:
		t.Fatalf("it didn't wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	for _, p := range e.all() { // sealed after the trim was begun, it is trimmed all the same
		if _, err := e.seal(p); err != nil {
			t.Fatal(err)
		}
	}
	e.trimming.Unlock()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if trimmed, committed := e.trimmed.Load(), e.committed.Load(); trimmed != committed {
		t.Errorf("trimmed up to %d of %d", trimmed, committed)
	}
	mustClose(t, e)
	e = opened(t, s.opt)
	s.goesOn(e, 0, 2)
	mustClose(t, e)
}
