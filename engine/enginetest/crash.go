package enginetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// Crash cuts the power while goroutines append, and checks what is left: that each event that was
// acknowledged before the cut is there once, that each that a reader saw is there unchanged, that
// what is left of each sender's requests is a prefix of what it sent, with no request in part, and
// that sending again what wasn't acknowledged makes the store whole.
type Crash struct {
	Seed   uint64
	Points int // how many cuts to make, at least

	// LyingDisk makes syncs of the log do nothing. Such a run must report losses, or the test is
	// blind.
	LyingDisk bool
}

// Result is what was found.
type Result struct {
	Points   int
	Acked    int // events acknowledged before their cut
	Lost     int // of these, not there after it; or there twice
	Unacked  int // events that survived without having been acknowledged
	Torn     int // requests of which a part survived
	Seen     int // events that readers had seen before the cut
	Unseen   int // of these, not there after it, or changed
	Problems []string
	Upkeep   *Upkeep // of the stores before their cuts; may be nil
}

// problemsKept bounds Result.Problems: one is enough to begin with.
const problemsKept = 20

func (r *Result) problem(format string, args ...any) {
	if len(r.Problems) < problemsKept {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// Run makes rounds until there were enough points.
func (c Crash) Run() Result {
	result := Result{Upkeep: &Upkeep{}}
	for seed := c.Seed; result.Points < c.Points; seed++ {
		c.round(seed, &result)
	}
	return result
}

const (
	dir          = "store"
	projects     = 3
	cutsPerRound = 25
)

// plan is what one sender sends, in order.
type plan []planned

type planned struct {
	project event.Project
	events  []event.Event // as sent
	kept    []event.Event // those of them that the store must keep: no repeats
}

// newPlan makes requests of one sender. Each event has an ID and a session of its own, so that the
// events that are found can be told apart; a repeat has the ID of an earlier event of this sender
// in the same project, and a session of its own.
func newPlan(random *rand.Rand, sender, requests int) plan {
	gen := eventtest.New(random.Uint64(), 20, 1000)
	sent := map[event.Project][]string{}
	all := make(plan, requests)
	for r := range all {
		p := &all[r]
		p.project = event.Project(1 + random.IntN(projects))
		size := 1
		if random.IntN(3) == 0 {
			size += random.IntN(40)
		}
		for i := range size {
			e := gen.Event()
			e.SessionID = fmt.Sprintf("%d-%d-%d", sender, r, i)
			before := sent[p.project]
			if len(before) > 0 && random.IntN(6) == 0 {
				e.ID = before[random.IntN(len(before))]
			} else {
				e.ID = "id-" + e.SessionID
				sent[p.project] = append(before, e.ID)
				p.kept = append(p.kept, e)
			}
			p.events = append(p.events, e)
		}
	}
	return all
}

// cut is one moment at which the power went.
type cut struct {
	disk  *vfs.MemFS
	acked []int // requests acknowledged, by sender
	seen  []*engine.Snapshot
	// events are those that seen shows, by project. They are listed before their engine is closed.
	events [][]event.Event
}

// round runs one store under several cuts, then checks each of them.
func (c Crash) round(seed uint64, result *Result) {
	random := rand.New(rand.NewPCG(seed, 0x637261736821))
	plans := make([]plan, 1+random.IntN(5))
	for s := range plans {
		plans[s] = newPlan(random, s, 5+random.IntN(60))
	}
	acked := make([]atomic.Int64, len(plans))
	var store atomic.Pointer[engine.Engine]
	var cuts []*cut
	disk := newCutter(random, cutsPerRound, func() {
		// What is noted here was acknowledged and seen before the copy is taken.
		moment := &cut{acked: make([]int, len(plans))}
		for s := range acked {
			moment.acked[s] = int(acked[s].Load())
		}
		if e := store.Load(); e != nil {
			for p := range projects {
				moment.seen = append(moment.seen, e.Snapshot(event.Project(1+p)))
			}
		}
		cuts = append(cuts, moment)
	})
	fs := disk.fs()
	if c.LyingDisk {
		fs = liar{fs}
	}
	name := fmt.Sprintf("seed=%d", seed)
	for session := 1 + random.IntN(3); session > 0; session-- {
		opt := options(fs, random)
		opt.Notify = result.Upkeep.notice
		e, err := engine.Open(dir, opt)
		if err != nil {
			result.problem("%s: open: %v", name, err)
			return
		}
		store.Store(e)
		setWindows(e, random, result, name)
		if err := send(e, plans, acked, session, random.IntN(2) == 0); err != nil {
			result.problem("%s: %v", name, err)
		}
		disk.hold(func() {
			store.Store(nil)
			for _, moment := range cuts {
				for _, snapshot := range moment.seen {
					moment.events = append(moment.events, Events(snapshot))
					snapshot.Release()
				}
				moment.seen = nil
			}
		})
		if err := e.Close(); err != nil {
			result.problem("%s: close: %v", name, err)
		}
	}
	for i, moment := range cuts {
		moment.disk = disk.copies[i]
		after := aftermath{Result: result, dir: dir, plans: plans, cut: moment, name: fmt.Sprintf("%s cut=%d", name, i)}
		after.check(options(moment.disk, random), random.IntN(4) == 0)
	}
}

func options(fs vfs.FS, random *rand.Rand) engine.Options {
	var ticks atomic.Int64
	return engine.Options{
		FS:            fs,
		CipherKey:     CipherKey,
		Now:           func() time.Time { return time.UnixMilli(int64(eventtest.Start) + ticks.Add(1)) },
		MemTableBytes: 64 << 10 << random.IntN(5), // the small ones flush and rotate logs all the time
		CommitWait:    time.Hour,
		SealRows:      1 + random.IntN(60), // so that a cut may come at any step of a seal or a merge
		SegmentRows:   64 << random.IntN(6),
		Fatal:         func(reason string) { panic(reason) },
	}
}

// setWindows makes the retention windows of some projects short or endless. None ends before the first event,
// but where they become short, what is sealed is written anew, by days.
func setWindows(e *engine.Engine, random *rand.Rand, result *Result, name string) {
	for p := range event.Project(projects) {
		if random.IntN(2) == 0 {
			continue
		}
		if err := e.SetRetention(context.Background(), 1+p, 90*random.IntN(2)); err != nil {
			result.problem("%s: set retention: %v", name, err)
		}
	}
}

// send runs one goroutine per plan and waits for them. They send what isn't acknowledged yet, one in
// so many parts of it. Meanwhile all may be compacted, again and again.
func send(e *engine.Engine, plans []plan, acked []atomic.Int64, parts int, compacting bool) error {
	failed := make(chan error, len(plans)+1)
	var senders, keeper sync.WaitGroup
	sent := make(chan struct{})
	if compacting {
		keeper.Go(func() { keepCompacting(e, sent, failed) })
	}
	for s := range plans {
		senders.Go(func() {
			left := plans[s][acked[s].Load():]
			for _, p := range left[:len(left)/parts] {
				if err := e.Append(context.Background(), p.project, append([]event.Event{}, p.events...)); err != nil {
					failed <- fmt.Errorf("append: %w", err)
					return
				}
				acked[s].Add(1)
			}
		})
	}
	senders.Wait()
	close(sent)
	keeper.Wait()
	close(failed)
	return <-failed
}

// keepCompacting seals and merges all, again and again until sent is closed: a cut may then come at any
// step of that, too.
func keepCompacting(e *engine.Engine, sent <-chan struct{}, failed chan<- error) {
	for {
		select {
		case <-sent:
			return
		case <-time.After(2 * time.Millisecond):
		}
		if err := e.Compact(context.Background()); err != nil {
			failed <- fmt.Errorf("compact: %w", err)
			return
		}
	}
}
