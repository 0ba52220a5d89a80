package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// loaded is how a history went into the server.
type loaded struct {
	events  int
	bytes   int
	took    time.Duration // until the last event was acknowledged
	refused int           // requests that had to wait and be sent again
}

// What a load sends: as many events per request as it may have, on few connections, since few
// great requests fill the processor by themselves.
const (
	loadBatch       = 1000
	loadConnections = 4
)

// load sends all requests. A server that is overloaded is asked again a little later.
func (v *server) load(ctx context.Context, source bodies) (loaded, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	requests, free := make(chan body, loadConnections), make(chan []byte, 2*loadConnections)
	begin := time.Now()
	var wait sync.WaitGroup
	var refused atomic.Int64
	for range loadConnections {
		wait.Go(func() {
			for b := range requests {
				if err := v.post(ctx, b, &refused); err != nil {
					stop(err)
				}
				select {
				case free <- b.text:
				default:
				}
			}
		})
	}
	l := loaded{}
	for ctx.Err() == nil {
		var text []byte
		select {
		case text = <-free:
		default:
		}
		b, err := source.next(text)
		if err != nil {
			stop(err)
		}
		if b.events == 0 {
			break
		}
		l.events, l.bytes = l.events+b.events, l.bytes+len(b.text)
		requests <- b
	}
	close(requests)
	wait.Wait()
	l.took, l.refused = time.Since(begin), int(refused.Load())
	return l, context.Cause(ctx)
}

// post sends one batch until it is taken.
func (v *server) post(ctx context.Context, b body, refused *atomic.Int64) error {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(v.child.URL + "/v1/batch")
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.Header.Set("Authorization", "Bearer "+v.keys.SK)
	req.SetBodyRaw(b.text)
	for ctx.Err() == nil {
		if err := v.client.Do(req, resp); err != nil {
			return fmt.Errorf("send a batch: %w", err)
		}
		switch resp.StatusCode() {
		case fasthttp.StatusAccepted:
			return nil
		case fasthttp.StatusServiceUnavailable:
			refused.Add(1)
			time.Sleep(50 * time.Millisecond)
		default:
			return fmt.Errorf("send a batch: %d %.300s", resp.StatusCode(), resp.Body())
		}
	}
	return nil
}
