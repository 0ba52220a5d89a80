package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// Ops does random things to a store and to a Model beside it: it appends, repeats, comes late, links,
// seals and merges, erases persons, sets retention windows, lets time pass and the clock jump, closes and opens, cuts
// the power at rest and in the middle of all that, and holds snapshots meanwhile. After each step both
// must show the same. Stores are so small in their measures that each state is reached within dozens of
// steps.
type Ops struct {
	Seed   uint64
	Stores int // stores that are made, one after the other
	Steps  int // of each
	// Forget makes the model forget an event, which must be seen, or nobody looks.
	Forget bool
	// Erase has persons erased, too.
	Erase bool
}

// OpsResult is what was found.
type OpsResult struct {
	Steps    int
	Events   int
	Looks    int            // comparisons of a project with the model
	Reached  map[string]int // how often each thing was done and each state reached
	Problems []string
}

// Run makes the stores. It stops at the first problem, as all that follows would be one.
func (o Ops) Run() OpsResult {
	result := OpsResult{Reached: map[string]int{}}
	for i := range o.Stores {
		seed := o.Seed + uint64(i)
		r, err := newOpsRun(seed, &result)
		if r != nil {
			r.erases = o.Erase
		}
		for step := 0; err == nil && step < o.Steps; step++ {
			result.Steps++
			if o.Forget && step == o.Steps/2 {
				r.model.forget()
			}
			err = r.step()
		}
		if err == nil {
			err = r.end()
		}
		if err != nil {
			text := fmt.Sprintf("seed=%d: %v", seed, err)
			if r != nil {
				text += "; the last steps: " + strings.Join(r.done, ", ")
				r.abandon()
			}
			result.Problems = append(result.Problems, text)
			break
		}
	}
	return result
}

// opsRun is one store and the model of it.
type opsRun struct {
	random *rand.Rand
	gen    *eventtest.Gen
	disk   *cutter
	opt    engine.Options
	ring   *opsRing
	e      *engine.Engine
	model  *Model
	result *OpsResult
	done   []string // the last things that were done
	erases bool     // persons, too

	wall    atomic.Int64 // what the clock says, in milliseconds
	elapsed atomic.Int64 // milliseconds that have really passed
	off     int64        // how far the clock is off
	offFor  int64        // since which elapsed time

	sent    map[event.Project][]opsSent
	names   int // given to events
	commits map[event.Project][]event.Time
	last    event.Time // the latest of these
	held    []heldSnapshot

	mu        sync.Mutex // guards what notices and cuts say
	watermark map[event.Project]event.Seq
	reopened  map[event.Project]event.Seq
	counts    map[string]int
	fatal     string
}

// opsSent is an event that was sent with an id.
type opsSent struct {
	id  string
	seq event.Seq
	at  int64 // elapsed
}

func newOpsRun(seed uint64, result *OpsResult) (*opsRun, error) {
	r := &opsRun{
		random: rand.New(rand.NewPCG(seed, 0x6f7073)), model: NewModel(), result: result,
		gen:  eventtest.New(seed, 12, 1000),
		sent: map[event.Project][]opsSent{}, commits: map[event.Project][]event.Time{},
		watermark: map[event.Project]event.Seq{}, reopened: map[event.Project]event.Seq{}, counts: result.Reached,
	}
	r.wall.Store(int64(eventtest.Start))
	r.disk = &cutter{disk: vfs.NewCrashableMem(), random: rand.New(rand.NewPCG(seed, 2))}
	r.model.Now(r.now())
	r.opt = engine.Options{
		Now:           func() time.Time { return time.UnixMilli(r.wall.Load()) },
		Elapsed:       func() time.Duration { return time.Duration(r.elapsed.Load()) * time.Millisecond },
		MemTableBytes: 64 << 10 << r.random.IntN(5),
		SealRows:      1 + r.random.IntN(80), SegmentRows: 16 << r.random.IntN(8),
		FreeBytesMin: -1, FreePercentMin: -1, CommitWait: time.Hour,
		Notify: r.notice, Fatal: func(reason string) { panic(reason) },
	}
	return r, r.open()
}

// now is the true time.
func (r *opsRun) now() event.Time { return eventtest.Start + event.Time(r.elapsed.Load()) }

func (r *opsRun) open() error {
	ring, err := openOpsRing(r.disk.fs(), r.opt.Now, r.ring)
	if err != nil {
		return err
	}
	r.ring, r.opt.FS, r.opt.CipherKey = ring, r.disk.fs(), ring.CipherKey
	r.opt.CipherBuckets, r.opt.DropCipherKey = ring.buckets, func(p event.Project, bucket int32) error {
		r.count("a cipher key is destroyed")
		return ring.DropCipherKey(p, bucket)
	}
	if r.e, err = engine.Open(storeIn(keptFolder), r.opt); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	for p := range event.Project(projects) {
		r.reopened[1+p] = event.Seq(len(r.model.events[1+p]))
	}
	return nil
}

func (r *opsRun) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
}

// notice counts what the engine does by itself.
func (r *opsRun) notice(n engine.Notice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch n := n.(type) {
	case engine.Sealed:
		r.counts["sealed"]++
		r.watermark[n.Project] += event.Seq(n.Events)
	case engine.Merged:
		r.counts["merged"]++
	case engine.Erased:
		r.counts["erased from the disk"]++
	case engine.Retained:
		r.counts["segments are dropped"]++
	case engine.Recovered:
		if n.Events > 0 && n.Sealed > 0 {
			r.counts["a start finds sealed and live events"]++
		}
	case engine.Broken, engine.Damaged, engine.Background:
		if r.fatal == "" {
			r.fatal = n.String()
		}
	}
}

// step does one thing, and looks at what has come of it.
func (r *opsRun) step() error {
	act := r.choose()
	r.done = append(r.done[max(0, len(r.done)-20):], act.name)
	r.count(act.name)
	if err := act.run(r); err != nil {
		return fmt.Errorf("%s: %w", act.name, err)
	}
	if err := r.look(); err != nil {
		return fmt.Errorf("after %s: %w", act.name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fatal != "" {
		return errors.New(r.fatal)
	}
	return nil
}

// end looks at all once more, opened anew, and has it checked.
func (r *opsRun) end() error {
	if err := r.reopen(0); err != nil {
		return err
	}
	for p := range event.Project(projects) {
		r.result.Events += len(r.model.events[1+p])
		if err := r.lookAt(1+p, true); err != nil {
			return err
		}
	}
	if err := r.e.Close(); err != nil {
		return err
	}
	return r.check()
}

func (r *opsRun) check() error {
	opt := r.opt
	opt.CipherKey = r.ring.KnownCipherKey
	report, err := engine.Check(storeIn(keptFolder), opt)
	if err == nil && len(report.Problems) > 0 {
		err = errors.New(strings.Join(report.Problems, "; "))
	}
	return err
}

func (r *opsRun) abandon() {
	for _, h := range r.held {
		h.snapshot.Release()
	}
	if r.e != nil {
		_ = r.e.Close() // what is wrong was said
	}
}

// forget drops an event.
func (m *Model) forget() {
	for p, events := range m.events {
		if len(events) > 1 {
			m.events[p] = slices.Delete(events, 0, 1)
			m.gone[p] = slices.Delete(m.gone[p], 0, 1)
			m.erased[p] = slices.Delete(m.erased[p], 0, 1)
			return
		}
	}
}
