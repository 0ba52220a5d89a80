package engine_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// What was fetched is there without another look at the disk, and what can't be fetched is whoever's error that asks
// for it.
func TestFetchedSectionsAreNear(t *testing.T) {
	e := open(t, vfs.NewMem())
	defer closed(t, e)
	appended(t, e, 1, eventtest.New(1, 30, 10_000).Events(500)...)
	if err := e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	snapshot := e.Snapshot(1)
	defer snapshot.Release()
	var src index.Sections
	for _, s := range snapshot.Segments(event.TimeMin, event.TimeMax) {
		s.Watch(func(own index.Sections) index.Sections {
			src = own
			return own
		})
	}
	fetcher, ok := src.(index.SectionFetcher)
	if !ok {
		t.Fatalf("%T doesn't fetch", src)
	}
	const none = 1 << 20
	list := []index.SectionID{none, 1, none + 1, none + 2, none + 3}
	fetcher.Fetch(list)
	_, before := e.CacheCounts()
	if _, err := src.Section(1); err != nil {
		t.Fatal(err)
	}
	if _, after := e.CacheCounts(); after != before {
		t.Error("a section that was fetched was read again")
	}
	if n := fetcher.Fetch(list); n != len(list)-1 {
		t.Errorf("%d of the %d sections that there are none of weren't near", n, len(list)-1)
	}
	if _, err := src.Section(none); !errors.Is(err, event.ErrDamaged) {
		t.Errorf("a section that there is none of: %v", err)
	}
}
