package backup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/engine/backup"
	"millimetric/engine/enginetest"
	"millimetric/engine/keyring"
	"millimetric/engine/ledger"
	"millimetric/index/event"
)

// rig is a store with a keyring, and a backup of it.
type rig struct {
	t      testing.TB
	dir    string
	root   [32]byte
	ring   *keyring.Keyring
	queue  *backup.Queue
	engine *engine.Engine
	target backup.Target
	key    backup.Key
	b      *backup.Backup
	now    atomic.Int64 // ms, of the store's clock
	ended  func()
	rows   int // that are sealed together

	model     map[event.Project][]event.Event
	positions []position
}

// position is what projects held when a group was the last.
type position struct {
	group uint64
	at    time.Time
	ends  map[event.Project]int
}

// rigStart is near the time of the files that tests write.
var rigStart = time.Now().UnixMilli()

func newRig(t testing.TB, target backup.Target) *rig {
	r := &rig{t: t, dir: t.TempDir(), root: [32]byte{9}, target: target, key: backup.NewKey(), rows: 64, model: map[event.Project][]event.Event{}}
	r.now.Store(rigStart)
	r.open()
	return r
}

func (r *rig) clock() time.Time { return time.UnixMilli(r.now.Load()) }

// open opens the store in the rig's folder.
func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.ring, err = keyring.Open(vfs.Default, r.dir, r.root, keyring.Options{Now: r.clock}); err != nil {
		r.t.Fatal(err)
	}
	r.queue = backup.NewQueue(1<<20, r.clock)
	opt := r.options(r.ring)
	opt.Committed = r.queue.Committed
	if r.engine, err = engine.Open(filepath.Join(r.dir, "store"), opt); err != nil {
		r.t.Fatal(err)
	}
	wrapped, err := backup.Wrap(r.root, r.key)
	if err == nil {
		r.b, err = backup.New(backup.Options{Target: r.target, Engine: r.engine, Queue: r.queue, Key: r.key, Wrapped: wrapped,
			Kept: r.kept, Now: r.clock, Dir: r.dir, KeepFor: 35 * 24 * time.Hour})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	engineNow := r.engine
	r.ended = func() {
		if err := engineNow.Close(); err != nil {
			r.t.Error(err)
		}
		r.ended = func() {}
	}
	r.t.Cleanup(func() { r.ended() })
}

func (r *rig) kept() (map[string][]byte, error) {
	text, err := os.ReadFile(filepath.Join(r.dir, "keyring"))
	kept := map[string][]byte{"keyring": text}
	if erased, err := os.ReadFile(filepath.Join(r.dir, "store", ledger.FileName)); err == nil {
		kept["ledger"] = erased
	}
	return kept, err
}

func (r *rig) options(ring *keyring.Keyring) engine.Options {
	return engine.Options{
		Now: r.clock, CipherKey: ring.CipherKey, CipherBuckets: ring.CipherBuckets, DropCipherKey: ring.DropCipherKey,
		FreeBytesMin: -1, FreePercentMin: -1, MemTableBytes: 4 << 20, SealRows: r.rows, SegmentRows: 512,
		Elapsed: func() time.Duration { return time.Duration(r.now.Load()-rigStart) * time.Millisecond },
		Fatal:   func(reason string) { panic(reason) },
	}
}

// send appends n events to a project, and notes the position.
func (r *rig) send(rng *rand.Rand, project event.Project, n int) {
	r.t.Helper()
	r.now.Add(1 + rng.Int64N(5000))
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{Name: fmt.Sprintf("e%d", rng.IntN(5)), Time: event.TimeOf(r.clock()), SessionID: "s", Path: "/", Properties: "{}",
			AnonymousID: fmt.Sprintf("visitor-%d", rng.IntN(20)), ID: fmt.Sprintf("id-%d-%d", len(r.model[project])+i, rng.Uint32())}
	}
	r.append(project, events)
}

// append appends events, and notes the position.
func (r *rig) append(project event.Project, events []event.Event) {
	r.t.Helper()
	if err := r.engine.Append(context.Background(), project, slices.Clone(events)); err != nil {
		r.t.Fatal(err)
	}
	for i := range events {
		events[i].Seq = event.Seq(len(r.model[project]) + 1)
		r.model[project] = append(r.model[project], events[i])
	}
	p := position{group: uint64(len(r.positions) + 1), at: r.clock(), ends: map[event.Project]int{}}
	for project, events := range r.model {
		p.ends[project] = len(events)
	}
	r.positions = append(r.positions, p)
}

func rec(id, value string) engine.Record {
	if value == "" {
		return engine.Record{Kind: "kind", ID: id}
	}
	return engine.Record{Kind: "kind", ID: id, Value: []byte(value)}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) ship() { r.t.Helper(); r.must(r.b.Ship(context.Background())) }

func (r *rig) base() backup.BaseRef {
	r.t.Helper()
	base, err := r.b.Base(context.Background())
	r.must(err)
	return base
}

func (r *rig) archive() *backup.Archive {
	r.t.Helper()
	a, err := backup.Open(context.Background(), r.target, r.key)
	r.must(err)
	return a
}

// restore makes a store of the backup in a folder of its own, with the root key and the target alone.
func (r *rig) restore(a *backup.Archive, to backup.Point) (*engine.Engine, backup.Restored, error) {
	r.t.Helper()
	dir := r.t.TempDir()
	kept, err := a.Kept(context.Background())
	r.must(err)
	r.must(os.WriteFile(filepath.Join(dir, "keyring"), kept["keyring"], 0o600))
	ring, err := keyring.Open(vfs.Default, dir, r.root, keyring.Options{Now: r.clock})
	r.must(err)
	opt := r.options(ring)
	done, err := a.Restore(context.Background(), to, filepath.Join(dir, "store"), opt)
	if err != nil {
		return nil, done, err
	}
	if erased := kept["ledger"]; erased != nil {
		r.must(os.WriteFile(filepath.Join(dir, "store", ledger.FileName), erased, 0o600))
	}
	e, err := engine.Open(filepath.Join(dir, "store"), opt)
	r.must(err)
	return e, done, nil
}

// compare holds a store against the model as it was at a position.
func (r *rig) compare(e *engine.Engine, p position, projects int) error {
	for project := event.Project(1); project <= event.Project(projects); project++ {
		got, err := enginetest.Stored(e, project)
		if err != nil {
			return err
		}
		want := r.model[project][:p.ends[project]]
		if len(got) != len(want) {
			return fmt.Errorf("project %d at group %d: %d events, want %d", project, p.group, len(got), len(want))
		}
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				return fmt.Errorf("project %d at group %d: event %d is %+v, want %+v", project, p.group, i, got[i], want[i])
			}
		}
	}
	return nil
}

func folderTarget(t testing.TB) *backup.Folder {
	target, err := backup.NewFolder(filepath.Join(t.TempDir(), "target"))
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// fill sends events between which everything happens that may: copies, bases, seals, merges, restarts.
func (r *rig) fill(rng *rand.Rand, groups, projects int) {
	r.t.Helper()
	for range groups {
		r.send(rng, event.Project(1+rng.IntN(projects)), 1+rng.IntN(30))
		switch rng.IntN(12) {
		case 0, 1, 2, 3:
			r.ship()
		case 4:
			r.ship()
			r.must(r.engine.Compact(context.Background()))
		case 5:
			r.base()
		case 6:
			if rng.IntN(4) == 0 {
				r.ship()
				r.ended()
				r.open()
			}
		}
	}
	if len(r.archiveBases()) == 0 {
		r.base()
	}
	r.ship()
}

func (r *rig) archiveBases() []backup.Listed {
	if a, err := backup.Open(context.Background(), r.target, r.key); err == nil {
		return a.List()
	}
	return nil
}

// Each restore is to a random position, by its number or by its time, and is compared event by event.
func TestProofARestoreToAnyPositionIsTheStoreAsItWas(t *testing.T) {
	const projects = 3
	restores := enginetest.Figure(t, 3, 12, 120)
	seed := enginetest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	r := newRig(t, folderTarget(t))
	r.send(rng, 1, 5)
	r.base()
	r.fill(rng, enginetest.Figure(t, 60, 150, 600), projects)
	a := r.archive()
	oldest := a.List()[len(a.List())-1].Group
	mismatches := 0
	for range restores {
		p := r.positions[oldest-1+uint64(rng.IntN(len(r.positions)-int(oldest)+1))]
		to := backup.Point{Group: p.group}
		if rng.IntN(2) == 0 {
			to = backup.Point{Time: p.at}
		}
		e, done, err := r.restore(a, to)
		if err != nil {
			t.Fatalf("seed=%d: %v", seed, err)
		}
		if done.Group != p.group {
			t.Errorf("seed=%d: restored to group %d, want %d", seed, done.Group, p.group)
		}
		if err := r.compare(e, p, projects); err != nil {
			mismatches++
			t.Errorf("seed=%d: %v", seed, err)
		}
		r.must(e.Close())
	}
	enginetest.Say(t, "R15", "restores=%d state_mismatch=%d groups=%d bases=%d", restores, mismatches, len(r.positions), len(a.List()))
}

func TestABackupOfAnEmptyFolderIsMissing(t *testing.T) {
	_, err := backup.Open(context.Background(), folderTarget(t), backup.NewKey())
	if !errors.Is(err, event.ErrMissing) {
		t.Errorf("got %v", err)
	}
}
