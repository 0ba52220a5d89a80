package api

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/querytest"
)

// busySource notes how many questions are under way, at most, when it is asked for live events.
type busySource struct {
	querytest.Slice
	workers *query.Workers
	most    atomic.Int32
	second  sync.Once
	begin   func() // a second question, in the midst of the first; may be nil
}

func (s *busySource) Live(from, to event.Time, yield func(*event.Event, uint32) bool) error {
	if s.begin != nil {
		s.second.Do(s.begin)
	}
	if busy, _ := s.workers.Counts(); int32(busy) > s.most.Load() {
		s.most.Store(int32(busy)) // one question works at a time
	}
	return s.Slice.Live(from, to, yield)
}

// A question counts from the moment on that it waits for its turn, so that helpers of others leave.
func TestQuestionsThatWaitForTheirTurnComeBeforeHelpers(t *testing.T) {
	source := &busySource{Slice: twoEvents, workers: query.NewWorkers(2, 1)}
	door := &Door{Snapshot: func(event.Project) query.Source { return source }, Workers: source.workers, Turns: NewTurns(1, time.Now)}
	ask := func() error { return door.Stats(request("GET", "/v1/stats?from=2026-01-01&to=2026-01-02", ""), 1) }
	if err := ask(); err != nil || source.most.Load() != 1 {
		t.Errorf("%d questions are under way: %v", source.most.Load(), err)
	}
	second := make(chan error)
	source.begin = func() {
		go func() { second <- ask() }()
		for busy := 0; busy < 2; busy, _ = source.workers.Counts() {
			time.Sleep(time.Millisecond)
		}
	}
	if err := ask(); err != nil || source.most.Load() != 2 {
		t.Errorf("%d questions are under way, with one that waits: %v", source.most.Load(), err)
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
	if busy, _ := source.workers.Counts(); busy != 0 {
		t.Errorf("%d are left", busy)
	}
}
