package main

import (
	"errors"
	"maps"
	"math"
	"strconv"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
)

// Codes that only the server answers with.
const (
	codeMethodNotAllowed = "method_not_allowed"
	codeHeadersTooLarge  = "headers_too_large"
	codeRequestTimeout   = "request_timeout"
)

// statusOf is the HTTP status of each code that doesn't follow from its error's kind.
func statusOf(e *event.Error) int {
	switch e.Code {
	case auth.CodeMissingToken, auth.CodeMalformedKey, auth.CodeInvalidKey, auth.CodeKindMismatch:
		return fasthttp.StatusUnauthorized
	case codeMethodNotAllowed:
		return fasthttp.StatusMethodNotAllowed
	case codeRequestTimeout:
		return fasthttp.StatusRequestTimeout
	case event.CodeTooLarge:
		return fasthttp.StatusRequestEntityTooLarge
	case "unsupported_media_type":
		return fasthttp.StatusUnsupportedMediaType
	case codeRateLimited:
		return fasthttp.StatusTooManyRequests
	case codeHeadersTooLarge:
		return fasthttp.StatusRequestHeaderFieldsTooLarge
	case "query_too_large":
		return fasthttp.StatusBadRequest
	case event.CodeOverloaded, event.CodeDiskLow, event.CodeOutcomeUnknown, event.CodeDamaged:
		return fasthttp.StatusServiceUnavailable
	}
	switch e.Kind {
	case event.ErrInput:
		return fasthttp.StatusBadRequest
	case event.ErrDenied:
		return fasthttp.StatusForbidden
	case event.ErrMissing:
		return fasthttp.StatusNotFound
	case event.ErrLimit, event.ErrDamaged:
		return fasthttp.StatusServiceUnavailable
	}
	return fasthttp.StatusInternalServerError
}

// writeError answers with an error and returns the status. Headers that were set stay.
func (s *server) writeError(ctx *fasthttp.RequestCtx, e *event.Error) int {
	status := statusOf(e)
	ctx.Response.ResetBody()
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	if status == fasthttp.StatusUnauthorized {
		ctx.Response.Header.Set("WWW-Authenticate", "Bearer") // without it, a 401 is no sound HTTP
	}
	if e.RetryIn > 0 {
		e = s.spread(ctx, e)
	}
	ctx.SetBody(e.AppendJSON(nil))
	return status
}

// spread tells a client when to come again. Clients that were refused together must not all come back
// together, so each is told something else.
func (s *server) spread(ctx *fasthttp.RequestCtx, e *event.Error) *event.Error {
	wait := int(math.Ceil(e.RetryIn.Seconds()))
	wait += s.jitter(max(1, wait/2))
	ctx.Response.Header.Set("Retry-After", strconv.Itoa(wait))
	if _, said := e.Extra[extraRetry]; !said {
		return e
	}
	own := *e // the error may be another request's, too
	own.Extra = maps.Clone(e.Extra)
	own.Extra[extraRetry] = wait
	return &own
}

// extraRetry is the name under which some bodies say the same as Retry-After.
const extraRetry = "retry_after_s"

// sentence says an error on a terminal.
func sentence(err error) string {
	var e *event.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if text := e.Sentence(); text != "" && e.Cause == nil {
		return text
	}
	return err.Error()
}
