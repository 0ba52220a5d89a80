package main

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
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
	length, encoding, key, origin := false, false, false, false
	for line := range bytes.Lines(raw) {
		line, whole := bytes.CutSuffix(line, []byte("\r\n"))
		if !whole {
			return malformed("A line of the headers doesn't end with CR and LF")
		}
		if len(line) == 0 {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			return malformed("A header continues on the next line")
		}
		count++
		name, value, _ := bytes.Cut(line, []byte{':'})
		switch {
		case bytes.ContainsAny(name, " \t"):
			return malformed("The name of a header has a space in it")
		case equalFold(name, "authorization") && repeated(&key), equalFold(name, "origin") && repeated(&origin):
			return malformed("Authorization and Origin may be there once")
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

// repeated tells whether it was asked before.
func repeated(seen *bool) bool {
	before := *seen
	*seen = true
	return before
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
	s.room.give(header) // of a request before whose connection broke
	size := header.ContentLength()
	if size <= bodyFree && size != lengthChunked {
		return fasthttp.RequestConfig{MaxRequestBodySize: bodyFree}
	}
	grant, r, err := s.sender(header)
	if err != nil {
		return fasthttp.RequestConfig{MaxRequestBodySize: bodyFree}
	}
	bounds := fasthttp.RequestConfig{MaxRequestBodySize: smallBodyMax}
	if takesUploads(r) && (size == lengthChunked || size > smallBodyMax) {
		bounds = fasthttp.RequestConfig{MaxRequestBodySize: event.BodyBytesMax, ReadTimeout: uploadTimeout}
	}
	switch project := projectOfGrant(grant); {
	case size > bounds.MaxRequestBodySize: // refused as too large, and never read
	case size != lengthChunked && s.room.take(header, project, int64(size)):
	case size == lengthChunked && s.room.take(header, project, int64(bounds.MaxRequestBodySize)):
	case size == lengthChunked && s.room.take(header, project, smallBodyMax): // most chunked bodies are small ones
		bounds.MaxRequestBodySize = smallBodyMax
	default:
		bounds.MaxRequestBodySize = 1 // the least that can be said; the body is refused as too large
	}
	return bounds
}

// sender finds who sends a request, by its headers alone.
func (s *server) sender(header *fasthttp.RequestHeader) (auth.Grant, route, error) {
	path, _, _ := bytes.Cut(header.RequestURI(), []byte{'?'})
	found, _ := s.routes.find(textOf(path))
	for _, r := range found {
		if slices.Contains(r.methods, string(header.Method())) && r.kinds != nil {
			grant, err := s.check(header, r)
			return grant, r, err
		}
	}
	return auth.Grant{}, route{}, errNoBody
}

// errNoBody says that a route takes no body worth the name.
var errNoBody = &event.Error{Kind: event.ErrInput, Code: event.CodeTooLarge}

// takesUploads tells whether a route may be sent many events at once.
func takesUploads(r route) bool { return r.browser || r.bulky }

// projectOfGrant is the project whose share of the room a request uses; 0, which is none's, for account keys.
func projectOfGrant(grant auth.Grant) event.Project {
	if grant.Project == nil {
		return 0
	}
	return grant.Project.Number
}

// lengthChunked is what the HTTP library gives as the length of a body that comes in chunks.
const lengthChunked = -1

// tooLarge is the error for a body over its bound. Where a key would have allowed it, what is wrong
// is the key: a client with a revoked one must not go looking for events to leave out.
func (s *server) tooLarge(header *fasthttp.RequestHeader) *event.Error {
	_, r, err := s.sender(header)
	most := smallBodyMax
	if takesUploads(r) {
		most = event.BodyBytesMax
	}
	// A body in chunks may have got less room than its key is good for.
	if has := s.room.has(header); has == 0 || has == smallBodyMax && most > smallBodyMax && header.ContentLength() == lengthChunked {
		return noRoom()
	}
	if err != nil && header.ContentLength() <= most {
		return event.AsError(err)
	}
	return errNoBody
}

// expect refuses a body that is too large before it is sent, in every other way like refuseUnread.
func (s *server) expect(ctx *fasthttp.RequestCtx) int {
	header := &ctx.Request.Header
	if header.ContentLength() <= s.boundBody(header).MaxRequestBodySize {
		return fasthttp.StatusContinue
	}
	e := s.unreadUnderAudit(ctx, s.tooLarge(header))
	s.room.give(header)
	guard(ctx)
	s.allowUnread(ctx)
	status := s.writeError(ctx, e)
	ctx.SetConnectionClose() // as the library does after this
	wipe(ctx)
	wipeLast(ctx)
	return status
}

// refuseUnread answers a request that could not be read to its end. The connection is closed then,
// as nobody knows where the next request would begin.
func (s *server) refuseUnread(ctx *fasthttp.RequestCtx, err error) {
	e := malformed("The request is not well-formed HTTP")
	var small *fasthttp.ErrSmallBuffer
	var network net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		e = s.unreadUnderAudit(ctx, s.tooLarge(&ctx.Request.Header))
	case errors.As(err, &small):
		e = &event.Error{Kind: event.ErrInput, Code: codeHeadersTooLarge}
	case errors.As(err, &network) && network.Timeout():
		e = &event.Error{Kind: event.ErrInput, Code: codeRequestTimeout}
	}
	s.room.give(&ctx.Request.Header)
	guard(ctx)
	s.allowUnread(ctx)
	s.writeError(ctx, e)
	lingerOn(ctx.Conn())
	wipe(ctx)
}

// unreadUnderAudit notes a refusal where every call is noted: a large body must not hide an attempt.
func (s *server) unreadUnderAudit(ctx *fasthttp.RequestCtx, e *event.Error) *event.Error {
	if grant, r, _ := s.sender(&ctx.Request.Header); r.audited {
		return event.AsError(s.underAudit(ctx, r, grant, e))
	}
	return e
}

// allowUnread lets a page's script read why its request was refused, where the headers are known.
func (s *server) allowUnread(ctx *fasthttp.RequestCtx) {
	path, _, _ := bytes.Cut(ctx.Request.Header.RequestURI(), []byte{'?'})
	routes, _ := s.routes.find(textOf(path))
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
