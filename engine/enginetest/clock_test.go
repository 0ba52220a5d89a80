package enginetest

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// jumps are what a clock may do between two requests.
var jumps = []time.Duration{0, 0, time.Millisecond, time.Second, time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour, 40 * 24 * time.Hour, -40 * 24 * time.Hour}

// committedAt is when a position was committed.
func committedAt(e *engine.Engine, project event.Project, position event.Seq) (event.Time, bool) {
	s := e.Snapshot(project)
	defer s.Release()
	at, known, err := s.CommittedAt(position)
	return at, known && err == nil
}

// jumping is a store whose clock jumps.
type jumping struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	opt    engine.Options
	e      *engine.Engine
	gen    *eventtest.Gen
	model  *Model
	at     map[event.Project][]event.Time // when positions were committed, as it was said at once
	last   event.Time
	wrong  int
}

func (j *jumping) open() {
	j.t.Helper()
	e, err := engine.Open(dir, j.opt)
	if err != nil {
		j.t.Fatal(err)
	}
	j.e = e
}

func (j *jumping) append() {
	j.t.Helper()
	j.now = j.now.Add(jumps[j.random.IntN(len(jumps))])
	project := event.Project(1 + j.random.IntN(projects))
	events := j.gen.Events(1 + j.random.IntN(5))
	j.model.Append(project, events)
	if err := j.e.Append(context.Background(), project, append([]event.Event{}, events...)); err != nil {
		j.t.Fatal(err)
	}
	asOf := j.e.Snapshot(project).AsOf()
	for position := event.Seq(len(j.at[project]) + 1); position <= asOf; position++ {
		at, known := committedAt(j.e, project, position)
		if !known || at < j.last {
			j.wrong++
			j.t.Errorf("position %d of project %d was committed at %d (%t), after %d", position, project, at, known, j.last)
		}
		j.at[project], j.last = append(j.at[project], at), at
	}
}

// same checks that everything is there and says what it said before.
func (j *jumping) same() {
	j.t.Helper()
	for project, times := range j.at {
		got, err := Stored(j.e, project)
		if err != nil {
			j.t.Fatal(err)
		}
		if d := diff("event", got, Events(j.model.Snapshot(project))); d != "" {
			j.wrong++
			j.t.Errorf("project %d: %s", project, d)
		}
		for i, want := range times {
			if at, known := committedAt(j.e, project, event.Seq(i+1)); !known || at != want {
				j.wrong++
				j.t.Errorf("position %d of project %d was committed at %d, now it says %d", i+1, project, want, at)
			}
		}
	}
}

func TestProofAClockThatJumpsTurnsNothingBack(t *testing.T) {
	seed, count := Seed(t), Figure(t, 200, 2000, 50_000)
	j := &jumping{
		t: t, random: rand.New(rand.NewPCG(seed, 0x636c6f636b)), now: eventtest.Start.Std(), gen: eventtest.New(seed, 20, 1000),
		model: NewModel(), at: map[event.Project][]event.Time{},
	}
	j.opt = engine.Options{FS: vfs.NewMem(), Now: func() time.Time { return j.now }, CipherKey: CipherKey, Fatal: func(reason string) { panic(reason) }}
	j.open()
	for n := range count {
		j.append()
		if n%(count/10) == 0 {
			if err := j.e.Close(); err != nil {
				t.Fatal(err)
			}
			j.now = j.now.Add(jumps[j.random.IntN(len(jumps))])
			j.open()
			j.same()
		}
	}
	j.same()
	if err := j.e.Close(); err != nil {
		t.Fatal(err)
	}
	Say(t, "R16, the engine", "seed=%d jumps=%d violations=%d", seed, count, j.wrong)
}
