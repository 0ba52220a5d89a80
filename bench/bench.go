// Package bench measures the running server from outside, as clients see it: how many events per
// second it acknowledges and how long a request takes, beside a handler that does nothing but read
// the body, on the same machine and in the same run.
//
// It drives an address and knows nothing of the server's inside; tests and commands start what
// answers there. Load starts one goroutine per connection and waits for all of them. It writes
// nothing to disk but a small file for SyncTime, which it removes.
package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// Target is what answers during one round.
type Target struct {
	URL  string // of the server, without a path
	Key  string // a secret key
	Read string // a read key; where there is one, the events of the round are counted afterwards
	Stop func() error
}

// Point is one way to send events.
type Point struct {
	Batch       int // events per request; 0 sends single events to /v1/track
	Connections int // kept alive, each with one request under way
}

// Name is the point's name in reports.
func (p Point) Name() string {
	if p.Batch == 0 {
		return "single events"
	}
	return fmt.Sprintf("batches of %d", p.Batch)
}

// Config says what to measure.
type Config struct {
	// Server and Empty start what a round is run against. Each round has its own server, on an
	// empty folder, so that rounds are equal and the store's growth stays out of the figures.
	Server func(ctx context.Context) (Target, error)
	Empty  func(ctx context.Context) (Target, error)

	Points   []Point       // none: single events, batches of 100 and of 1000
	Duration time.Duration // of a round; 0: 5 s
	Rounds   int           // per point, against the server and the empty handler in turn; 0: 3
	Progress func(string)  // told what is done next; may be nil
}

func (c Config) withDefaults() Config {
	if len(c.Points) == 0 {
		// 64 connections let single events share the disk's syncs; few large requests fill the
		// processor by themselves.
		c.Points = []Point{{Batch: 0, Connections: 64}, {Batch: 100, Connections: 8}, {Batch: 1000, Connections: 4}}
	}
	if c.Duration <= 0 {
		c.Duration = 5 * time.Second
	}
	if c.Rounds <= 0 {
		c.Rounds = 3
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// Load runs all rounds of all points.
func Load(ctx context.Context, c Config) ([]Result, error) {
	c = c.withDefaults()
	var results []Result
	for _, point := range c.Points {
		var server, empty []round
		for n := range c.Rounds {
			c.Progress(fmt.Sprintf("%s, round %d of %d", point.Name(), n+1, c.Rounds))
			for _, side := range []struct {
				start  func(context.Context) (Target, error)
				rounds *[]round
			}{{c.Server, &server}, {c.Empty, &empty}} {
				r, err := c.measure(ctx, side.start, point)
				if err != nil {
					return nil, fmt.Errorf("measure %s: %w", point.Name(), err)
				}
				*side.rounds = append(*side.rounds, r)
			}
		}
		results = append(results, resultOf(point, server, empty))
	}
	return results, nil
}

// round is what one round saw.
type round struct {
	events    int             // acknowledged
	bytes     int             // of all bodies sent
	requests  int             // acknowledged
	failed    int             // refused, or without an answer
	failure   string          // the first one
	elapsed   time.Duration   // from the first request to the last answer
	latencies []time.Duration // of the acknowledged requests, sorted
}

// measure starts a target, warms it up, drives it for a round, and has it count what it took.
func (c Config) measure(ctx context.Context, start func(context.Context) (Target, error), point Point) (r round, err error) {
	target, err := start(ctx)
	if err != nil {
		return round{}, err
	}
	defer func() { err = errors.Join(err, target.Stop()) }()
	client := &fasthttp.Client{
		MaxConnsPerHost: point.Connections, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		NoDefaultUserAgentHeader: true,
		// Otherwise an unanswered request would be sent twice, unseen.
		RetryIfErr: func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
	}
	defer client.CloseIdleConnections()
	load := newWorkload(point)
	warm := drive(ctx, client, target, load, max(c.Duration/10, 100*time.Millisecond))
	r = drive(ctx, client, target, load, c.Duration)
	if ctx.Err() != nil {
		return round{}, ctx.Err()
	}
	if r.requests == 0 {
		return round{}, fmt.Errorf("nothing was acknowledged: %s", r.failure)
	}
	if target.Read == "" {
		return r, nil
	}
	counted, err := countEvents(client, target)
	if err != nil {
		return round{}, err
	}
	// Requests without an answer may or may not have been taken; what was acknowledged must be there.
	if acknowledged := warm.events + r.events; counted < acknowledged || warm.failed+r.failed == 0 && counted != acknowledged {
		return round{}, fmt.Errorf("the server acknowledged %d events and counts %d", acknowledged, counted)
	}
	return r, nil
}

// drive keeps every connection busy for a while: each sends its next request when the one before
// is answered, so a slower server is also asked for less.
func drive(ctx context.Context, client *fasthttp.Client, target Target, load *workload, d time.Duration) round {
	start := time.Now()
	rounds := make([]round, load.point.Connections)
	var wait sync.WaitGroup
	for i := range rounds {
		sender := load.sender()
		wait.Go(func() { rounds[i] = sender.run(ctx, client, target, start.Add(d)) })
	}
	wait.Wait()
	all := round{elapsed: time.Since(start)}
	for _, r := range rounds {
		all.events += r.events
		all.bytes += r.bytes
		all.requests += r.requests
		all.failed += r.failed
		if all.failure == "" {
			all.failure = r.failure
		}
		all.latencies = append(all.latencies, r.latencies...)
	}
	slices.Sort(all.latencies)
	return all
}

// run sends until the deadline, and one request in any case: on a busy machine a short round may be over before it
// gets a turn.
func (s *sender) run(ctx context.Context, client *fasthttp.Client, target Target, deadline time.Time) round {
	var r round
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(target.URL + s.path)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.Header.Set("Authorization", "Bearer "+target.Key)
	for ctx.Err() == nil {
		begin := time.Now()
		if begin.After(deadline) && r.requests+r.failed > 0 {
			break
		}
		req.SetBodyRaw(s.next(begin))
		begin = time.Now()
		err := client.Do(req, resp)
		took := time.Since(begin)
		if err == nil && resp.StatusCode() == fasthttp.StatusAccepted {
			r.events += s.events
			r.bytes += len(s.body)
			r.requests++
			r.latencies = append(r.latencies, took)
			continue
		}
		r.failed++
		if r.failure == "" && err != nil {
			r.failure = err.Error()
		} else if r.failure == "" {
			r.failure = fmt.Sprintf("%d %.200s", resp.StatusCode(), resp.Body())
		}
	}
	return r
}

// ServeEmpty answers every request as the server does, having read the body and nothing else, until
// the context ends. It is the ceiling that the server's figures stand beside.
func ServeEmpty(ctx context.Context, listener net.Listener) error {
	server := &fasthttp.Server{
		Handler: func(rc *fasthttp.RequestCtx) {
			rc.SetStatusCode(fasthttp.StatusAccepted)
			rc.SetContentType("application/json")
			rc.SetBodyString(`{"ok":true,"event_id":null}`)
		},
		NoDefaultServerHeader: true,
		CloseOnShutdown:       true,
		MaxRequestBodySize:    16 << 20,
	}
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.ShutdownWithContext(limit)
	})
	defer stop()
	return server.Serve(listener)
}
