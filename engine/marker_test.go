package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"millimetric/index/event"
)

// Without the file that names its manifest, Pebble would take a store for a new one, and delete all it holds.
func TestAStoreWithoutItsMarkerIsRefusedAndStaysAsItIs(t *testing.T) {
	s := newShelf(t, Options{SealRows: 40})
	e := opened(t, s.opt)
	s.fill(e, 1, 2, 100)
	mustClose(t, e)
	files := func() []string {
		t.Helper()
		names, err := s.fs.List("store")
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		return names
	}
	marker := ""
	for _, name := range files() {
		if strings.HasPrefix(name, "marker.manifest.") {
			marker = name
		}
	}
	if err := s.fs.Rename("store/"+marker, "marker"); err != nil {
		t.Fatal(err)
	}
	before := files()
	for range 2 {
		if _, err := Open("store", fixed(s.opt)); !errors.Is(err, event.ErrDamaged) || !strings.Contains(err.Error(), "marker.manifest") {
			t.Fatalf("it is opened: %v", err)
		}
	}
	if after := files(); !slices.Equal(after, before) {
		t.Errorf("there were %v, and now %v", before, after)
	}
	if err := s.fs.Rename("marker", "store/"+marker); err != nil {
		t.Fatal(err)
	}
	e = opened(t, s.opt)
	s.goesOn(e, 0, 2)
	mustClose(t, e)
}
