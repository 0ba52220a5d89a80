package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"millimetric/index/event"
)

// hostileCase is a request, the status that it deserves, and whether the connection must end: it must where
// nobody can say where the next request begins.
type hostileCase struct {
	name, request string
	status        int
	closes        bool
}

// hostileCases are all of them.
func hostileCases(r *running) []hostileCase {
	return append(append(hostileHeads(), hostileFraming(r)...), hostileBodies(r)...)
}

const chunkedHello = "5\r\nhello\r\n0\r\n\r\n"

func getWith(headers string) string { return "GET /healthz HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" }

func (r *running) postWith(headers, body string) string {
	return "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["sk"] + "\r\n" + headers + "\r\n" + body
}

// hostileHeads are odd lines, targets and headers.
func hostileHeads() []hostileCase {
	return []hostileCase{
		{"plain", getWith(""), 200, false},
		{"folded header", getWith("X-A: b\r\n c\r\n"), 400, true},
		{"folded by a tab", getWith("X-A: b\r\n\tc\r\n"), 400, true},
		{"NUL in a value", getWith("X-A: a\x00b\r\n"), 400, true},
		{"CR in a value", getWith("X-A: a\rb\r\n"), 400, true},
		{"header without a name", getWith(": b\r\n"), 400, true},
		{"header without a colon", getWith("nonsense\r\n"), 400, true},
		{"no host", "GET /healthz HTTP/1.1\r\n\r\n", 400, true},
		{"two hosts", getWith("Host: y\r\n"), 400, true},
		{"65 headers", getWith(strings.Repeat("a: b\r\n", 64)), 431, true},
		{"700 headers", getWith(strings.Repeat("a: b\r\n", 700)), 431, true},
		{"64 headers", getWith(strings.Repeat("a: b\r\n", 63)), 200, false},
		{"one huge header", getWith("X-A: " + strings.Repeat("b", 9000) + "\r\n"), 431, true},
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
		{"space in a header's name", getWith("X A: b\r\n"), 400, true},
		{"header that ends in LF alone", "GET /healthz HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n", 400, true},
		{"control character in a header's name", getWith("X\x01A: b\r\n"), 400, true},
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
		{"upgrade to HTTP/2", getWith("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n"), 200, false},
	}
}

// hostileFraming are requests of which it isn't clear where they end.
func hostileFraming(r *running) []hostileCase {
	return []hostileCase{
		{"two lengths", r.postWith("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, true},
		{"two different lengths", r.postWith("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400, true},
		{"length with a sign", r.postWith("Content-Length: +3\r\n", "abc"), 400, true},
		{"negative length", r.postWith("Content-Length: -3\r\n", ""), 400, true},
		{"length in hex", r.postWith("Content-Length: 0x3\r\n", "abc"), 400, true},
		{"list of lengths", r.postWith("Content-Length: 3, 3\r\n", "abc"), 400, true},
		{"huge length", r.postWith("Content-Length: 99999999999999999999\r\n", ""), 400, true},
		{"space before the colon", r.postWith("Content-Length : 3\r\n", "abc"), 400, true},
		{"length and chunks", r.postWith("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunkedHello), 400, true},
		{"chunks and length", r.postWith("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunkedHello), 400, true},
		{"encoding twice", r.postWith("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunkedHello), 400, true},
		{"unknown encoding", r.postWith("Transfer-Encoding: xchunked\r\n", chunkedHello), 400, true},
		{"encodings", r.postWith("Transfer-Encoding: chunked, identity\r\n", chunkedHello), 400, true},
		{"identity with a length", r.postWith("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello"), 400, true},
		{"chunk size that is none", r.postWith("Transfer-Encoding: chunked\r\n", "zz\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"chunk size too large", r.postWith("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), 400, true},
		{"newline in a chunk extension", r.postWith("Transfer-Encoding: chunked\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"encoding under HTTP/1.0", "POST /v1/track HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunkedHello, 400, true},
		{"too many chunks", r.postWith("Transfer-Encoding: chunked\r\n", strings.Repeat("100000\r\n"+strings.Repeat("a", 1<<20)+"\r\n", 17)+"0\r\n\r\n"), 413, true},
		{"length with more behind", r.postWith("Content-Length: 13x\r\n", `{"event":"x"}`), 400, true},
		{"empty length", r.postWith("Content-Length: \r\n", `{"event":"x"}`), 400, true},
		{"vertical tab before the encoding", r.postWith("Transfer-Encoding: \x0bchunked\r\n", chunkedHello), 400, true},
		{"space before the encoding's colon", r.postWith("Transfer-Encoding : chunked\r\n", chunkedHello), 400, true},
		{"empty encoding", r.postWith("Transfer-Encoding: \r\nContent-Length: 5\r\n", "hello"), 400, true},
		{"chunk size with a sign", r.postWith("Transfer-Encoding: chunked\r\n", "+5\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"negative chunk size", r.postWith("Transfer-Encoding: chunked\r\n", "-5\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"chunk size with a prefix", r.postWith("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"), 400, true},
		{"chunk without its end", r.postWith("Transfer-Encoding: chunked\r\n", "5\r\nhelloX0\r\n\r\n"), 400, true},
		{"chunks that end in LF alone", r.postWith("Transfer-Encoding: chunked\r\n", "5\nhello\n0\n\n"), 400, true},
		{"length behind the chunks", r.postWith("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"), 400, true},
		{"key behind the chunks", r.postWith("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\n\r\n"), 400, true},
		{"5000 headers behind the chunks", r.postWith("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n"+strings.Repeat("a: b\r\n", 5000)+"\r\n"), 431, true},
	}
}

// hostileBodies are bodies that are too large, packed oddly or of the wrong key's, and what else is wrong behind
// sound headers.
func hostileBodies(r *running) []hostileCase {
	bomb := gzipped(strings.Repeat(" ", 2*event.BodyBytesMax))
	return []hostileCase{
		{"promise of a large body", r.postWith("Content-Length: 99999999\r\nExpect: 100-continue\r\n", ""), 413, true},
		{"large body of a stranger", "POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("a", 2_000_000), 401, true},
		{"large body with a key that doesn't hold", "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["sk"] +
			"x\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("a", 2_000_000), 401, true},
		{"promise of a large body with a key that may not bring it", "POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["rk"] +
			"\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n", 403, true},
		{"large body with a good key", r.postWith("Content-Length: 2000000\r\n", `{"event":"x"}`+strings.Repeat(" ", 2_000_000-13)), 202, false},
		{"large body where none is due", "POST /v1/stats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["rk"] +
			"\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("a", 2_000_000), 413, true},
		{"two keys", r.postWith("Authorization: Bearer x\r\nContent-Length: 13\r\n", `{"event":"x"}`), 400, true},
		{"two origins", r.postWith("Origin: https://a.example\r\nOrigin: https://shop.example\r\nContent-Length: 13\r\n", `{"event":"x"}`), 400, true},
		{"two codings", r.postWith("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 13\r\n", `{"event":"x"}`), 415, false},
		{"coding upon coding", r.postWith("Content-Encoding: gzip, gzip\r\nContent-Length: 13\r\n", `{"event":"x"}`), 415, false},
		{"gzip that is none", r.postWith("Content-Encoding: gzip\r\nContent-Length: 13\r\n", `{"event":"x"}`), 400, false},
		{"a name twice in JSON", r.postWith("Content-Length: 25\r\n", `{"event":"x","event":"y"}`), 400, false},
		{"JSON that is no UTF-8", r.postWith("Content-Length: 13\r\n", "{\"event\":\"\xff\"}"), 400, false},
		{"key in the wrong place", "POST /v1/track?key=" + r.words["pk"] + " HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\nContent-Length: 2\r\n\r\n{}", 401, false},
		{"secret key in the address", "POST /v1/batch?key=" + r.words["sk"] + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 401, false},
		{"import id that is none", r.postWith("Millimetric-Import: a b\r\nContent-Length: 13\r\n", `{"event":"x"}`), 400, false},
		{"1500 parameters", "GET /v1/stats?" + strings.Repeat("a=1&", 1500) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.words["rk"] + "\r\n\r\n", 400, false},
		{"gzip that grows a thousandfold", r.postWith(fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n", len(bomb)), bomb), 413, false},
		{"no body", r.postWith("", ""), 400, false},
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}
