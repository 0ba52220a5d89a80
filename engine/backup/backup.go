// Package backup keeps a second copy of a store somewhere else, as it was at every moment of the last weeks,
// and makes a store of it again.
//
// How it works:
//
//  1. Each commit of the engine is copied into a bounded queue. Once a second, what waits there becomes a
//     part: a group of the log as it was stored, and records. Where the queue was too small, or the program
//     didn't run, the store itself is read from the last group that was copied on.
//  2. The engine trims its log once events are sealed, so parts alone would need to reach back for ever. Once a
//     day a base is made: manifests, records and log as they are at one moment, and each segment or run
//     that no earlier base holds. These never change, so a base costs what is new.
//  3. What reaches back behind the oldest base is dropped with it.
//  4. A restore takes the last base before the wanted position, and the groups after it up to there; the
//     records (accounts, projects, keys, the audit log) are the newest in any case, so that no revoked key
//     comes back, and so are the keyring and what else is kept only as it is now: what was destroyed since
//     can't be read in the old base either.
//  5. Positions are numbers of groups, which have no gaps; a time is turned into one by the times of commits,
//     which never go back. Where groups are missing because the store had trimmed them before they were
//     copied, a base is made at once, and positions between can't be restored: that is an error which says so.
//
// All objects are encrypted, under a key that is the backup's own: FORMAT.md has their layout. Whoever holds
// the target and that key learns how much there is, and when it came; events are encrypted once more, under
// cipher keys in the keyring, for which the root key is needed.
//
// The head names a catalog by its hash, and both together name all else so: one missing, swapped, cut or changed
// object is found by whoever reads it. It isn't found where somebody puts a whole older state of the target back,
// but by the program whose backup it is, which remembers how far it was.
//
// Run starts one goroutine beside its caller's, which makes bases, merges parts and drops what is old. On the
// local disk, only the file that remembers how far the backup is, and while a base is made the part of it that
// is small, encrypted, are written. A target that is down costs the engine nothing.
package backup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
)

// Options say what to back up, and where to.
type Options struct {
	Target Target
	Engine *engine.Engine
	Queue  *Queue // to which the engine's commits go
	Key    Key
	// Wrapped is Key under the root key, as it is kept at the target: who restores after the loss of all else
	// has the root key alone.
	Wrapped []byte
	// Kept returns what is kept only as it is now, by name, such as the keyring. It is asked at least as often
	// as something is copied.
	Kept func() (map[string][]byte, error)
	Now  func() time.Time
	// Dir is a folder on the local disk: for the file that remembers how far the backup is, and for what is
	// being made.
	Dir string
	// Every is how often commits are copied: 1 s.
	Every time.Duration
	// BaseEvery is how often a base is made: 24 h.
	BaseEvery time.Duration
	// KeepFor is how old the oldest position gets: 35 days.
	KeepFor time.Duration
	// Notify is told what an operator should know.
	Notify func(Notice)
}

// Notice is something that an operator should know.
type Notice struct {
	Text   string
	Urgent bool
}

const (
	// baseRetry is how long a base that failed rests.
	baseRetry = time.Minute
	// opWait bounds one operation on the target but for large objects: longer, and the loss of the machine
	// would cost more than is promised.
	opWait = 30 * time.Second
	// retryMin and retryMax bound how long is waited after a failure; it doubles from one to the next.
	retryMin = time.Second
	retryMax = 30 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Every == 0 {
		o.Every = time.Second
	}
	if o.BaseEvery == 0 {
		o.BaseEvery = 24 * time.Hour
	}
	if o.KeepFor == 0 {
		o.KeepFor = 35 * 24 * time.Hour
	}
	if o.Notify == nil {
		o.Notify = func(Notice) {}
	}
	if o.Kept == nil {
		o.Kept = func() (map[string][]byte, error) { return nil, nil }
	}
	return o
}

// Backup copies one store to one target. It is safe for concurrent use.
type Backup struct {
	opt    Options
	crypt  crypt
	wanted chan struct{} // a base, now

	shipping chan struct{} // full while a shipment goes on, one at a time; guards pending
	pending  []packet      // that could not be written yet
	basing   sync.Mutex    // one base, merge or expiry at a time

	writing sync.Mutex // held while the head is replaced

	mu      sync.Mutex // guards what follows
	joined  bool       // the target's state is known, and it is ours
	head    Head
	log     *Catalog
	copied  time.Time // when the target last had all that was committed; before that, when the program began
	stat    Status
	holding int       // bytes of pending
	swept   time.Time // when leftovers were last looked for
	retired []retired // by time
	// keptNow are the hashes of what is kept only as it is now, as the target has it; empty after a start, so that
	// it is written once.
	keptNow map[string][sha256.Size]byte
}

// Status says how a backup is going.
type Status struct {
	Target   string     `json:"target"`
	Timeline string     `json:"timeline"`
	Group    uint64     `json:"group"`                // the last that was copied
	At       event.Time `json:"-"`                    // when it was committed
	Copied   time.Time  `json:"copied,omitzero"`      // when the target last had all that was committed
	Base     time.Time  `json:"base,omitzero"`        // when the last base was made
	Failures uint64     `json:"failures"`             // since the start
	Gaps     uint64     `json:"gaps"`                 // how often groups were missing
	Problem  string     `json:"problem,omitempty"`    // why it isn't going on, if it isn't
	Waiting  int        `json:"waiting_bytes"`        // in the queue
	Lost     bool       `json:"catching_up"`          // the queue was too small; the store is read
	Behind   float64    `json:"behind_s"`             // for how long something has been waiting
	Objects  int        `json:"objects"`              // at the target
	Bytes    int64      `json:"bytes"`                // of these
	Oldest   time.Time  `json:"oldest_base,omitzero"` // the first position that can be restored
	Since    time.Time  `json:"-"`                    // when the oldest base was made
}

// New makes a backup that does nothing until Run or Now.
func New(opt Options) (*Backup, error) {
	c, err := newCrypt(opt.Key)
	if err != nil {
		return nil, err
	}
	b := &Backup{opt: opt.withDefaults(), crypt: c, wanted: make(chan struct{}, 1), shipping: make(chan struct{}, 1), log: &Catalog{}}
	b.stat.Target, b.copied = opt.Target.String(), opt.Now()
	return b, nil
}

// Run copies until ctx ends. Failures are told, and tried again.
func (b *Backup) Run(ctx context.Context) {
	var upkeep sync.WaitGroup
	upkeep.Go(func() { b.keepUp(ctx) })
	defer upkeep.Wait()
	wait := b.opt.Every
	for pause(ctx, wait) {
		err := b.Ship(ctx)
		switch {
		case err == nil:
			wait = b.opt.Every
		case ctx.Err() == nil:
			b.failed("copy to the backup", err)
			wait = min(max(2*wait, retryMin), retryMax)
		}
	}
	// What was committed last is copied before the program ends, if the target takes it at once.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
	defer cancel()
	if err := b.Ship(last); err != nil {
		b.failed("copy the last commits to the backup", err)
	}
}

// lastWait is how long the end of the program waits for the target.
const lastWait = 3 * time.Second

// keepUp makes bases, merges and expires.
func (b *Backup) keepUp(ctx context.Context) {
	wait := b.opt.Every
	for {
		forced := false
		select {
		case <-ctx.Done():
			return
		case <-b.wanted:
			forced = true
		case <-time.After(wait):
		}
		wait = b.opt.Every
		err := b.keepOnce(ctx, forced)
		if err == nil || ctx.Err() != nil {
			continue
		}
		b.failed("keep the backup up", err)
		if forced && pause(ctx, baseRetry) {
			b.want()
		} else {
			wait = baseRetry
		}
	}
}

func (b *Backup) keepOnce(ctx context.Context, forced bool) error {
	if forced || b.baseDue() {
		if _, err := b.Base(ctx); err != nil {
			return err
		}
	}
	return b.Upkeep(ctx)
}

// Upkeep merges parts and drops what is too old. Run does so by itself.
func (b *Backup) Upkeep(ctx context.Context) error {
	if err := b.mergeParts(ctx); err != nil {
		return err
	}
	return b.expire(ctx)
}

func (b *Backup) want() {
	select {
	case b.wanted <- struct{}{}:
	default: // it is wanted already
	}
}

// baseDue reports whether the last base is too old.
func (b *Backup) baseDue() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.joined {
		return false
	}
	t := b.log.timeline(b.head.Timeline)
	if t == nil || len(t.Bases) == 0 {
		return true
	}
	return b.opt.Now().Sub(t.Bases[len(t.Bases)-1].Taken) >= b.opt.BaseEvery
}

// failed counts a failure, and tells the first of a row.
func (b *Backup) failed(what string, err error) {
	b.mu.Lock()
	b.stat.Failures++
	first := b.stat.Problem == ""
	b.stat.Problem = fmt.Sprintf("%s: %v", what, err)
	text := b.stat.Problem
	b.mu.Unlock()
	if first {
		b.opt.Notify(Notice{Text: text + "; it is tried again", Urgent: true})
	}
}

func (b *Backup) worked() {
	b.mu.Lock()
	again := b.stat.Problem != ""
	b.stat.Problem = ""
	b.mu.Unlock()
	if again {
		b.opt.Notify(Notice{Text: "the backup goes on"})
	}
}

// Status returns how it is going.
func (b *Backup) Status() Status {
	waiting, since, lost := b.opt.Queue.state()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stat
	s.Waiting, s.Lost = waiting+b.holding, lost
	if b.holding > 0 || lost {
		since = b.copied
	}
	if !since.IsZero() {
		s.Behind = b.opt.Now().Sub(since).Seconds()
	}
	s.Timeline = b.head.Timeline
	for _, ref := range b.head.refs(b.log) {
		s.Objects++
		s.Bytes += ref.Bytes
	}
	if t := b.log.timeline(b.head.Timeline); t != nil && len(t.Bases) > 0 {
		s.Oldest, s.Base = t.Bases[0].At.Std(), t.Bases[len(t.Bases)-1].Taken
	}
	for _, t := range b.log.Timelines { // those of before a restore are kept as long
		if len(t.Bases) > 0 && (s.Since.IsZero() || t.Bases[0].Taken.Before(s.Since)) {
			s.Since = t.Bases[0].Taken
		}
	}
	return s
}

// pause waits; it returns false where ctx has ended.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// newName returns a name that nothing else has.
func newName() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:])
}

// damaged is an error of the backup's bytes.
func damaged(format string, args ...any) error {
	return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf("backup: "+format, args...)}
}

var errForeign = errors.New("the target holds the backup of another store, or one under another backup key")
