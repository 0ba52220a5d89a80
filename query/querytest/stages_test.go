package querytest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// kind is a family of questions, and the histories in which they find something.
type kind struct {
	name    string
	history func(*rand.Rand) []event.Event
	ask     func(*rand.Rand, int) string
	says    func(answer string) bool // whether an answer is about anything
	bare    bool                     // asked without costs and settings, which the model doesn't know
}

func hasRows(answer string) bool { return strings.Contains(answer, `"rows":[{`) }

var kinds = []kind{
	{"rows", history, randomQuestion, hasRows, false},
	{"visits", denseVisits, randomVisitQuestion, hasRows, false},
	{"funnels", denseActors, randomFunnel, func(answer string) bool { return !strings.Contains(answer, `"actors":0,"conversion":null`) }, true},
	{"retentions", denseActors, randomRetention, func(answer string) bool { return strings.Contains(answer, `"size":`) }, true},
	{"paths", denseHistory, randomPaths, func(answer string) bool {
		return strings.Count(answer, `"kind"`) > 3 || strings.Contains(answer, `"paths":[{`)
	}, false},
}

const (
	// stageHistories is how many projects a store has: opening one takes longer than filling it.
	stageHistories = 20
	// stageQuestions is how many questions are asked about each history.
	stageQuestions = 20
)

// TestProofTheStoreAnswersAsTheModelDoes asks random questions about random histories, each in a store
// in one of its stages, which takes turns. The histories of a store are of one kind.
func TestProofTheStoreAnswersAsTheModelDoes(t *testing.T) {
	seed := enginetest.Seed(t)
	stores := enginetest.Figure(t, 5, 255, 3500)
	var asked, said atomic.Int64
	begin := time.Now()
	t.Run("stores", func(t *testing.T) {
		for worker := range stageWorkers {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				walk := NewWalk()
				for i := worker; i < stores && !t.Failed(); i += stageWorkers {
					s := newStageStore(seed, i, walk)
					s.run(t)
					asked.Add(int64(s.asked))
					said.Add(int64(s.said))
				}
			})
		}
	})
	enginetest.Say(t, "questions, the store against the model", "seed=%d stores=%d questions=%d about_something=%d differences=%t questions/s=%.0f",
		seed, stores, asked.Load(), said.Load(), t.Failed(), float64(asked.Load())/time.Since(begin).Seconds())
	// Questions that are about nothing prove nothing.
	if said.Load() < asked.Load()/3 {
		t.Errorf("seed %d: only %d of %d answers are about anything", seed, said.Load(), asked.Load())
	}
}

// stageWorkers is how many stores are asked at a time.
const stageWorkers = 2

// stageStore is one store, and the models of its projects.
type stageStore struct {
	seed        uint64
	number      int
	random      *rand.Rand
	kind        kind
	stage       enginetest.Stage
	at          [enginetest.StageParts]time.Time
	models      []Model
	loads       []enginetest.Load
	asked, said int
}

func newStageStore(seed uint64, number int, walk *Walk) *stageStore {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	// Each kind meets each stage: their numbers have no factor in common.
	s := &stageStore{seed: seed, number: number, random: r, kind: kinds[number%len(kinds)], stage: enginetest.Stages[number%len(enginetest.Stages)]}
	at := eventtest.Start.Std()
	for part := range s.at {
		at = at.Add(time.Duration(r.IntN(10*24*3600)) * time.Second)
		s.at[part] = at
	}
	for range stageHistories {
		s.add(walk)
	}
	return s
}

// add adds a project. Of some, the oldest events are too old to be shown.
func (s *stageStore) add(walk *Walk) {
	const day = 24 * 3600_000
	m := Model{Events: s.kind.history(s.random), Walk: walk}
	load := enginetest.Load{Events: m.Events}
	for part, at := range s.at {
		from, to := enginetest.PartOf(len(m.Events), part)
		for range to - from {
			m.Commits = append(m.Commits, event.TimeOf(at))
		}
	}
	if today := event.TimeOf(s.at[len(s.at)-1]) / day; len(m.Events) > 0 && s.random.IntN(5) == 0 {
		oldest := m.Events[s.random.IntN(len(m.Events))].Time / day
		load.Days = max(1, int(today-oldest))
		m.Floor = (today - event.Time(load.Days)) * day
	}
	s.models, s.loads = append(s.models, m), append(s.loads, load)
}

func (s *stageStore) run(t *testing.T) {
	e, err := s.stage.Make(s.loads, s.at)
	if err != nil {
		t.Fatalf("seed %d, store %d, %s: %v", s.seed, s.number, s.stage.Name, err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Errorf("seed %d, store %d: close: %v", s.seed, s.number, err)
		}
	}()
	for range stageQuestions {
		for i := range s.models {
			snapshot := e.Snapshot(event.Project(1 + i))
			question, now := s.kind.ask(s.random, len(s.models[i].Events)), eventtest.Start+event.Time(s.random.IntN(40*24)-24)*3600_000
			q, err := parse(question)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", s.seed, readable(question), err)
			}
			q.Settings().Now = now
			if s.kind.bare {
				q.Settings().Explain = false
			}
			got, want := unexplained(answer(snapshot, q)), s.models[i].Answer(q)
			snapshot.Release()
			if got != want {
				t.Fatalf("seed %d, store %d, project %d, %s, floor %d, now %d: %s\n%sstore: %s\nmodel: %s",
					s.seed, s.number, i+1, s.stage.Name, s.models[i].Floor, now, readable(question), shown(s.models[i].Events), got, want)
			}
			s.asked++
			if s.kind.says(want) {
				s.said++
			}
		}
	}
}
