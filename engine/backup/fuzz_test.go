package backup

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"millimetric/engine"
	"millimetric/index/event"
)

// Whatever an object holds, reading it ends, without a panic, and says damage or gives entries that are written again
// as they were read.
func FuzzEntriesAreReadOrRefused(f *testing.F) {
	record := engine.Value{Key: []byte("Rkind\x00id"), Value: []byte("value")}
	gone := engine.Value{Key: []byte("Rkind\x00gone")}
	for _, body := range [][]byte{
		{},
		appendValue(nil, record),
		appendCommit(nil, engine.Commit{Number: 7, At: 1_790_000_000_000, Group: []byte("group"), Records: []engine.Value{record, gone}}),
		appendRecords([]byte{entryRecords}, []engine.Value{record}),
	} {
		entries := min(len(body), 1)
		f.Add(appendEnd(bytes.Clone(body), entries))
		f.Add(append(body, entryEnd, 9))
		f.Add(append(body, entryRecords, 0xff, 0xff, 0xff, 0xff, 0x7f))
		f.Add(append(body, entryValue, 0xff, 0xff, 0x03, 1))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var again []byte
		n := 0
		err := readEntries("fuzzed", bytes.NewReader(text), visitor{
			value: func(v engine.Value) error {
				again, n = appendValue(again, v), n+1
				return nil
			},
			commit: func(c engine.Commit) error {
				again, n = appendCommit(again, c), n+1
				return nil
			},
			records: func(list []engine.Value) error {
				again, n = appendRecords(append(again, entryRecords), list), n+1
				return nil
			},
		})
		if err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("what can't be read is said to be %v", err)
			}
			return
		}
		// Lengths may be written in more bytes than they need, so what is read twice is compared.
		if second := count(t, appendEnd(again, n)); second != n {
			t.Fatalf("%d entries became %d", n, second)
		}
	})
}

func count(t *testing.T, text []byte) (n int) {
	one := func() error { n++; return nil }
	err := readEntries("again", bytes.NewReader(text), visitor{
		value:   func(engine.Value) error { return one() },
		commit:  func(engine.Commit) error { return one() },
		records: func([]engine.Value) error { return one() },
	})
	if err != nil {
		t.Fatalf("what was written again can't be read: %v", err)
	}
	return n
}

func FuzzHeadsAndCatalogsAreReadOrRefused(f *testing.F) {
	f.Add([]byte(`{"format":1,"timeline":"a","serial":3,"next":2}`), []byte(`{"timelines":[{"id":"a"}]}`))
	f.Add([]byte(`{"format":1,"timeline":"a","parts":[{"first":2,"last":1}]}`), []byte(`{"timelines":[{"id":"a","bases":[{"id":"b","things":["x"]}]}]}`))
	f.Add([]byte(`{"format":2}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, head, catalog []byte) {
		h, err := decodeHead(head)
		if err != nil {
			return
		}
		c, err := decodeCatalog(catalog, &h)
		if err != nil {
			return
		}
		a := &Archive{Head: h, Catalog: c}
		a.List()
		_, _ = a.Size(Point{Group: 5})
		if !reflect.DeepEqual(c.clone().timeline(h.Timeline).Bases, c.timeline(h.Timeline).Bases) {
			t.Error("a clone is another")
		}
	})
}
