package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/bench/launch"
)

// server is the program, running on a folder of its own.
type server struct {
	child  *launch.Child
	keys   launch.Keys
	data   string
	more   []string // of its command line
	client *fasthttp.Client
}

// newServer starts the program on a new folder.
func newServer(ctx context.Context, s settings, name string, more ...string) (*server, error) {
	v := &server{data: filepath.Join(s.dir, name), more: more}
	var err error
	if v.keys, err = s.program.Init(ctx, v.data, "bench"); err != nil {
		return nil, err
	}
	return v, v.start(ctx, s)
}

func (v *server) start(ctx context.Context, s settings) (err error) {
	v.child, err = s.program.Serve(ctx, v.data, v.more...)
	v.client = &fasthttp.Client{
		MaxConnsPerHost: 256, ReadTimeout: 10 * time.Minute, WriteTimeout: time.Minute, NoDefaultUserAgentHeader: true, MaxResponseBodySize: 64 << 20,
		// Otherwise an unanswered request would be sent twice, unseen.
		RetryIfErr: func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
	}
	return err
}

// stop ends the server in good order.
func (v *server) stop() error {
	v.client.CloseIdleConnections()
	return v.child.Stop()
}

// call sends a body, where there is one, else asks for a path, and returns what came back and how long
// that took.
func (v *server) call(key, path string, body []byte) (answer []byte, took time.Duration, err error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(v.child.URL + path)
	req.Header.Set("Authorization", "Bearer "+key)
	if body != nil {
		req.Header.SetMethod(fasthttp.MethodPost)
		req.Header.SetContentType("application/json")
		req.SetBodyRaw(body)
	}
	begin := time.Now()
	err = v.client.Do(req, resp)
	took = time.Since(begin)
	switch code := resp.StatusCode(); {
	case err != nil:
		return nil, took, fmt.Errorf("call %s: %w", path, err)
	case code >= 300:
		return nil, took, fmt.Errorf("call %s: %d %.300s", path, code, resp.Body())
	}
	return append([]byte(nil), resp.Body()...), took, nil
}

// compact has the server seal and merge all there is.
func (v *server) compact() (time.Duration, error) {
	_, took, err := v.call(v.keys.AK, "/v1/admin/compact", []byte("{}"))
	return took, err
}

// sealedEvery is how often settle looks.
const sealedEvery = 20 * time.Millisecond

// settle is compact, and says when all was sealed, which comes first. Where nothing had to be, or the rest was quicker
// than a look, it was sealed when the rest was done.
func (v *server) settle() (sealed, merged time.Duration, err error) {
	begin, done := time.Now(), make(chan error, 1)
	go func() {
		var err error
		merged, err = v.compact()
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if sealed == 0 {
				sealed = merged
			}
			return sealed, merged, err
		case <-time.After(sealedEvery):
		}
		if sealed > 0 {
			continue
		}
		f, err := v.footprint()
		if err != nil {
			return 0, 0, errors.Join(err, <-done)
		}
		if f.Live.Count == 0 {
			sealed = time.Since(begin)
		}
	}
}

// count asks for the number of all events.
func (v *server) count() (int, error) {
	text, _, err := v.call(v.keys.RK, "/v1/stats?from=2000-01-01&to=2100-01-01&include_bots=true", nil)
	if err != nil {
		return 0, err
	}
	var answer struct{ Rows []struct{ Value int } }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Rows) != 1 {
		return 0, fmt.Errorf("count events: %.200s", text)
	}
	return answer.Rows[0].Value, nil
}
