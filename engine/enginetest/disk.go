package enginetest

import (
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// keeps are the shares of unsynced blocks that a cut leaves on the disk, in percent.
var keeps = []int{0, 5, 25, 50, 75, 95}

// cutter is a disk in memory that takes copies of itself, as a power cut would leave it, just
// before random writes.
type cutter struct {
	disk   *vfs.MemFS
	before func() // called before each copy is taken

	mu     sync.Mutex
	random *rand.Rand
	gap    int // a cut comes before one in so many writes
	left   int // how many cuts are still to come
	copies []*vfs.MemFS
}

// newCutter puts the cuts of a disk into random order.
func newCutter(random *rand.Rand, cuts int, before func()) *cutter {
	return &cutter{
		disk: vfs.NewCrashableMem(), before: before,
		random: rand.New(rand.NewPCG(random.Uint64(), 1)), gap: 1 + random.IntN(90), left: cuts,
	}
}

func (c *cutter) fs() vfs.FS { return errorfs.Wrap(c.disk, errorfs.InjectorFunc(c.op)) }

// hold keeps cuts from being made while do runs.
func (c *cutter) hold(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

// op sees every operation before it is done.
func (c *cutter) op(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 || c.random.IntN(c.gap) != 0 {
		return nil
	}
	c.left--
	c.before()
	c.copies = append(c.copies, c.copy())
	return nil
}

// copy is the disk as a cut would leave it.
func (c *cutter) copy() *vfs.MemFS {
	keep := keeps[c.random.IntN(len(keeps))]
	return c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: c.random})
}

// liar is a disk that says that the log is synced when it isn't. It shows whether a test would
// see the loss.
type liar struct{ vfs.FS }

func (l liar) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.Create(name, category)
	return lie(name, f), err
}

func (l liar) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.ReuseForWrite(oldname, newname, category)
	return lie(newname, f), err
}

func lie(name string, f vfs.File) vfs.File {
	if f == nil || !strings.HasSuffix(name, ".log") {
		return f
	}
	return lyingFile{f}
}

type lyingFile struct{ vfs.File }

func (lyingFile) Sync() error                { return nil }
func (lyingFile) SyncData() error            { return nil }
func (lyingFile) SyncTo(int64) (bool, error) { return true, nil }
