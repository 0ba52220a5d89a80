package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
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

// hostile requests, the status that each deserves, and whether the connection must end: it must
// where nobody can say where the next request begins.
func hostileCases(r *running) []hostileCase {
	get := func(headers string) string { return "GET /healthz HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" }
	post := func(headers, body string) string {
		return "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["sk"] + "\r\n" + headers + "\r\n" + body
	}
	const chunked = "5\r\nhello\r\n0\r\n\r\n"
	return []hostileCase{
		{"plain", get(""), 200, false},
		{"two lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, true},
		{"two different lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400, true},
		{"length with a sign", post("Content-Length: +3\r\n", "abc"), 400, true},
		{"negative length", post("Content-Length: -3\r\n", ""), 400, true},
		{"length in hex", post("Content-Length: 0x3\r\n", "abc"), 400, true},
		{"list of lengths", post("Content-Length: 3, 3\r\n", "abc"), 400, true},
		{"huge length", post("Content-Length: 99999999999999999999\r\n", ""), 400, true},
		{"space before the colon", post("Content-Length : 3\r\n", "abc"), 400, true},
		{"length and chunks", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked), 400, true},
		{"chunks and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked), 400, true},
		{"encoding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked), 400, true},
		{"unknown encoding", post("Transfer-Encoding: xchunked\r\n", chunked), 400, true},
		{"encodings", post("Transfer-Encoding: chunked, identity\r\n", chunked), 400, true},
		{"identity with a length", post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello"), 400, true},
		{"chunk size that is none", post("Transfer-Encoding: chunked\r\n", "zz\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"chunk size too large", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), 400, true},
		{"newline in a chunk extension", post("Transfer-Encoding: chunked\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"encoding under HTTP/1.0", "POST /v1/track HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked, 400, true},
		{"folded header", get("X-A: b\r\n c\r\n"), 400, true},
		{"folded by a tab", get("X-A: b\r\n\tc\r\n"), 400, true},
		{"NUL in a value", get("X-A: a\x00b\r\n"), 400, true},
		{"CR in a value", get("X-A: a\rb\r\n"), 400, true},
		{"header without a name", get(": b\r\n"), 400, true},
		{"header without a colon", get("nonsense\r\n"), 400, true},
		{"no host", "GET /healthz HTTP/1.1\r\n\r\n", 400, true},
		{"two hosts", get("Host: y\r\n"), 400, true},
		{"65 headers", get(strings.Repeat("a: b\r\n", 64)), 431, true},
		{"700 headers", get(strings.Repeat("a: b\r\n", 700)), 431, true},
		{"64 headers", get(strings.Repeat("a: b\r\n", 63)), 200, false},
		{"one huge header", get("X-A: " + strings.Repeat("b", 9000) + "\r\n"), 431, true},
		{"huge target", "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431, true},
		{"lower-case method", "get /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
		{"unknown method", "BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
		{"CONNECT", "CONNECT /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
		{"TRACE", "TRACE /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
		{"odd method", "G{T /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
		{"no version", "GET /healthz\r\nHost: x\r\n\r\n", 400, true},
		{"unknown version", "GET /healthz HTTP/3.7\r\nHost: x\r\n\r\n", 400, true},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, true},
		{"TLS to a plain port", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", 400, true},
		{"escaped bytes that are no UTF-8", "GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
		{"escaped slash", "GET /v1%2fstats HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		{"escaped letter", "GET /%68ealthz HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		{"twice escaped", "GET /%2568ealthz HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		{"dots", "GET /v1/../healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		{"two slashes", "GET //healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		{"slash at the end", "GET /healthz/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		{"NUL in the path", "GET /healthz%00 HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		{"star", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		{"promise of a large body", post("Content-Length: 99999999\r\nExpect: 100-continue\r\n", ""), 413, true},
		{"large body of a stranger", "POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("a", 2_000_000), 401, true},
		{"large body with a key that doesn't hold", "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["sk"] +
			"x\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("a", 2_000_000), 401, true},
		{"promise of a large body with a key that may not bring it", "POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["rk"] +
			"\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n", 403, true},
		{"large body with a good key", post("Content-Length: 2000000\r\n", `{"event":"x"}`+strings.Repeat(" ", 2_000_000-13)), 202, false},
		{"large body where none is due", "POST /v1/stats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["rk"] +
			"\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("a", 2_000_000), 413, true},
		{"too many chunks", post("Transfer-Encoding: chunked\r\n", strings.Repeat("100000\r\n"+strings.Repeat("a", 1<<20)+"\r\n", 17)+"0\r\n\r\n"), 413, true},
		{"key in the wrong place", "POST /v1/track?key=" + r.words["pk"] + " HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\nContent-Length: 2\r\n\r\n{}", 401, false},
		{"secret key in the address", "POST /v1/batch?key=" + r.words["sk"] + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 401, false},
		{"import id that is none", post("Millimetric-Import: a b\r\nContent-Length: 13\r\n", `{"event":"x"}`), 400, false},
	}
}

type hostileCase struct {
	name, request string
	status        int
	closes        bool
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
	bounded := &patientListener{Listener: ln, max: 1, log: quietLog(io.Discard)}
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
