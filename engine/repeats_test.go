package engine

import (
	"testing"

	"millimetric/index/event"
	"millimetric/index/ids"
)

// A seal may begin between two requests of one group, after it was asked which of their ids are known.
func TestARepeatIsKnownWhereASealBeginsWithinItsGroup(t *testing.T) {
	h := ids.NewHasher([32]byte{1}, ids.IDBits).Hash("a")
	one, hashes := []event.Event{{ID: "a"}}, []ids.Hash{h}
	var r repeats
	ask := func() {
		r.expect(one, hashes)
		if err := r.ask(); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if r.next(h) {
		t.Error("it is known before it comes")
	}
	r.done()
	ask()
	if tables := r.freeze(); len(tables) != 1 {
		t.Errorf("%d tables are frozen", len(tables))
	}
	if !r.next(h) {
		t.Error("it isn't known any more once a seal has begun")
	}
	r.done()
	if ask(); !r.next(h) {
		t.Error("it isn't known after that")
	}
}
