package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

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

// Whatever byte of Pebble's manifest rots: the store is refused, or shows all that it held.
func TestARottenManifestOfPebbleIsRefusedOrHarmless(t *testing.T) {
	s := newShelf(t, Options{SealRows: 40, SegmentRows: 100})
	for seed := range uint64(3) { // each start begins a manifest, each flush adds to it
		e := opened(t, s.opt)
		s.fill(e, 1+seed, 2, 60)
		if err := e.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.fill(e, 101+seed, 2, 5)
		mustClose(t, e)
	}
	desc, err := pebble.Peek("store", s.fs)
	if err != nil {
		t.Fatal(err)
	}
	text := s.read(desc.ManifestFilename)
	sound, want, refused := s.fs, s.want, 0
	for at := range text {
		s.fs, s.want = sound.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}), maps.Clone(want)
		s.opt.FS = s.fs
		rotten := bytes.Clone(text)
		rotten[at] ^= 1 << (at % 8)
		s.write(desc.ManifestFilename, rotten)
		e, err := Open("store", fixed(s.opt))
		if err != nil {
			refused++
			continue
		}
		for p := range event.Project(2) {
			if !s.answers(e, 1+p) {
				t.Errorf("byte %d of %d: project %d has lost something", at, len(text), 1+p)
			}
		}
		mustClose(t, e)
	}
	t.Logf("of %d bytes, %d are found", len(text), refused)
	if refused == 0 {
		t.Error("nothing was found")
	}
}

func (s *shelf) read(name string) []byte {
	s.t.Helper()
	file, err := s.fs.Open(name)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err = errors.Join(err, file.Close()); err != nil {
		s.t.Fatal(err)
	}
	return text
}

func (s *shelf) write(name string, text []byte) {
	s.t.Helper()
	file, err := s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = file.Write(text)
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
