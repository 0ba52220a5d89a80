package intake

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"millimetric/index/event"
	"millimetric/ingest"
)

// kept is an Appender and a Salts that keep what they are given.
type kept struct {
	events []event.Event
	err    error
}

func (k *kept) Append(ctx context.Context, _ event.Project, events []event.Event) error {
	if k.err == nil && ctx.Err() == nil {
		k.events = append(k.events, events...)
	}
	return errors.Join(k.err, ctx.Err())
}

func (k *kept) Salt(event.Project, int64, string) ([32]byte, error) { return [32]byte{1}, nil }

func newDoor(t *testing.T) (*Door, *kept) {
	t.Helper()
	k := &kept{}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	p, err := ingest.New(ingest.Options{Appender: k, Salts: k, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return &Door{Pipeline: p}, k
}

func caller() ingest.Caller {
	return ingest.Caller{Site: ingest.Site{Project: 1}, Server: true}
}

func TestAnswersAreThoseOfTheContract(t *testing.T) {
	for _, c := range []struct {
		call, body string
		status     int
		answer     string
	}{
		{"track", `{"event":"a","event_id":"evt_1"}`, 202, `{"ok":true,"event_id":"evt_1"}`},
		{"track", `{"event":"a"}`, 202, `{"ok":true,"event_id":null}`},
		{"track", `{"event":"a","event_id":"\u00e9\"<&>\\\u2028"}`, 202, `{"ok":true,"event_id":"é\"<&>\\\u2028"}`},
		{"batch", `{"events":[{"event":"a","event_id":"1"},{"event":"a","event_id":"1"}]}`, 202, `{"ok":true,"count":2}`},
		{"identify", `{"anonymous_id":"v","user_id":"u"}`, 200, `{"ok":true}`},
	} {
		d, k := newDoor(t)
		ctx := request("", []byte(c.body))
		call := map[string]func(*fasthttp.RequestCtx, ingest.Caller) error{"track": d.Track, "batch": d.Batch, "identify": d.Identify}[c.call]
		if err := call(ctx, caller()); err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		got := string(ctx.Response.Body())
		if ctx.Response.StatusCode() != c.status || got != c.answer || string(ctx.Response.Header.ContentType()) != "application/json" || len(k.events) == 0 {
			t.Errorf("%s: %d %s %s", c.body, ctx.Response.StatusCode(), ctx.Response.Header.ContentType(), got)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s is no JSON", got)
		}
	}
}

func TestErrorsAreLeftToTheServer(t *testing.T) {
	d, k := newDoor(t)
	for name, call := range map[string]func(*fasthttp.RequestCtx, ingest.Caller) error{"track": d.Track, "batch": d.Batch, "identify": d.Identify} {
		ctx := request("", []byte(`{"event":1}`))
		err := call(ctx, caller())
		if !errors.Is(err, event.ErrInput) || len(ctx.Response.Body()) != 0 {
			t.Errorf("%s: %v, body %q", name, err, ctx.Response.Body())
		}
		wantCode(t, name, call(request("lzma", []byte(`{}`)), caller()), codeUnsupported)
	}
	k.err = &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded}
	ctx := request("", []byte(`{"event":"a"}`))
	if err := d.Track(ctx, caller()); !errors.Is(err, event.ErrLimit) || len(ctx.Response.Body()) != 0 {
		t.Errorf("%v, body %q", err, ctx.Response.Body())
	}
}

// The server uses a connection's buffers again for its next request. Events must not notice.
func TestEventsSurviveTheNextRequestOfTheirConnection(t *testing.T) {
	d, k := newDoor(t)
	listener := fasthttputil.NewInmemoryListener()
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		if err := d.Track(ctx, caller()); err != nil {
			ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		}
	}}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	client := &fasthttp.Client{MaxConnsPerHost: 1, Dial: func(string) (net.Conn, error) { return listener.Dial() }}
	letters := "abcdefgh"
	for _, letter := range letters {
		for _, encoding := range []string{"", "gzip", "br", "zstd", "deflate"} {
			name := strings.Repeat(string(letter), 100)
			body := []byte(`{"event":"` + name + `","properties":{"k":"` + name + `"}}`)
			if encoding != "" {
				body = coders[encoding](body)
			}
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			req.SetRequestURI("http://in.example/v1/track")
			req.Header.SetMethod("POST")
			if encoding != "" {
				req.Header.Set("Content-Encoding", encoding)
			}
			req.SetBody(body)
			if err := client.Do(req, resp); err != nil || resp.StatusCode() != 202 {
				t.Fatalf("%q: %v, %d %s", encoding, err, resp.StatusCode(), resp.Body())
			}
		}
	}
	for i, e := range k.events {
		want := strings.Repeat(string(letters[i/5]), 100)
		if e.Name != want || e.Properties != `{"k":"`+want+`"}` {
			t.Errorf("event %d became %s %s", i, e.Name, e.Properties)
		}
	}
	client.CloseIdleConnections()
	if err := errors.Join(server.Shutdown(), <-served); err != nil {
		t.Error(err)
	}
}
