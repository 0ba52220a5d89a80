package main

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"millimetric/index/event"
)

// headersMax is how many headers a request may have. Browsers behind proxies send some thirty.
const headersMax = 64

// checkFraming refuses requests that two programs could read as different ones: what a proxy in
// front takes for one request must not be two here. The HTTP library is more lenient than that.
func checkFraming(ctx *fasthttp.RequestCtx) *event.Error {
	if protocol := string(ctx.Request.Header.Protocol()); protocol != "HTTP/1.1" && protocol != "HTTP/1.0" {
		return malformed("The protocol must be HTTP/1.1")
	}
	raw := ctx.Request.Header.RawHeaders()
	count := 0
	length, encoding := false, false
	for line := range bytes.Lines(raw) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			return malformed("A header continues on the next line")
		}
		count++
		name, value, _ := bytes.Cut(line, []byte{':'})
		switch {
		case equalFold(name, "content-length"):
			length = true
		case equalFold(name, "transfer-encoding"):
			encoding = true
			if !equalFold(bytes.TrimSpace(value), "chunked") {
				return malformed("Transfer-Encoding must be chunked")
			}
		}
	}
	if length && encoding {
		return malformed("Content-Length and Transfer-Encoding exclude each other")
	}
	if count > headersMax {
		return &event.Error{Kind: event.ErrInput, Code: codeHeadersTooLarge}
	}
	return nil
}

func equalFold(b []byte, lower string) bool {
	return len(b) == len(lower) && strings.EqualFold(string(b), lower)
}

func malformed(note string) *event.Error { return event.Invalid(event.CodeInvalidPayload, note) }

// unknownPath is the error for a path without a route. A path that isn't UTF-8 is no path at all.
func unknownPath(path string) *event.Error {
	if !utf8.ValidString(path) || !utf8.ValidString(event.Unescape(path)) {
		return event.Invalid(event.CodeInvalidParams, "The path is not valid UTF-8")
	}
	return &event.Error{Kind: event.ErrMissing, Code: event.CodeNotFound}
}

// boundBody says how large a body may be and how long it may take, once the headers are known. Room
// for a whole body is taken before its first byte comes, so only a key that holds opens more of it.
func (s *server) boundBody(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if size := header.ContentLength(); size == lengthChunked || size > smallBodyMax && size <= event.BodyBytesMax {
		if r, ok := s.uploadRoute(header); ok {
			if _, err := s.check(header, r); err == nil {
				return fasthttp.RequestConfig{MaxRequestBodySize: event.BodyBytesMax, ReadTimeout: uploadTimeout}
			}
		}
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: smallBodyMax}
}

// lengthChunked is what the HTTP library gives as the length of a body that comes in chunks.
const lengthChunked = -1

// uploadRoute finds the route of a request that may bring many events.
func (s *server) uploadRoute(header *fasthttp.RequestHeader) (route, bool) {
	path, _, _ := bytes.Cut(header.RequestURI(), []byte{'?'})
	found, _ := s.routes.find(string(path))
	for _, r := range found {
		if (r.browser || r.bulky) && slices.Contains(r.methods, string(header.Method())) {
			return r, true
		}
	}
	return route{}, false
}

// tooLarge is the error for a body over its bound. Where a key would have allowed it, what is wrong
// is the key: a client with a revoked one must not go looking for events to leave out.
func (s *server) tooLarge(header *fasthttp.RequestHeader) *event.Error {
	if r, ok := s.uploadRoute(header); ok && header.ContentLength() <= event.BodyBytesMax {
		if _, err := s.check(header, r); err != nil {
			return asError(err)
		}
	}
	return &event.Error{Kind: event.ErrInput, Code: event.CodeTooLarge}
}

// expect refuses a body that is too large before it is sent.
func (s *server) expect(ctx *fasthttp.RequestCtx) int {
	header := &ctx.Request.Header
	if header.ContentLength() > s.boundBody(header).MaxRequestBodySize {
		return writeError(ctx, s.tooLarge(header))
	}
	return fasthttp.StatusContinue
}

// refuseUnread answers a request that could not be read to its end. The connection is closed then,
// as nobody knows where the next request would begin.
func (s *server) refuseUnread(ctx *fasthttp.RequestCtx, err error) {
	e := malformed("The request is not well-formed HTTP")
	var small *fasthttp.ErrSmallBuffer
	var network net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		e = s.tooLarge(&ctx.Request.Header)
	case errors.As(err, &small):
		e = &event.Error{Kind: event.ErrInput, Code: codeHeadersTooLarge}
	case errors.As(err, &network) && network.Timeout():
		e = &event.Error{Kind: event.ErrInput, Code: codeRequestTimeout}
	}
	guard(ctx)
	s.allowUnread(ctx)
	writeError(ctx, e)
	lingerOn(ctx.Conn())
}

// allowUnread lets a page's script read why its request was refused, where the headers are known.
func (s *server) allowUnread(ctx *fasthttp.RequestCtx) {
	path, _, _ := bytes.Cut(ctx.Request.Header.RequestURI(), []byte{'?'})
	routes, _ := s.routes.find(string(path))
	if len(routes) == 0 || !routes[0].browser {
		return
	}
	ctx.Response.Header.Add("Vary", "Origin")
	if origin := string(ctx.Request.Header.Peek("Origin")); origin != "" && s.book.AnyAllows(origin) {
		allow(ctx, origin)
	}
}

// silent drops the HTTP library's own log: its lines hold addresses, and what strangers sent.
type silent struct{}

// Printf drops a line.
func (silent) Printf(string, ...any) {}
