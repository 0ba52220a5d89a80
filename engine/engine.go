// Package engine keeps events: it makes them durable, and shows them to readers.
//
// Append returns once its events are synced to disk and visible. Readers take snapshots, which
// never change and never show what a crash could still take away. The engine knows nothing of
// HTTP, of what events mean or of who may see them; a snapshot belongs to one project and can see
// no other.
//
// Events are first live: in memory, and in the log. Then they are sealed, into immutable segments, which
// are merged, so that few are left for each stretch of time. seal.go and merge.go say how; nothing of
// it holds up an append.
//
// Open starts five goroutines, and Close ends them: one gathers requests into groups and encodes
// them, one commits groups, one seals, one merges and deletes, one watches free space. Pebble has its
// own, and a commit has timers that notice when the disk stalls. A reader of a few whole events has up to three beside
// it for a moment, which fetch pieces.
//
// Everything on disk is in one Pebble store in one folder, which a lock keeps to one process, but for the ledger
// of who was erased, which lies beside it.
// FORMAT.md has the layout; keys.go alone spells store keys. All values are encrypted, under cipher
// keys that come from outside (cipher.go).
//
// Where a sync fails, nobody knows what is on disk, and trying again can falsely succeed.
// The engine then ends the process and acknowledges nothing; the next start replays what is really
// there. The same holds for a commit that is stuck for long.
//
// Locks are taken in this order: purging, a project's erasing, merging, sealing, a project's upkeep, trimming, the
// gate or a project's ordinals, a project's mu; cleaning, mu of the queue, deadMu, spaceMu, those of rotten, bad and
// memory are taken last. The gathering goroutine takes none of the first four.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/maypok86/otter/v2"

	"millimetric/engine/ledger"
	"millimetric/index"
	"millimetric/index/encode"
	"millimetric/index/event"
)

// Engine is an open store. It is safe for concurrent use.
type Engine struct {
	opt  Options
	dir  string
	db   *pebble.DB
	lock *pebble.Lock
	fs   vfs.FS    // Options.FS, ordered and with disk health checks around it
	care io.Closer // of these checks

	ciphers *ciphers

	// Owned by the gathering goroutine, and before that by Open.
	projects  map[event.Project]*project
	destroyed map[event.Project]bool // in the time of this process
	touched   []*project
	encoder   encode.Encoder
	words     encode.Words
	number    uint64     // of the last group
	clock     event.Time // commit time of the last group
	ahead     event.Time // the time of the last erasure: no later group is committed before

	shown   sync.Map // event.Project → *project, for readers
	hashers sync.Map // event.Project → *hashers

	ledger     *ledger.Ledger // of who was erased
	ledgerKeys sync.Map       // event.Project → ledger.Key
	erasing    erasing
	purging    sync.Mutex // one pass over what was erased at a time; taken first

	budget budget
	// Memory for what is looked up in runs of ids and of visitors, of all projects together.
	idFilters      *memory
	visitorFilters *memory
	nearVisitors   *memory
	cache          *otter.Cache[pieceID, []byte]
	retention      *calmClock    // by which events are in no answer any more
	ending         *calmClock    // by which they are destroyed
	tables         atomic.Uint64 // that were begun: their names
	liveBytes      atomic.Int64  // of all live events, about
	idBytes        atomic.Int64  // of all tables and filters of ids
	log            logSizes
	committed      atomic.Uint64 // the last group that is shown
	trimmed        atomic.Uint64 // the last group that is deleted
	sealing        sync.Mutex    // one seal at a time; guards builder and idle
	builder        index.Builder // of the segments of a seal, each in the memory of the last
	idle           int           // looks of the sealer since builder was used
	merging        sync.Mutex    // one merge at a time
	trimming       sync.Mutex    // one trim of the log at a time
	spaceMu        sync.Mutex    // one look at free space at a time, so that notices come in order
	looked         atomic.Int64  // when events were last taken on a look at free space, in ns
	cleaning       sync.Mutex    // held while what is dead is deleted
	deadMu         sync.Mutex    // guards dead
	dead           []thing       // to be deleted

	gaps   []gap // see missing; it doesn't change after Open
	lost   lostRecords
	rotten rotten
	bad    badBlocks
	rest   atomic.Int32 // see restAfterDamage
	wanted atomic.Int32 // compactions that somebody waits for

	compactions *compactions
	failures    failures        // of what Pebble does by itself
	flushing    sync.Mutex      // one flush that somebody waits for at a time; guards flushed
	flushed     <-chan struct{} // closed when the last of these is done; nil where none waits

	life context.Context // of the engine; it ends when Close begins
	end  context.CancelFunc

	swept    atomic.Int64 // the day of the last sweep
	sweepNow atomic.Bool  // there is something to sweep before the next day

	wakeSealer chan struct{}
	wakeMerger chan struct{}

	groups   chan *group         // from the gatherer to the committer
	free     chan *group         // and back, to be used again
	requests sync.Pool           // of *request
	stop     chan struct{}       // ends the watch over free space
	running  sync.WaitGroup      // the five goroutines, and who must finish before the store is closed
	state    [states]atomic.Bool // why appends are refused, if they are

	// mu guards the queue. The gatherer waits on work.
	mu       sync.Mutex
	work     sync.Cond
	waiting  []*request
	bytes    int // of waiting
	closing  bool
	inFlight int    // groups that were taken and are not committed
	commits  uint64 // how many were begun
	syncing  bool   // the last of them is going on

	// gate keeps the store open while records are read. It is taken before no other lock.
	gate   sync.RWMutex
	closed bool
}

// state is a reason for refusing appends.
type state int

const (
	stateDead    state = iota // a commit failed; the process is about to end
	stateDamaged              // the log can't be read any more, and is still needed
	stateFull                 // too little free space
	stateStuck                // a commit takes too long
	stateStalled              // Pebble holds writes back
	states
)

// Open opens the store in dir, and makes it where there is none. It returns once all that was ever
// acknowledged is visible.
func Open(dir string, opt Options) (*Engine, error) {
	if opt.Now == nil || opt.CipherKey == nil {
		return nil, errors.New("open store: no clock or no cipher keys were given")
	}
	e := newEngine(dir, opt.withDefaults())
	if err := e.openStore(); err != nil {
		return nil, errors.Join(err, e.care.Close())
	}
	if err := e.recover(); err != nil {
		return nil, errors.Join(err, e.closeStore())
	}
	e.ending.begin(e.clock)
	e.swept.Store(e.endingDay() - 1) // nobody knows when it was swept last
	e.watchSpace()
	e.running.Add(5)
	go e.gather()
	go e.commit()
	go e.keepWatch()
	go e.keeper(e.wakeSealer, e.sealDue)
	go e.keeper(e.wakeMerger, e.tidy)
	if err := e.resumeErasures(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", dir, err), e.Close())
	}
	return e, nil
}

func newEngine(dir string, opt Options) *Engine {
	e := &Engine{
		opt: opt, dir: dir, erasing: erasing{of: map[string]*Erasure{}},
		projects: map[event.Project]*project{}, destroyed: map[event.Project]bool{}, lost: lostRecords{of: map[string][]Lost{}},
		groups:  make(chan *group, 1),
		free:    make(chan *group, 3),
		stop:    make(chan struct{}),
		ciphers: newCiphers(&opt),

		budget:     newBudget(opt),
		rotten:     rotten{tables: map[string]bool{}, looked: true},
		retention:  newCalmClock(opt.Now, opt.Elapsed),
		ending:     newCalmClock(opt.Now, opt.Elapsed),
		wakeSealer: make(chan struct{}, 1),
		wakeMerger: make(chan struct{}, 1),
	}
	e.cache = newPieceCache(e.budget.cache)
	e.idFilters, e.visitorFilters = &memory{most: e.budget.idFilters}, &memory{most: e.budget.visitorFilters}
	e.nearVisitors = &memory{most: e.budget.nearVisitors}
	e.encoder.Cipher = logCipher{e.ciphers}
	e.work.L = &e.mu
	e.compactions = newCompactions(e)
	e.life, e.end = context.WithCancel(context.Background())
	// Pebble would do this by itself if no FS were given to it, but leaves the checks running where
	// it fails to open.
	cared, care := vfs.WithDiskHealthChecks(ordered{opt.FS}, slowAfter, nil, func(info vfs.DiskSlowInfo) {
		e.opt.Notify(DiskSlow{Path: info.Path, Operation: info.OpType.String(), For: info.Duration})
	})
	e.fs, e.care = paced{cared, e}, care
	for range cap(e.free) {
		e.free <- &group{}
	}
	return e
}

// openStore takes the lock, opens Pebble and checks the format. A store that is new is opened
// twice: Pebble writes the very first log in an old format that can't tell damage from its end.
func (e *Engine) openStore() error {
	if err := e.opt.FS.MkdirAll(e.dir, 0o700); err != nil {
		return fmt.Errorf("open store %s: %w", e.dir, err)
	}
	lock, err := lockFolder(e.dir, e.opt.FS)
	if err != nil {
		return err
	}
	e.lock = lock
	if err := errors.Join(e.checkRoom(), checkMarker(e.dir, e.opt.FS)); err != nil {
		return errors.Join(err, lock.Close())
	}
	isNew, err := e.openPebble()
	if err == nil && isNew {
		if err = e.db.Close(); err == nil {
			_, err = e.openPebble()
		}
	}
	if err != nil {
		e.db = nil
		return errors.Join(err, lock.Close())
	}
	return nil
}

// openPebble reports whether the store was made just now.
func (e *Engine) openPebble() (isNew bool, err error) {
	db, err := pebble.Open(e.dir, e.pebbleOptions())
	if err != nil {
		return false, storeError("open store "+e.dir, err)
	}
	isNew, err = checkFormat(db, e.ciphers)
	if err != nil {
		return false, errors.Join(fmt.Errorf("open store %s: %w", e.dir, err), db.Close())
	}
	e.db = db
	return isNew, nil
}

// lockFolder takes the lock that keeps a folder to one process.
func lockFolder(dir string, fs vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fs)
	if err == nil {
		return lock, nil
	}
	// The second is Pebble's answer where this very process has it.
	if errors.Is(err, syscall.EAGAIN) || err.Error() == "lock held by current process" {
		return nil, &event.Error{
			Kind: event.ErrLimit, Code: CodeInUse, Cause: err,
			Notes: []string{"data folder " + dir + " is in use by another process"},
		}
	}
	return nil, fmt.Errorf("lock store %s: %w", dir, err)
}

// CodeInUse is the code of the error that Open returns where another process has the folder.
const CodeInUse = "store_in_use"

// storeError gives Pebble's errors of damage our kind.
func storeError(what string, err error) error {
	if pebble.IsCorruptionError(err) {
		return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf("%s: %w", what, corruption{err})}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Close takes no more requests, commits those that wait, and closes the store. It may be called
// once.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closing = true
	e.mu.Unlock()
	e.work.Signal()
	close(e.stop)
	e.compactions.end()
	e.end()
	e.running.Wait()
	return e.closeStore()
}

func (e *Engine) closeStore() error {
	e.gate.Lock()
	defer e.gate.Unlock()
	e.closed = true
	err := e.db.Close()
	if err != nil {
		err = fmt.Errorf("close store %s: %w", e.dir, err)
	}
	return errors.Join(err, e.lock.Close(), e.care.Close())
}

// Ready returns nil where appends are taken, else the error that they would be refused with.
func (e *Engine) Ready() error {
	if err := e.refusal(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return errStopping()
	}
	return nil
}

// refusal says why appends are refused at this moment, if they are.
func (e *Engine) refusal() *event.Error {
	for s := range states {
		if e.state[s].Load() {
			return s.refusal()
		}
	}
	return nil
}

func (s state) refusal() *event.Error {
	switch s {
	case stateDead:
		return errStopping()
	case stateDamaged:
		return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged}
	case stateFull:
		return &event.Error{Kind: event.ErrLimit, Code: event.CodeDiskLow, RetryIn: event.RetryFull}
	case stateStuck, stateStalled:
		return overloaded("the disk doesn't keep up")
	}
	panic(fmt.Sprintf("engine: state %d has no refusal", s))
}

// die ends the process. Where Options.Fatal returns, as in tests, the engine acknowledges nothing
// from here on.
func (e *Engine) die(reason string) {
	e.state[stateDead].Store(true)
	e.opt.Fatal(reason)
}
