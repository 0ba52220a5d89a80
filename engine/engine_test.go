package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"millimetric/engine"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

func TestMain(m *testing.M) {
	if role := childRole(); role != "" {
		child(role)
		return
	}
	goleak.VerifyTestMain(m)
}

func clock() time.Time { return eventtest.Start.Std() }

func options(fs vfs.FS) engine.Options {
	return engine.Options{FS: fs, Now: clock, CipherKey: enginetest.CipherKey, Fatal: func(reason string) { panic(reason) }}
}

func open(t *testing.T, fs vfs.FS) *engine.Engine {
	t.Helper()
	e, err := engine.Open("store", options(fs))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func closed(t *testing.T, e *engine.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func appended(t *testing.T, e *engine.Engine, project event.Project, events ...event.Event) {
	t.Helper()
	if err := e.Append(context.Background(), project, events); err != nil {
		t.Fatal(err)
	}
}

// Random appends, repeats among them, must give what the model gives, at once and after each
// reopening; and what was seen before must stay as it was.
func TestEngineAndModelAgree(t *testing.T) {
	seed := rand.Uint64N(1 << 40)
	t.Logf("seed=%d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	gen := eventtest.New(seed, 30, 10_000)
	fs, model := vfs.NewMem(), enginetest.NewModel()
	e := open(t, fs)
	type memory struct {
		got  *engine.Snapshot
		want *enginetest.ModelSnapshot
	}
	var before []memory
	for step := range 150 {
		project := event.Project(1 + r.IntN(3))
		events := gen.Events(1 + r.IntN(1+r.IntN(150)))
		for i := range events {
			if r.IntN(5) == 0 {
				events[i].ID = fmt.Sprint("again-", r.IntN(60))
			}
		}
		model.Append(project, events)
		appended(t, e, project, append([]event.Event{}, events...)...)
		switch r.IntN(20) {
		case 0:
			closed(t, e)
			e = open(t, fs)
		case 1, 2:
			if err := e.Compact(t.Context()); err != nil {
				t.Fatalf("seed=%d step %d: %v", seed, step, err)
			}
		}
		got, want := e.Snapshot(project), model.Snapshot(project)
		if d := enginetest.Diff(got, want); d != "" {
			t.Fatalf("seed=%d step %d: %s", seed, step, d)
		}
		if r.IntN(10) == 0 {
			before = append(before, memory{got, want})
		}
	}
	for _, m := range before {
		if d := enginetest.Diff(m.got, m.want); d != "" {
			t.Fatalf("seed=%d: a snapshot has changed: %s", seed, d)
		}
	}
	closed(t, e)
	report, err := engine.Check("store", options(fs))
	if err != nil || len(report.Problems) > 0 || report.Events == 0 || report.Projects != 3 {
		t.Errorf("check: %+v, %v", report, err)
	}
}

func TestPositionsBeginAtOneInEachProject(t *testing.T) {
	e := open(t, vfs.NewMem())
	defer closed(t, e)
	if s := e.Snapshot(7); s.AsOf() != 0 || len(enginetest.Events(s)) != 0 {
		t.Errorf("an unknown project is as of %d", s.AsOf())
	}
	appended(t, e, 1, event.Event{Name: "a"}, event.Event{Name: "b"})
	appended(t, e, 2, event.Event{Name: "c"})
	for project, want := range map[event.Project]event.Seq{1: 2, 2: 1} {
		if got := e.Snapshot(project).AsOf(); got != want {
			t.Errorf("project %d is as of %d, want %d", project, got, want)
		}
	}
}

func TestPositionsKnowWhenTheyWereCommitted(t *testing.T) {
	fs := vfs.NewMem()
	var ms atomic.Int64
	opt := options(fs)
	opt.Now = func() time.Time { return time.UnixMilli(ms.Load()) }
	e, err := engine.Open("store", opt)
	if err != nil {
		t.Fatal(err)
	}
	one := func() event.Event { return event.Event{Name: "x", AnonymousID: "a", SessionID: "s", Properties: "{}"} }
	// The last but one time goes back: a commit is never earlier than the one before.
	for _, at := range []int64{1000, 1000, 2000, 1500, 3000} {
		ms.Store(at)
		appended(t, e, 1, one(), one())
		appended(t, e, 2, one())
	}
	check := func(s *engine.Snapshot) {
		t.Helper()
		for position, want := range []event.Time{0, 1000, 1000, 1000, 1000, 2000, 2000, 2000, 2000, 3000, 3000, 0} {
			if at, known, err := s.CommittedAt(event.Seq(position)); at != want || known != (want != 0) || err != nil {
				t.Errorf("position %d: %d, %v, %v; want %d", position, at, known, err, want)
			}
		}
	}
	check(e.Snapshot(1))
	closed(t, e)
	again := open(t, fs)
	check(again.Snapshot(1))
	if _, known, _ := again.Snapshot(9).CommittedAt(1); known {
		t.Error("an unknown project has committed something")
	}
	closed(t, again)
}

func TestTheFirstContentOfAnIDStays(t *testing.T) {
	fs := vfs.NewMem()
	e := open(t, fs)
	appended(t, e, 1, event.Event{ID: "x", Name: "first"}, event.Event{ID: "x", Name: "second"}, event.Event{Name: "other"})
	appended(t, e, 1, event.Event{ID: "x", Name: "third"})
	closed(t, e)
	e = open(t, fs)
	defer closed(t, e)
	appended(t, e, 1, event.Event{ID: "x", Name: "fourth"})
	appended(t, e, 2, event.Event{ID: "x", Name: "of another project"})
	if got := enginetest.Events(e.Snapshot(1)); len(got) != 2 || got[0].Name != "first" || got[1].Name != "other" {
		t.Errorf("got %+v", got)
	}
	if got := enginetest.Events(e.Snapshot(2)); len(got) != 1 || got[0].Name != "of another project" {
		t.Errorf("got %+v", got)
	}
}

func TestRecordsAreKeptSortedAndDeleted(t *testing.T) {
	fs, ctx := vfs.NewMem(), context.Background()
	e := open(t, fs)
	if err := e.PutRecords(ctx, engine.Record{Kind: "key", ID: "b", Value: []byte("2")},
		engine.Record{Kind: "key", ID: "a", Value: []byte{}}, engine.Record{Kind: "keys", ID: "c", Value: []byte("3")}); err != nil {
		t.Fatal(err)
	}
	if err := e.PutRecords(ctx, engine.Record{Kind: "key", ID: "b", Value: []byte("4")}, engine.Record{Kind: "keys", ID: "c"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := e.Records("key")
		if err != nil || len(got) != 2 || got[0].ID != "a" || got[0].Value == nil || got[1].ID != "b" || !bytes.Equal(got[1].Value, []byte("4")) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := e.Records("keys"); err != nil || len(got) != 0 {
			t.Errorf("deleted, got %+v, %v", got, err)
		}
		closed(t, e)
		e = open(t, fs)
	}
	closed(t, e)
}

func TestAClosedEngineRefusesAndNeverPanics(t *testing.T) {
	e := open(t, vfs.NewMem())
	appended(t, e, 1, event.Event{Name: "a"})
	closed(t, e)
	var refused *event.Error
	if err := e.Append(context.Background(), 1, make([]event.Event, 1)); !errors.As(err, &refused) || refused.RetryIn == 0 {
		t.Errorf("append: %v", err)
	}
	if err := e.PutRecords(context.Background(), engine.Record{Kind: "k", ID: "i"}); !errors.Is(err, event.ErrLimit) {
		t.Errorf("put: %v", err)
	}
	if _, err := e.Records("k"); !errors.Is(err, event.ErrLimit) {
		t.Errorf("records: %v", err)
	}
	if e.Ready() == nil {
		t.Error("ready")
	}
	if e.Snapshot(1).AsOf() != 1 {
		t.Error("snapshots outlive the engine")
	}
}

func TestCloseCommitsWhatWaits(t *testing.T) {
	fs := vfs.NewMem()
	e := open(t, fs)
	results := make(chan error)
	for range 50 {
		go func() { results <- e.Append(context.Background(), 1, make([]event.Event, 3)) }()
	}
	first := <-results
	closed(t, e)
	kept := 0
	for i := range 50 {
		err := first
		if i > 0 {
			err = <-results
		}
		if err == nil {
			kept += 3
		} else if !errors.Is(err, event.ErrLimit) {
			t.Error(err)
		}
	}
	e = open(t, fs)
	defer closed(t, e)
	if got := int(e.Snapshot(1).AsOf()); got != kept {
		t.Errorf("%d events were acknowledged, %d are there", kept, got)
	}
}

func TestASecondEngineOnTheSameFolderIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	e := open(t, fs)
	defer closed(t, e)
	_, err := engine.Open("store", options(fs))
	wantInUse(t, err)
	_, err = engine.Check("store", options(fs))
	wantInUse(t, err)
}

func wantInUse(t *testing.T, err error) {
	t.Helper()
	var refused *event.Error
	if !errors.As(err, &refused) || refused.Code != engine.CodeInUse || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v", err)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// tamper changes the store from outside, with the key spelled out as the format has it.
func tamper(t *testing.T, fs vfs.FS, change func(db *pebble.DB) error) {
	t.Helper()
	db, err := pebble.Open("store", &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatValueSeparation, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(change(db), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsNamedAndNothingStartsWithoutItsData(t *testing.T) {
	group := func(n byte) []byte { return []byte{'L', 0, 0, 0, 0, 0, 0, 0, n} }
	for name, change := range map[string]func(db *pebble.DB) error{
		"a group is gone":      func(db *pebble.DB) error { return db.Delete(group(2), pebble.Sync) },
		"the first is gone":    func(db *pebble.DB) error { return db.Delete(group(1), pebble.Sync) },
		"a group is garbage":   func(db *pebble.DB) error { return db.Set(group(2), []byte("garbage"), pebble.Sync) },
		"a key is odd":         func(db *pebble.DB) error { return db.Set([]byte("L?"), nil, pebble.Sync) },
		"the format is gone":   func(db *pebble.DB) error { return db.Delete([]byte("Mformat"), pebble.Sync) },
		"two groups are equal": func(db *pebble.DB) error { return copyGroup(db, group(1), group(2)) },
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			e := open(t, fs)
			for range 3 {
				appended(t, e, 1, event.Event{ID: "", Name: "a"})
			}
			closed(t, e)
			tamper(t, fs, change)
			if _, err := engine.Open("store", options(fs)); !errors.Is(err, event.ErrDamaged) {
				t.Errorf("open: %v", err)
			}
			report, err := engine.Check("store", options(fs))
			if err != nil || len(report.Problems) == 0 {
				t.Errorf("check: %+v, %v", report, err)
			}
		})
	}
}

func copyGroup(db *pebble.DB, from, to []byte) error {
	value, closer, err := db.Get(from)
	if err != nil {
		return err
	}
	return errors.Join(db.Set(to, value, pebble.Sync), closer.Close())
}

// A bit that flips in the middle of the log must be found, in the log of a new store, too. In the
// last block it may look like a write that was cut short: that is left to the copy of the log.
func TestFlippedBitsInTheLogAreFound(t *testing.T) {
	fs := vfs.NewCrashableMem()
	e := open(t, fs)
	gen := eventtest.New(9, 10, 1000)
	for range 400 {
		appended(t, e, 1, gen.Events(5)...)
	}
	want := int(e.Snapshot(1).AsOf())
	left := fs.CrashClone(vfs.CrashCloneCfg{})
	closed(t, e)
	r := rand.New(rand.NewPCG(9, 9))
	found := 0
	for range 40 {
		fs := left.CrashClone(vfs.CrashCloneCfg{})
		flipped := flip(t, fs, r)
		e, err := engine.Open("store", options(fs))
		if err == nil {
			got := int(e.Snapshot(1).AsOf())
			closed(t, e)
			if got != want {
				t.Errorf("bit %d: %d of %d events, and no error", flipped, got, want)
			}
			continue
		}
		found++
		if !errors.Is(err, event.ErrDamaged) {
			t.Errorf("bit %d: %v is no damage", flipped, err)
		}
	}
	if found < 20 {
		t.Errorf("only %d of 40 flipped bits were found", found)
	}
}

// flip flips a bit in the first half of the longest log.
func flip(t *testing.T, fs *vfs.MemFS, r *rand.Rand) int {
	t.Helper()
	names, err := fs.List("store")
	if err != nil {
		t.Fatal(err)
	}
	longest, size := "", int64(0)
	for _, name := range names {
		if stat, err := fs.Stat("store/" + name); err == nil && strings.HasSuffix(name, ".log") && stat.Size() > size {
			longest, size = "store/"+name, stat.Size()
		}
	}
	f, err := fs.OpenReadWrite(longest, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bit := r.IntN(4 * int(size))
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, int64(bit/8)); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 1 << (bit % 8)
	if _, err := f.WriteAt(one, int64(bit/8)); err != nil {
		t.Fatal(err)
	}
	return bit
}

// Readers take no locks; what they see must be whole batches, without gaps, and never less than
// before.
func TestReadersSeeWholeBatchesWhileWritersAppend(t *testing.T) {
	e := open(t, vfs.NewMem())
	defer closed(t, e)
	const batch, batches = 5, 200
	var writers, readers sync.WaitGroup
	var done atomic.Bool
	for seed := range uint64(4) {
		writers.Go(func() {
			gen := eventtest.New(seed, 5, 1000)
			for range batches {
				events := gen.Events(batch)
				for i := range events {
					events[i].ID = ""
				}
				appended(t, e, 1, events...)
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for last := event.Seq(0); !done.Load(); {
				s := e.Snapshot(1)
				if s.AsOf() < last || s.AsOf()%batch != 0 {
					t.Errorf("as of %d after %d", s.AsOf(), last)
					return
				}
				last = s.AsOf()
				for i, ev := range enginetest.Events(s) {
					if ev.Seq != event.Seq(i+1) || ev.Name == "" {
						t.Errorf("event %d has position %d", i+1, ev.Seq)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if got := e.Snapshot(1).AsOf(); got != 4*batch*batches {
		t.Errorf("%d events", got)
	}
}
