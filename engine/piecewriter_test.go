package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/ids"
)

// A run that is greater than a table's least size comes to lie in tables of its own, a smaller one in the
// table of what is written with it, the smallest in the log: all are read alike.
func TestRunsOfAllSizesAreReadBack(t *testing.T) {
	e := opened(t, Options{FS: vfs.NewMem(), FreeBytesMin: -1, FreePercentMin: -1})
	defer mustClose(t, e)
	p := newProject(1, [32]byte{}, &memory{})
	random := rand.New(rand.NewPCG(1, 2))
	for i, counts := range [][]int{{1}, {600_000}, {300_000, 200_000, 5}, {5, 600_000, 7, 300_000}} {
		w := &pieceWriter{e: e}
		var entries []runEntry
		for _, n := range counts {
			hashes := make([]ids.Hash, n)
			for j := range hashes {
				hashes[j] = ids.Hash{Hi: random.Uint64(), Lo: random.Uint64() << (128 - ids.IDBits)}
			}
			slices.SortFunc(hashes, ids.Hash.Compare)
			entry := runEntry{count: n}
			stamp := p.stamp()
			err := w.writeRun(thing{1, BucketSets, stamp}, &entry, func(emit ids.Emit) error { return ids.Build(stamp, 0, hashes, emit) })
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, entry)
		}
		if err := w.finish(); err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			run, err := e.openAny(p, runIDs, entry)
			if err == nil {
				err = run.Check()
			}
			if err != nil || run.Len() != entry.count {
				t.Errorf("case %d: run of %d: %v", i, entry.count, err)
			}
		}
	}
	left, err := e.opt.FS.List(e.incoming())
	if err != nil || len(left) > 0 {
		t.Errorf("tables were left: %v, %v", left, err)
	}
}
