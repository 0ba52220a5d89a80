package engine

import (
	"bytes"
	"reflect"
	"testing"

	"millimetric/index/bitmap"
	"millimetric/index/event"
)

func someManifest() *manifest {
	m := &manifest{next: 9, watermark: 300, committed: 1774612800000, ordinals: 17, gone: 3, days: 30}
	m.segments = []segmentEntry{
		{stamp: 1, bucket: dayBuckets + 20_000, rows: 290, minTime: 5, maxTime: 7, minSeq: 1, maxSeq: 299, parts: [parts]uint64{1, 2, 3, 4, 5}},
		{stamp: 4, bucket: 24_315, rows: 7, minTime: 1, maxTime: 1 << 41, minSeq: 8, maxSeq: 300},
	}
	for kind := range m.runs {
		m.runs[kind] = []runEntry{{stamp: uint64(5 + kind), count: 7, latest: 1774612800000, pieces: 2, first: 1, last: 300, bytes: 999}}
	}
	return m
}

// Whatever stands for a manifest, it is read, and then written as it was, or refused.
func FuzzManifestsNeverPanic(f *testing.F) {
	f.Add((&manifest{next: 1}).append(nil))
	f.Add(someManifest().append(nil))
	f.Add([]byte{manifestErased})
	erased := someManifest()
	erased.erasures = erasures{done: 1774612800000, taken: 1774612700000, least: 8, gone: 3}
	erased.segments[1].hidden = bitmap.Of([]uint32{0, 5, 6})
	f.Add(erased.append(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := readManifest(text)
		if err != nil {
			return
		}
		again, err := readManifest(m.append(nil))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v came back as %+v, %v", m, again, err)
		}
		_ = m.things(1)
		_ = planSegments(m, budget{segmentRows: 1 << 20, merge: 1 << 30}, true, nil)
		_ = planRebucket(m, nil)
	})
}

// Whatever stands for a store key, it is that of one kind of thing at most, and spelled in one way.
func FuzzStoreKeysNeverPanic(f *testing.F) {
	f.Add(appendGroupKey(nil, 7))
	f.Add(manifestKey(7))
	f.Add(thing{project: 7, stamp: 8}.pieceKey(nil, 0))
	f.Add(recordKey("project", "x"))
	f.Add(formatKey)
	f.Fuzz(func(t *testing.T, key []byte) {
		kinds := 0
		if number, ok := groupNumber(key); ok {
			kinds++
			if !bytes.Equal(appendGroupKey(nil, number), key) {
				t.Errorf("%x is the key of group %d", key, number)
			}
		}
		if project, ok := manifestOwner(key); ok {
			kinds++
			if !bytes.Equal(manifestKey(project), key) {
				t.Errorf("%x is the manifest's of project %d", key, project)
			}
		}
		if project, stamp, ok := thingOf(key); ok {
			kinds++
			if !bytes.HasPrefix(key, thing{project: project, stamp: stamp}.key(nil)) {
				t.Errorf("%x is a piece of thing %d of project %d", key, stamp, project)
			}
		}
		if kinds > 1 {
			t.Errorf("%x is of %d kinds", key, kinds)
		}
	})
}

// Whatever stands for an encrypted value, it isn't taken for one.
func FuzzValuesNeverDecryptByChance(f *testing.F) {
	c := newCiphers(&Options{CipherKey: func(event.Project, int32) ([32]byte, error) { return [32]byte{1}, nil }})
	if err := c.prepare(recordsID); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(make([]byte, 28))
	f.Add(c.encryptValue(nil, trimKey, []byte("17"))) // of another key than it is read under
	f.Fuzz(func(t *testing.T, value []byte) {
		if plain, err := c.decryptValue(formatKey, value); err == nil {
			t.Errorf("%x decrypts to %x", value, plain)
		}
	})
}
