package engine

import (
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
)

// Options say how to open a store. Only Now and CipherKey must be set.
type Options struct {
	// FS is the file system; the real one where nil. Disk health checks are put around it.
	FS vfs.FS
	// Now is the clock. Commit times never go back, even where it does.
	Now func() time.Time
	// CipherKey returns 32 secret bytes under which the values of a project and a bucket are
	// encrypted: the same ones at each call, and durable before it returns. It is called once for
	// each pair that is used, from any goroutine.
	CipherKey func(project event.Project, bucket int32) ([32]byte, error)
	// CipherBuckets lists the buckets of a project that have cipher keys, and DropCipherKey destroys one
	// of these. Where they aren't given, the keys of events whose time is over stay.
	CipherBuckets func(project event.Project) []int32
	DropCipherKey func(project event.Project, bucket int32) error
	// Elapsed is a clock that nobody sets, for telling jumps of Now. Where it is nil, the times of Now
	// should carry one, as those of time.Now do.
	Elapsed func() time.Duration
	// MemoryBytes is what the store should need of memory, about: 1 GiB, and 128 MiB at least.
	MemoryBytes int64
	// SealRows is how many live events of a project are sealed together, SegmentRows how many a merged
	// segment has at most: 128 Ki and 1 Mi, where memory allows.
	SealRows    int
	SegmentRows int
	// Notify is told what an operator should know. It is called from many goroutines, at times
	// with Pebble's locks held: it must be quick, and must not call the engine.
	Notify func(Notice)
	// Committed, where it is given, is told of each commit once it is durable, in their order and before it
	// is acknowledged: it must be quick, as all later commits wait for it, and must not call the engine. What
	// it is given is another commit's after it has returned.
	Committed func(Commit)
	// Fatal ends the process after a failure that makes the disk's state unknown. It must not
	// return; the default writes the reason to standard error and exits with status 70.
	Fatal func(reason string)

	// CommitWait is how long an Append waits before it says that the outcome is unknown: 5 s.
	CommitWait time.Duration
	// StallExit is how long a commit may be stuck before the process ends: 60 s. A restart can
	// help then; waiting has not.
	StallExit time.Duration
	// QueueBytes bounds the requests that wait to be committed: 64 MiB, or an eighth of the memory.
	QueueBytes int
	// FreeBytesMin and FreePercentMin are the free space below which appends are refused: the
	// greater of the two, 2 GiB and 5 %. Negative ones don't count.
	FreeBytesMin   int64
	FreePercentMin int
	// MemTableBytes bounds one of Pebble's tables in memory: 32 MiB, or a 32nd of the memory.
	MemTableBytes int

	// inClear leaves out the encryption. It is there to measure what the encryption costs, and to
	// show that a search of the disk would find what isn't encrypted; nothing outside can set it.
	inClear bool
}

const (
	exitStatus = 70 // EX_SOFTWARE: what supervisors restart after

	// shedAfter is how long a commit may take before further requests are refused at once instead
	// of waiting behind it.
	shedAfter = time.Second
	// retryIn is what refused callers are told to wait.
	retryIn = time.Second
	// slowAfter is from when on one operation of the disk is worth a notice.
	slowAfter = 5 * time.Second
	// spaceEvery is how often free space is looked at. It can't fall far in between: a second of
	// appends at full speed is some 200 MB, a tenth of the reserve.
	spaceEvery = time.Second
	// spaceFresh is how old the last look may be when events are taken. In it, a disk of 2 GB/s is given
	// 40 MB by others; a look takes microseconds.
	spaceFresh = 20 * time.Millisecond

	queueRequestsMax = 1 << 16

	// memTableMax: where a table in memory holds the groups of two seals, most of them are trimmed before
	// they would be written out. Half of it writes out 57 bytes of an event instead of 36, greater ones
	// hardly fewer.
	memTableMax = 32 << 20

	// groupBytesMax ends a group. Larger ones make every member wait for all, and a sync of 256 KiB
	// already costs little more than one of 4 KiB.
	groupBytesMax = 1 << 20
	// overlapBytes is from when on the next group is encoded while the last one still syncs. A
	// smaller group is encoded in no time, and would only fix its members too soon: what comes
	// until the sync is over would have to wait for yet another.
	overlapBytes = 64 << 10
	// appendBytesMax bounds one request. It keeps a part, which may hold a whole group and this,
	// below the format's bound.
	appendBytesMax = 48 << 20
)

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Notify == nil {
		o.Notify = func(Notice) {}
	}
	if o.Fatal == nil {
		o.Fatal = func(reason string) {
			os.Stderr.WriteString("millimetric: the store can't go on: " + reason + "\n")
			os.Exit(exitStatus)
		}
	}
	o.CommitWait = orDefault(o.CommitWait, 5*time.Second)
	o.StallExit = orDefault(o.StallExit, 60*time.Second)
	o.FreeBytesMin = orDefault(o.FreeBytesMin, 2<<30)
	o.FreePercentMin = orDefault(o.FreePercentMin, 5)
	o.MemoryBytes = orDefault(o.MemoryBytes, 1<<30)
	o.MemTableBytes = orDefault(o.MemTableBytes, int(min(memTableMax, max(o.MemoryBytes, memoryMin)/32)))
	o.QueueBytes = orDefault(o.QueueBytes, int(min(64<<20, max(o.MemoryBytes, memoryMin)/8)))
	o.SegmentRows = orDefault(o.SegmentRows, 1<<20)
	return o
}

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// storeFormat pins Pebble's own format. Raising it can't be taken back, so it never follows a new
// Pebble by itself.
const storeFormat = pebble.FormatValueSeparation

// blockBytes gives each value a block of its own in Pebble's tables: one that can't be read then costs
// what it holds, and no other project's values beside it. indexBytes is Pebble's default for both.
const (
	blockBytes = 1
	indexBytes = 4 << 10
)

// topTablesMax is how many tables may lie over each other in Pebble's topmost level before commits wait.
// Few are there, as what is large is taken in below; but one that can't be read keeps those above it from
// going down, and must not stop all others. Each costs a look-up a glance.
const topTablesMax = 1000

// exact orders store keys as Pebble does by itself, under the same name. But in the index of a table, it
// ends each block at its last key, and not at some shorter key behind it: else a block that can't be
// read would stand for keys that it never held.
var exact = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Separator = func(dst, last, _ []byte) []byte { return append(dst, last...) }
	c.Successor = func(dst, last []byte) []byte { return append(dst, last...) }
	return &c
}()

// pebbleOptions makes options for one opening: Pebble keeps state in them.
func (e *Engine) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          e.fs,
		Lock:                        e.lock,
		FormatMajorVersion:          storeFormat,
		CacheSize:                   8 << 20, // what is read again is in a cache of ours, decrypted
		MemTableSize:                uint64(e.opt.MemTableBytes),
		MemTableStopWritesThreshold: 4, // a slow flush must not stop commits at once
		L0StopWritesThreshold:       topTablesMax,
		MaxOpenFiles:                256,
		Comparer:                    exact,
		Cleaner:                     pebble.ArchiveCleaner{}, // see archive
		Logger:                      logger{e},
		EventListener:               e.listener(),
		// Tombstones of what was merged away must reach a table, or nothing is ever deleted.
		FlushDelayDeleteRange: 10 * time.Second,
	}
	o.Experimental.CompactionScheduler = e.compactions
	for i := range o.Levels {
		o.Levels[i].BlockSize, o.Levels[i].IndexBlockSize = blockBytes, indexBytes
	}
	// Groups are compressed already.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	return o
}
