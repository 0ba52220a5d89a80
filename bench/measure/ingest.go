package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/bench/history"
)

// footprint is what the server says of itself.
type footprint struct {
	Events uint64
	Live   struct{ Count, Bytes uint64 }
	Sealed uint64
	Bytes  uint64
	Parts  []struct {
		Part  string
		Bytes uint64
	}
	Disk   uint64
	Memory struct{ Resident uint64 }
}

func (v *server) footprint() (f footprint, err error) {
	text, _, err := v.call(v.keys.AK, "/v1/footprint", nil)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("read the footprint: %w", err)
	}
	return f, nil
}

// ingestRound is what one way of sending came to.
type ingestRound struct {
	batch, connections int
	bytes              int // of an event
	events, refused    int
	took               time.Duration
	p50, p99           time.Duration
	live               []uint64 // events that aren't sealed yet, at each quarter of the round
	settle             time.Duration
	most               uint64 // memory
	failure            string
}

func (r *ingestRound) rate() float64 { return float64(r.events) / r.took.Seconds() }

// replayEvents is how many events each connection sends again and again: more than any cache of the
// server's decoder holds, and few enough for the sender's memory.
const replayEvents = 40_000

// ingest sends batches to a server of its own for a while, and looks at what waits to be sealed.
func (s settings) ingest(ctx context.Context, batch, connections int) (r ingestRound, err error) {
	s.say("send batches of %d for %v", batch, s.duration)
	v, err := newServer(ctx, s, fmt.Sprintf("ingest-%d", batch))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	r = ingestRound{batch: batch, connections: connections}
	senders := make([]*sender, connections)
	for i := range senders {
		h, err := history.New(history.Shape{Seed: s.seed + uint64(i), Events: replayEvents, Plain: true})
		if err != nil {
			return r, err
		}
		senders[i] = &sender{server: v, replay: history.NewReplay(h, batch, s.seed<<8+uint64(i))}
	}
	r.bytes = senders[0].replay.Bytes
	begin := time.Now()
	var wait sync.WaitGroup
	for _, one := range senders {
		wait.Go(func() { one.run(ctx, begin.Add(s.duration)) })
	}
	for range 4 {
		time.Sleep(s.duration / 4)
		f, err := v.footprint()
		if err != nil {
			return r, err
		}
		r.live = append(r.live, f.Live.Count)
	}
	wait.Wait()
	r.took = time.Since(begin)
	r.gather(senders)
	if r.settle, err = v.compact(); err != nil {
		return r, err
	}
	memory, err := v.child.Memory()
	if err != nil {
		return r, err
	}
	r.most = memory.Most
	kept, err := v.count()
	if err == nil && kept != r.events {
		err = fmt.Errorf("%d events were acknowledged and %d are counted", r.events, kept)
	}
	return r, err
}

func (r *ingestRound) gather(senders []*sender) {
	var times []time.Duration
	for _, one := range senders {
		r.events += one.events
		r.refused += one.refused
		times = append(times, one.times...)
		if r.failure == "" {
			r.failure = one.failure
		}
	}
	slices.Sort(times)
	if n := len(times); n > 0 {
		r.p50, r.p99 = times[n/2], times[min(n-1, n*99/100)]
	}
}

// sender is one connection: it sends its next request when the one before is answered.
type sender struct {
	server  *server
	replay  *history.Replay
	events  int // acknowledged
	refused int
	times   []time.Duration
	failure string // the first
}

func (s *sender) run(ctx context.Context, deadline time.Time) {
	for now := time.Now(); now.Before(deadline) && ctx.Err() == nil; now = time.Now() {
		if !s.send(now) {
			time.Sleep(10 * time.Millisecond) // what is refused isn't pressed on the server
		}
	}
}

// send sends one request.
func (s *sender) send(now time.Time) bool {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(s.server.child.URL + "/v1/batch")
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.Header.Set("Authorization", "Bearer "+s.server.keys.SK)
	text, n := s.replay.Next(now)
	req.SetBodyRaw(text)
	begin := time.Now()
	err := s.server.client.Do(req, resp)
	if err == nil && resp.StatusCode() == fasthttp.StatusAccepted {
		s.events += n
		s.times = append(s.times, time.Since(begin))
		return true
	}
	s.refused++
	if s.failure == "" && err != nil {
		s.failure = err.Error()
	} else if s.failure == "" {
		s.failure = fmt.Sprintf("%d %.200s", resp.StatusCode(), resp.Body())
	}
	return false
}

// unsealedEvents is what sendSome sends.
const unsealedEvents = 20_000

// sendSome sends new events, which are in the log alone for a while.
func (v *server) sendSome(s settings) error {
	h, err := history.New(history.Shape{Seed: s.seed, Events: unsealedEvents, Plain: true})
	if err != nil {
		return err
	}
	one := &sender{server: v, replay: history.NewReplay(h, 1000, uint64(time.Now().UnixNano()))}
	for one.events+one.refused*1000 < unsealedEvents {
		one.send(time.Now())
	}
	if one.failure != "" {
		return fmt.Errorf("send events: %s", one.failure)
	}
	return nil
}
