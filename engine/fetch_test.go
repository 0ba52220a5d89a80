package engine_test

import (
	"bytes"
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
	fetcher, ok := src.(interface {
		Fetch(ids []index.SectionID) [][]byte
	})
	if !ok {
		t.Fatalf("%T doesn't fetch", src)
	}
	const none = 1 << 20
	list := []index.SectionID{none, 1, none + 1, none + 2, none + 3}
	fetched := fetcher.Fetch(list)
	if len(fetched) != len(list) || fetched[0] != nil || fetched[2] != nil {
		t.Fatalf("%d sections were fetched, %d bytes of one that there is none of", len(fetched), len(fetched[0]))
	}
	_, before := e.CacheCounts()
	section, err := src.Section(1)
	if err != nil || fetched[1] != nil && !bytes.Equal(section, fetched[1]) {
		t.Fatalf("%d bytes were fetched, %d are there, %v", len(fetched[1]), len(section), err)
	}
	if _, after := e.CacheCounts(); after != before {
		t.Error("a section that was fetched was read again")
	}
	if again := fetcher.Fetch([]index.SectionID{1}); again[0] != nil {
		t.Errorf("what is near was fetched: %d of %d bytes", len(again[0]), len(section))
	}
	if _, err = src.Section(none); !errors.Is(err, event.ErrDamaged) {
		t.Errorf("a section that there is none of: %v", err)
	}
}
