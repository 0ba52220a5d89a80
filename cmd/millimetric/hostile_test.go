package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/engine"
)

// raw sends bytes as they are and reads the first answer; closed reports whether the server closed
// the connection after it.
func (r *running) raw(request string) (status int, body string, closed bool) {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = io.WriteString(c, request) }()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	reader := bufio.NewReader(c)
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		r.t.Errorf("%.80q: no answer: %v", request, err)
		return 0, "", false
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Errorf("%.80q: %v", request, err)
	}
	return res.StatusCode, string(text), res.Close
}

// What stands in a body is no request, though it looks like one and the route takes no body.
func TestARequestInABodyIsNotAnswered(t *testing.T) {
	r := startServer(t)
	const inner = "GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n"
	c := r.stall(fmt.Sprintf("GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner) +
		"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	said, err := io.ReadAll(c)
	if err != nil || strings.Count(string(said), "HTTP/1.1 200") != 2 || strings.Count(string(said), "HTTP/1.1 ") != 2 {
		t.Errorf("%v: %s", err, said)
	}
}

// A request that never ends as requests do is cut when its time is over, and told so.
func TestARequestWithoutAnEndIsCut(t *testing.T) {
	r := startServerWith(t, engine.Options{}, func(s *server) { s.http.ReadTimeout = 300 * time.Millisecond })
	for name, request := range map[string]string{
		"lines that end in LF alone": "GET /healthz HTTP/1.1\nHost: x\n\n",
		"lines that end in CR alone": "GET /healthz HTTP/1.1\rHost: x\r\r",
		"headers without an end":     "GET /healthz HTTP/1.1\r\nHost: x\r\n",
		"half a body":                "POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhell",
		"half a chunk":               "POST /v1/track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhell",
	} {
		c := r.stall(request)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		said, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(said), "HTTP/1.1 408 ") {
			t.Errorf("%s: %v: %q", name, err, said)
		}
	}
}

func TestHostileRequestsGetTheirStatusAndTheServerGoesOn(t *testing.T) {
	r := startServer(t)
	cases := hostileCases(r)
	for _, c := range cases {
		status, body, closed := r.raw(c.request)
		if status != c.status || closed != c.closes {
			t.Errorf("%s: %d %s, closed %v; want %d, %v", c.name, status, body, closed, c.status, c.closes)
		}
		if status >= 400 && !strings.HasPrefix(body, `{"error":"`) && status != 405 {
			t.Errorf("%s: the answer is no error of ours: %q", c.name, body)
		}
	}
	if res, _ := r.call("GET", "/healthz", nil, nil); res.StatusCode != 200 {
		t.Errorf("afterwards: %d", res.StatusCode)
	}
	t.Logf("cases=%d", len(cases))
}

// Room for a body is taken when its length is known: a claim to a key must not be enough for 16 MiB.
func TestOnlyAKeyThatHoldsOpensRoomForALargeBody(t *testing.T) {
	r := startServer(t)
	for _, c := range []struct {
		name, target, key string
		want              int
	}{
		{"a good key", "/v1/batch", "Bearer " + r.words["sk"], 16 << 20},
		{"no key", "/v1/batch", "", bodyFree},
		{"something else", "/v1/batch", "x", bodyFree},
		{"a made-up key", "/v1/batch", "Bearer sk_live_00000000_abc", bodyFree},
		{"a key of another kind", "/v1/batch", "Bearer " + r.words["rk"], bodyFree},
		{"a beacon's key", "/v1/batch?key=" + r.words["pk"], "", 16 << 20},
		{"a beacon's key where none may stand", "/v1/track?key=" + r.words["pk"], "", bodyFree},
		{"a question", "/v1/stats", "Bearer " + r.words["rk"], 1 << 20},
	} {
		var header fasthttp.RequestHeader
		header.SetMethod("POST")
		header.SetRequestURI(c.target)
		header.Set("Origin", "https://shop.example")
		header.SetContentLength(2 << 20)
		if c.key != "" {
			header.Set("Authorization", c.key)
		}
		if got := r.server.boundBody(&header); got.MaxRequestBodySize != c.want || got.ReadTimeout > 0 != (c.want > smallBodyMax) {
			t.Errorf("%s: %d bytes in %v, want %d", c.name, got.MaxRequestBodySize, got.ReadTimeout, c.want)
		}
	}
}

func TestConnectionsBeyondTheBoundAreRefusedWithAnAnswer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	bounded := &patientListener{Listener: ln, max: 1, log: quietLog(io.Discard), open: new(atomic.Int64)}
	accepted := make(chan net.Conn, 2)
	go func() {
		for {
			c, err := bounded.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	first, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	held := <-accepted
	second, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	res, err := http.ReadResponse(bufio.NewReader(second), nil)
	if err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Fatalf("%v, %v", res, err)
	}
	if text, _ := io.ReadAll(res.Body); string(text) != `{"error":"overloaded"}` {
		t.Errorf("%s", text)
	}
	_ = held.Close()
	_ = held.Close()
	third, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if c, ok := <-accepted; !ok {
		t.Error("a place that became free was not given")
	} else {
		_ = c.Close()
	}
	if open := bounded.open.Load(); open != 0 {
		t.Errorf("%d connections are counted after all were closed", open)
	}
}
