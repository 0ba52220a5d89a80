package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/engine"
	"millimetric/index/event"
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
	bomb := gzipped(strings.Repeat(" ", 2*event.BodyBytesMax))
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
		{"two keys", post("Authorization: Bearer x\r\nContent-Length: 13\r\n", `{"event":"x"}`), 400, true},
		{"two origins", post("Origin: https://a.example\r\nOrigin: https://shop.example\r\nContent-Length: 13\r\n", `{"event":"x"}`), 400, true},
		{"space in a header's name", get("X A: b\r\n"), 400, true},
		{"header that ends in LF alone", "GET /healthz HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n", 400, true},
		{"control character in a header's name", get("X\x01A: b\r\n"), 400, true},
		{"host with a space", "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400, true},
		{"host with a slash", "GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, true},
		{"empty host", "GET /healthz HTTP/1.1\r\nHost: \r\n\r\n", 400, true},
		{"whole address as target", "GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, false},
		{"lower-case version", "GET /healthz http/1.1\r\nHost: x\r\n\r\n", 400, true},
		{"version with more digits", "GET /healthz HTTP/1.10\r\nHost: x\r\n\r\n", 400, true},
		{"two spaces", "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
		{"tabs for spaces", "GET\t/healthz\tHTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
		{"space in the target", "GET /heal thz HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
		{"NUL in the target", "GET /healthz\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
		{"backslash for a slash", "GET \\healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
		{"method without end", strings.Repeat("A", 300) + " /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
		{"length with more behind", post("Content-Length: 13x\r\n", `{"event":"x"}`), 400, true},
		{"empty length", post("Content-Length: \r\n", `{"event":"x"}`), 400, true},
		{"vertical tab before the encoding", post("Transfer-Encoding: \x0bchunked\r\n", chunked), 400, true},
		{"space before the encoding's colon", post("Transfer-Encoding : chunked\r\n", chunked), 400, true},
		{"empty encoding", post("Transfer-Encoding: \r\nContent-Length: 5\r\n", "hello"), 400, true},
		{"chunk size with a sign", post("Transfer-Encoding: chunked\r\n", "+5\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"negative chunk size", post("Transfer-Encoding: chunked\r\n", "-5\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"chunk size with a prefix", post("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"chunk without its end", post("Transfer-Encoding: chunked\r\n", "5\r\nhelloX0\r\n\r\n"), 400, true},
		{"chunks that end in LF alone", post("Transfer-Encoding: chunked\r\n", "5\nhello\n0\n\n"), 400, true},
		{"length behind the chunks", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"), 400, true},
		{"key behind the chunks", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\n\r\n"), 400, true},
		{"5000 headers behind the chunks", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n"+strings.Repeat("a: b\r\n", 5000)+"\r\n"), 431, true},
		{"two codings", post("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 13\r\n", `{"event":"x"}`), 415, false},
		{"coding upon coding", post("Content-Encoding: gzip, gzip\r\nContent-Length: 13\r\n", `{"event":"x"}`), 415, false},
		{"gzip that is none", post("Content-Encoding: gzip\r\nContent-Length: 13\r\n", `{"event":"x"}`), 400, false},
		{"gzip that grows a thousandfold", post(fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n", len(bomb)), bomb), 413, false},
		{"a name twice in JSON", post("Content-Length: 25\r\n", `{"event":"x","event":"y"}`), 400, false},
		{"JSON that is no UTF-8", post("Content-Length: 13\r\n", "{\"event\":\"\xff\"}"), 400, false},
		{"no body", post("", ""), 400, false},
		{"1500 parameters", "GET /v1/stats?" + strings.Repeat("a=1&", 1500) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["rk"] + "\r\n\r\n", 400, false},
		{"upgrade to HTTP/2", get("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n"), 200, false},
		{"key in the wrong place", "POST /v1/track?key=" + r.words["pk"] + " HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\nContent-Length: 2\r\n\r\n{}", 401, false},
		{"secret key in the address", "POST /v1/batch?key=" + r.words["sk"] + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 401, false},
		{"import id that is none", post("Millimetric-Import: a b\r\nContent-Length: 13\r\n", `{"event":"x"}`), 400, false},
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
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
