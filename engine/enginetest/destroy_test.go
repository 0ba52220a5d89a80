package enginetest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"millimetric/engine"
	"millimetric/engine/keyring"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// ringed is a store beside a real keyring, on a disk that can be cut off.
type ringed struct {
	t    *testing.T
	disk vfs.FS
	ring *keyring.Keyring
	e    *engine.Engine
}

func openRinged(t *testing.T, disk vfs.FS) *ringed {
	t.Helper()
	ring, err := keyring.Open(disk, "data", [32]byte{1}, keyring.Options{Now: startClock})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open("data/store", engine.Options{
		FS: disk, Now: startClock, CipherKey: ring.CipherKey, CipherBuckets: ring.CipherBuckets, DropCipherKey: ring.DropCipherKey,
		SealRows: 64, FreeBytesMin: -1, FreePercentMin: -1, Fatal: func(reason string) { panic(reason) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return &ringed{t: t, disk: disk, ring: ring, e: e}
}

func startClock() time.Time { return eventtest.Start.Std() }

func (r *ringed) append(project event.Project, events ...event.Event) {
	r.t.Helper()
	if err := r.e.Append(r.t.Context(), project, events); err != nil {
		r.t.Fatal(err)
	}
}

func (r *ringed) close() {
	r.t.Helper()
	if err := r.e.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *ringed) count(project event.Project) int {
	r.t.Helper()
	s := r.e.Snapshot(project)
	defer s.Release()
	events, err := s.Events()
	if err != nil {
		r.t.Fatal(err)
	}
	return len(events)
}

func (r *ringed) check() {
	r.t.Helper()
	report, err := r.e.Verify()
	if err != nil || len(report.Problems) > 0 {
		r.t.Errorf("%v %v", err, report.Problems)
	}
}

func TestADestroyedProjectIsGoneAndTheOthersStay(t *testing.T) {
	r := openRinged(t, vfs.NewCrashableMem())
	gen := eventtest.New(5, 40, 60_000)
	for range 20 {
		for project := range event.Project(3) {
			r.append(project+1, gen.Events(17)...)
		}
	}
	if err := r.e.SetRetention(t.Context(), 2, 3000); err != nil {
		t.Fatal(err)
	}
	if err := r.e.Destroy(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := r.e.Append(t.Context(), 2, gen.Events(1)); !errors.Is(err, event.ErrMissing) {
		t.Errorf("an event of it: %v", err)
	}
	again := func() {
		t.Helper()
		if one, two, three := r.count(1), r.count(2), r.count(3); one == 0 || two != 0 || three == 0 {
			t.Errorf("%d, %d and %d events", one, two, three)
		}
		if buckets := r.ring.CipherBuckets(2); len(buckets) != 1 || buckets[0] != engine.BucketSets {
			t.Errorf("keys of buckets %v are left", buckets)
		}
		if f := r.e.Footprint(2); f.Events != 0 || f.Segments.Count != 0 || f.Parts["event ids"]+f.Parts["visitors"] != 0 {
			t.Errorf("it takes %+v", f)
		}
		r.check()
	}
	again()
	r.append(3, gen.Events(30)...)
	r.close()
	r = openRinged(t, r.disk)
	again()
	if err := r.e.Destroy(t.Context(), 2); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := r.e.Destroy(t.Context(), 9); err != nil {
		t.Errorf("one that never had events: %v", err)
	}
	again()
	r.close()
}

// Others go on sending meanwhile, and so does somebody to the project itself.
func TestAProjectIsDestroyedWhileEventsCome(t *testing.T) {
	r := openRinged(t, vfs.NewCrashableMem())
	var senders sync.WaitGroup
	stop := make(chan struct{})
	sent := make([]int, 4)
	for project := range event.Project(3) {
		senders.Go(func() {
			gen := eventtest.New(uint64(project), 10, 60_000)
			for {
				select {
				case <-stop:
					return
				default:
				}
				events := gen.Events(3)
				for i := range events {
					events[i].ID = ""
				}
				err := r.e.Append(t.Context(), project+1, events)
				if err == nil {
					sent[project+1] += 3
				} else if project+1 != 2 || !errors.Is(err, event.ErrMissing) {
					t.Errorf("project %d: %v", project+1, err)
					return
				}
			}
		})
	}
	for sent := false; !sent; {
		sent = r.count(2) > 100
	}
	if err := r.e.Destroy(t.Context(), 2); err != nil {
		t.Error(err)
	}
	close(stop)
	senders.Wait()
	if r.count(2) != 0 || r.count(1) != sent[1] || r.count(3) != sent[3] {
		t.Errorf("%d, %d and %d events, of %v", r.count(1), r.count(2), r.count(3), sent)
	}
	r.close()
	r = openRinged(t, r.disk)
	if r.count(2) != 0 || r.count(1) != sent[1] || r.count(3) != sent[3] {
		t.Errorf("opened again: %d, %d and %d events, of %v", r.count(1), r.count(2), r.count(3), sent)
	}
	r.check()
	r.close()
}

// The power is cut at every write of a destruction, in the store and in the keyring: a start must find the
// other project whole and the one either whole or gone, and destroying it again must end it.
func TestCrashOfADestructionLeavesAStoreThatOpens(t *testing.T) {
	const seed = 77
	disk := vfs.NewCrashableMem()
	var mu sync.Mutex
	var cuts []*vfs.MemFS
	armed := false
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if armed && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			cuts = append(cuts, disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50 * (len(cuts) % 3), RNG: rand.New(rand.NewPCG(seed, uint64(len(cuts))))}))
		}
		return nil
	}))
	r := openRinged(t, fs)
	gen := eventtest.New(seed, 40, 60_000)
	for range 5 {
		r.append(1, gen.Events(40)...)
		r.append(2, gen.Events(40)...)
	}
	one, two := r.count(1), r.count(2)
	mu.Lock()
	armed = true
	mu.Unlock()
	if err := r.e.Destroy(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	armed = false
	mu.Unlock()
	r.close()
	seen := map[int]int{}
	for i, cut := range cuts {
		r := openRinged(t, cut)
		left := r.count(2)
		if left != 0 && left != two || r.count(1) != one {
			t.Fatalf("seed=%d cut=%d: %d and %d events, of %d and %d", seed, i, r.count(1), left, one, two)
		}
		seen[left]++
		r.check()
		if err := r.e.Destroy(t.Context(), 2); err != nil || r.count(2) != 0 {
			t.Fatalf("seed=%d cut=%d: again: %v", seed, i, err)
		}
		r.check()
		r.close()
	}
	if seen[0] < 3 || seen[two] < 3 || len(cuts) < 30 {
		t.Errorf("seed=%d: of %d cuts, %v", seed, len(cuts), seen)
	}
}
