package backup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millimetric/engine/backup"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
)

// shaky is a target that can be down, or that fails at random.
type shaky struct {
	backup.Target
	down  atomic.Bool
	every atomic.Int64 // one in so many puts fails; 0 for none
	puts  atomic.Int64
}

var errDown = errors.New("the target is down")

// Put is part of backup.Target.
func (s *shaky) Put(ctx context.Context, name string, r io.Reader, size int64) error {
	if n := s.every.Load(); s.down.Load() || n > 0 && s.puts.Add(1)%n == 0 {
		return errDown
	}
	err := s.Target.Put(ctx, name, r, size)
	if n := s.every.Load(); err == nil && n > 0 && s.puts.Add(1)%n == 0 {
		return errDown // it is there, and nobody was told
	}
	return err
}

func TestATargetThatIsDownDelaysNothingAndIsCaughtUpWith(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	target := &shaky{Target: folderTarget(t)}
	r := newRig(t, target)
	r.ended()
	r.rows = 1 << 20 // nothing is trimmed
	r.open()
	r.send(rng, 1, 5)
	r.base()
	target.down.Store(true)
	for i := range 300 { // the queue holds some 1 MiB
		r.sendLarge(rng, 1, 10)
		if i%100 == 50 {
			if err := r.b.Ship(context.Background()); !errors.Is(err, errDown) {
				t.Fatalf("a copy to a target that is down: %v", err)
			}
		}
	}
	status := r.b.Status()
	if status.Waiting > 4<<20 || status.Behind <= 0 {
		t.Errorf("status: %+v", status)
	}
	target.down.Store(false)
	r.ship()
	if status = r.b.Status(); status.Gaps != 0 || status.Group != uint64(len(r.positions)) || status.Behind != 0 {
		t.Errorf("status after it is back: %+v", status)
	}
	for _, at := range []int{0, 1, 150, len(r.positions) - 1} {
		r.mustRestore(backup.Point{Group: uint64(at + 1)}, r.positions[at], 1)
	}
}

// sendLarge sends events that compress badly.
func (r *rig) sendLarge(rng *rand.Rand, project event.Project, n int) {
	r.t.Helper()
	r.now.Add(10)
	events := make([]event.Event, n)
	for i := range events {
		noise := make([]byte, 500)
		for j := range noise {
			noise[j] = "0123456789abcdef"[rng.IntN(16)]
		}
		events[i] = event.Event{Name: "large", Time: event.TimeOf(r.clock()), SessionID: "s", AnonymousID: "v", Properties: `{"noise":"` + string(noise) + `"}`}
	}
	r.append(project, events)
}

func (r *rig) mustRestore(to backup.Point, p position, projects int) {
	r.t.Helper()
	e, _, err := r.restore(r.archive(), to)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := errors.Join(r.compare(e, p, projects), e.Close()); err != nil {
		r.t.Error(err)
	}
}

func TestWhatWasTrimmedBeforeItWasCopiedIsAGapThatIsSaid(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	target := &shaky{Target: folderTarget(t)}
	r := newRig(t, target)
	r.send(rng, 1, 5)
	r.base()
	target.down.Store(true)
	for range 300 {
		r.sendLarge(rng, 1, 10)
	}
	r.must(r.engine.Compact(context.Background()))
	target.down.Store(false)
	r.send(rng, 1, 3)
	r.base()
	r.send(rng, 1, 3)
	r.ship()
	if gaps := r.b.Status().Gaps; gaps != 1 {
		t.Errorf("%d gaps", gaps)
	}
	last := len(r.positions)
	r.mustRestore(backup.Point{Group: 1}, r.positions[0], 1)
	r.mustRestore(backup.Point{Group: uint64(last)}, r.positions[last-1], 1)
	r.mustRestore(backup.Point{}, r.positions[last-1], 1)
	for _, to := range []uint64{2, 150, 300} {
		if _, _, err := r.restore(r.archive(), backup.Point{Group: to}); !errors.Is(err, event.ErrDamaged) {
			t.Errorf("group %d, which was never copied: %v", to, err)
		}
	}
	if report, err := r.archive().Verify(context.Background(), ""); err != nil || !report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}

// Whatever fails at the target, and whether or not it was told, the next try makes it good.
func TestATargetThatFailsAtRandomEndsUpWhole(t *testing.T) {
	seed := enginetest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 5))
	target := &shaky{Target: folderTarget(t)}
	r := newRig(t, target)
	target.every.Store(5)
	for i := range 60 {
		r.send(rng, event.Project(1+rng.IntN(2)), 1+rng.IntN(20))
		_ = r.b.Ship(context.Background())
		if i%10 == 5 {
			_, _ = r.b.Base(context.Background())
			r.must(r.engine.Compact(context.Background()))
		}
		if i%20 == 15 {
			r.ended()
			r.open()
		}
	}
	target.every.Store(0)
	r.base()
	if report, err := r.archive().Verify(context.Background(), ""); err != nil || !report.OK() {
		t.Fatalf("seed=%d: %+v, %v", seed, report, err)
	}
	r.mustRestore(backup.Point{}, r.positions[len(r.positions)-1], 2)
}

func TestBasesAndLogExpireTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	target := folderTarget(t)
	r := newRig(t, target)
	for range 45 {
		r.send(rng, 1, 20)
		r.base()
		r.must(r.engine.Compact(context.Background()))
		r.now.Add(24 * 3600 * 1000)
		r.must(r.b.Upkeep(context.Background()))
	}
	r.ship()
	a := r.archive()
	list := a.List()
	oldest := list[len(list)-1]
	if age := r.clock().Sub(oldest.Taken); age > 36*24*time.Hour || age < 33*24*time.Hour {
		t.Errorf("the oldest base is %v old", age)
	}
	if report, err := a.Verify(context.Background(), ""); err != nil || !report.OK() || report.Unnamed > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	r.mustRestore(backup.Point{Group: oldest.Group}, r.positions[oldest.Group-1], 1)
	if _, _, err := r.restore(a, backup.Point{Group: oldest.Group - 1}); !errors.Is(err, event.ErrInput) {
		t.Errorf("a position that has expired: %v", err)
	}
}

func TestManySmallPartsAreMerged(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	target := folderTarget(t)
	r := newRig(t, target)
	r.base()
	for i := range 150 {
		r.send(rng, 1, 2)
		r.ship()
		if i%40 == 0 {
			r.must(r.b.Upkeep(context.Background()))
		}
		if i == 45 || i == 76 || i == 108 { // of the parts between two, there are 31 and 32
			r.base()
		}
	}
	r.must(r.b.Upkeep(context.Background()))
	before := r.archive() // of somebody who reads while parts are merged
	for range 40 {
		r.send(rng, 1, 2)
		r.ship()
	}
	r.must(r.b.Upkeep(context.Background()))
	if report, err := before.Verify(context.Background(), ""); err != nil || !report.OK() {
		t.Errorf("the catalog of before names what isn't there any more: %+v, %v", report, err)
	}
	r.now.Add(2 * 3600 * 1000)
	r.must(r.b.Upkeep(context.Background()))
	restoresReadNothingBefore(t, r.archive())
	logs := 0
	for _, name := range files(t, target) {
		if strings.Contains(name, "/log/") {
			logs++
		}
	}
	if logs > 40 {
		t.Errorf("%d objects of the log are left of 190 parts", logs)
	}
	for _, at := range []int{3, 77, 149} {
		r.mustRestore(backup.Point{Group: uint64(at + 1)}, r.positions[at], 1)
	}
}

// restoresReadNothingBefore checks that no part of the log reaches over the place where a base begins.
func restoresReadNothingBefore(t *testing.T, a *backup.Archive) {
	t.Helper()
	for _, timeline := range a.Catalog.Timelines {
		if len(timeline.Bases) != 4 {
			t.Fatalf("there are %d bases", len(timeline.Bases))
		}
		for i, part := range timeline.Log {
			for _, base := range timeline.Bases {
				if part.First < base.Next && part.Last >= base.Next {
					t.Errorf("parts %d to %d are one, and a base begins with %d", part.First, part.Last, base.Next)
				}
			}
			if i > 0 && part.First <= timeline.Log[i-1].Last {
				t.Errorf("part %d stands behind part %d", part.First, timeline.Log[i-1].Last)
			}
		}
	}
}

// A project that was destroyed is in no store that is restored, from however early; the others are whole, though
// groups of the log hold events of both.
func TestAProjectThatWasDestroyedDoesNotComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	r := newRig(t, folderTarget(t))
	r.send(rng, 1, 5)
	r.base()
	for range 10 {
		r.send(rng, 1, 10)
		r.send(rng, 2, 10)
		r.ship()
	}
	middle := r.positions[len(r.positions)-1]
	r.base()
	r.must(r.engine.Destroy(context.Background(), 2))
	r.send(rng, 1, 10)
	r.ship()
	for _, p := range []position{middle, r.positions[len(r.positions)-1], r.positions[9]} {
		e, _, err := r.restore(r.archive(), backup.Point{Group: p.group})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.compare(e, p, 1); err != nil {
			t.Error(err)
		}
		if got, err := enginetest.Stored(e, 2); err != nil || len(got) != 0 {
			t.Errorf("group %d: %d events of a destroyed project came back (%v)", p.group, len(got), err)
		}
		report, err := e.Verify()
		if err != nil || len(report.Problems) > 0 {
			t.Errorf("group %d: %v, %v", p.group, report.Problems, err)
		}
		r.must(e.Close())
	}
}

// A store that was restored begins a timeline; the old one can still be restored.
func TestARestoredStoreBeginsATimeline(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	target := folderTarget(t)
	r := newRig(t, target)
	for range 10 {
		r.send(rng, 1, 5)
		r.ship()
	}
	r.base()
	first := r.archive().Head.Timeline
	e, _, err := r.restore(r.archive(), backup.Point{Group: 10})
	r.must(err)
	r.must(e.Close())
	// The same folder, without what it remembers, is what a restored one is to the backup.
	r.ended()
	r.must(os.Remove(filepath.Join(r.dir, "backup.json")))
	r.open()
	r.send(rng, 1, 5)
	r.base()
	a := r.archive()
	if a.Head.Timeline == first || len(a.Catalog.Timelines) != 2 {
		t.Errorf("timelines: %v, the newest is %s", len(a.Catalog.Timelines), a.Head.Timeline)
	}
	r.mustRestore(backup.Point{}, r.positions[10], 1)
	r.mustRestore(backup.Point{Group: 10, Timeline: first}, r.positions[9], 1)
	if report, err := a.Verify(context.Background(), ""); err != nil || !report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
}

// Records are the newest, however early the point.
func TestRecordsAreRestoredAsTheyAreNow(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	r := newRig(t, folderTarget(t))
	put := func(id, value string) {
		record := rec(id, value)
		r.must(r.engine.PutRecords(context.Background(), record))
	}
	put("a", "old")
	put("gone", "x")
	r.send(rng, 1, 1)
	r.base()
	put("a", "new")
	put("b", "b")
	put("gone", "")
	r.send(rng, 1, 1)
	r.ship()
	e, _, err := r.restore(r.archive(), backup.Point{Group: 1})
	r.must(err)
	records, err := e.Records("kind")
	r.must(err)
	got := ""
	for _, record := range records {
		got += fmt.Sprintf("%s=%s ", record.ID, record.Value)
	}
	if got != "a=new b=b " {
		t.Errorf("records: %s", got)
	}
	r.must(e.Close())
}
