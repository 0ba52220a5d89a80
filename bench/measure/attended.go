package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millimetric/bench/history"
)

// attended is what is left of ingest while questions are asked without a pause.
type attended struct {
	alone, beside []float64 // events per second, of turns one after the other
	questions     int       // answered, in all turns
	failure       string    // of a question, the first
}

const (
	attendedTurns = 3 // pairs: history grows from one to the next, for both halves alike
	askers        = 4
)

// share is the median over the pairs of what is left, in percent.
func (a *attended) share() float64 {
	shares := make([]float64, len(a.alone))
	for i := range shares {
		shares[i] = 100 * a.beside[i] / a.alone[i]
	}
	slices.Sort(shares)
	if len(shares) == 0 {
		return 0
	}
	return shares[len(shares)/2]
}

// measureAttended sends batches to a server, in turn alone and beside clients that ask and ask.
func (f *engineFigures) measureAttended(ctx context.Context, s settings) (err error) {
	s.say("send batches beside %d clients that ask", askers)
	v, err := newServer(ctx, s, "attended")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	const batch, connections = 1000, 4
	senders := make([]*sender, connections)
	for i := range senders {
		h, err := history.New(history.Shape{Seed: s.seed + uint64(i), Events: replayEvents, Plain: true})
		if err != nil {
			return err
		}
		senders[i] = &sender{server: v, replay: history.NewReplay(h, batch, s.seed<<8+uint64(i))}
	}
	turn := max(s.duration/6, 100*time.Millisecond)
	send := func() float64 {
		before, begin := sentBy(senders), time.Now()
		var wait sync.WaitGroup
		for _, one := range senders {
			wait.Go(func() { one.run(ctx, begin.Add(turn)) })
		}
		wait.Wait()
		return float64(sentBy(senders)-before) / time.Since(begin).Seconds()
	}
	send() // so that there is a history to ask about
	for range attendedTurns {
		f.attended.alone = append(f.attended.alone, send())
		stop := v.keepAsking(&f.attended)
		f.attended.beside = append(f.attended.beside, send())
		stop()
	}
	if f.attended.failure != "" {
		return fmt.Errorf("ask beside ingest: %s", f.attended.failure)
	}
	return nil
}

func sentBy(senders []*sender) (events int) {
	for _, one := range senders {
		events += one.events
	}
	return events
}

// keepAsking has clients ask about all there is, one question after the other, until stop is called.
func (v *server) keepAsking(a *attended) (stop func()) {
	const span = `"from":"2000-01-01","to":"2100-01-01"`
	questions := []struct{ path, body string }{
		{"/v1/stats", `{` + span + `,"metric":"uniques","interval":"day","group_by":["source"]}`},
		{"/v1/funnel", `{` + span + `,"steps":[{"event":"$pageview"},{"event":"add_to_cart"},{"event":"purchase"}]}`},
		{"/v1/attribution", `{` + span + `,"conversion":{"event":"purchase"},"models":["linear"]}`},
		{"/v1/sources", `{` + span + `}`},
	}
	var ended atomic.Bool
	var mu sync.Mutex
	var wait sync.WaitGroup
	for first := range askers {
		wait.Go(func() {
			for i := first; !ended.Load(); i++ {
				q := questions[i%len(questions)]
				_, _, err := v.call(v.keys.RK, q.path, []byte(q.body))
				mu.Lock()
				if a.questions++; err != nil && a.failure == "" {
					a.failure = err.Error()
				}
				mu.Unlock()
			}
		})
	}
	return func() {
		ended.Store(true)
		wait.Wait()
	}
}
