package mcp

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
)

const codeUnsupported = "unsupported_media_type"

// requestTimeout ends a request that nothing else ended. Questions have a shorter budget of their own;
// a tool that asks several projects has this one for all of them.
const requestTimeout = 60 * time.Second

// Serve answers a request of a key of one project.
func (d *Door) Serve(ctx *fasthttp.RequestCtx, grant auth.Grant) error {
	return d.serve(ctx, grant, d.project)
}

// ServeAccount answers a request of an account key.
func (d *Door) ServeAccount(ctx *fasthttp.RequestCtx, grant auth.Grant) error {
	return d.serve(ctx, grant, d.account)
}

type grantKey struct{}

// grantOf returns what the key of a request gives. Without one there is no access at all: the zero grant
// has no project and no account.
func grantOf(ctx context.Context) auth.Grant {
	g, _ := ctx.Value(grantKey{}).(auth.Grant)
	return g
}

// serve takes a request over from the HTTP library of the house to the one that the protocol's library
// needs. All that goes over is copied: the former reuses its memory once this returns, and the latter
// may still be using a request then.
func (d *Door) serve(ctx *fasthttp.RequestCtx, grant auth.Grant, to http.Handler) error {
	if err := d.checkOrigin(ctx); err != nil {
		return err
	}
	if media, _, _ := strings.Cut(string(ctx.Request.Header.ContentType()), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		// A page of another site can't send this type unless it is asked first, and no page is let in.
		return &event.Error{Kind: event.ErrInput, Code: codeUnsupported, Notes: []string{"Content-Type must be application/json"}}
	}
	bounded, cancel := context.WithTimeout(context.WithValue(context.Background(), grantKey{}, grant), requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, string(ctx.Method()), "http://localhost"+string(ctx.Path()), bytes.NewReader(bytes.Clone(ctx.PostBody())))
	if err != nil {
		return event.Invalid(event.CodeInvalidPayload, "The request is not well-formed HTTP")
	}
	for name, value := range ctx.Request.Header.All() {
		// The key stays here: the grant is what is left of it.
		if n := string(name); n != fasthttp.HeaderAuthorization {
			request.Header.Add(n, string(value))
		}
	}
	// Clients that only know JSON are answered, too: JSON is all that is ever sent.
	request.Header.Set("Accept", "application/json, text/event-stream")
	reply := &recorder{header: http.Header{}, status: http.StatusOK}
	to.ServeHTTP(reply, request)
	return reply.copyTo(ctx)
}

// recorder holds a reply.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// Flush is part of http.Flusher, which the library asks for.
func (r *recorder) Flush() {}

// copyTo writes the reply. What the library refuses in plain text is refused in the house's form.
func (r *recorder) copyTo(ctx *fasthttp.RequestCtx) error {
	media := r.header.Get("Content-Type")
	if r.status >= http.StatusBadRequest && strings.HasPrefix(media, "text/plain") {
		return &event.Error{Kind: event.ErrInput, Code: event.CodeInvalidPayload, Notes: []string{strings.TrimSpace(r.body.String())}}
	}
	body := r.body.Bytes()
	if strings.HasPrefix(media, "text/event-stream") {
		media, body = "application/json", onlyMessage(body)
	}
	ctx.SetStatusCode(r.status)
	if media != "" {
		ctx.SetContentType(media)
	}
	ctx.SetBody(body)
	return nil
}

// onlyMessage takes the message out of a stream of events that holds one: an error, as streams are what
// the library insists on where a client asks for notifications, of which there are none.
func onlyMessage(stream []byte) []byte {
	for line := range bytes.Lines(stream) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			return bytes.TrimSpace(data)
		}
	}
	return nil
}

// checkOrigin refuses pages: a request with an Origin comes from a browser, and no page is let in but
// those of the setting. The keys of agents don't belong into pages.
func (d *Door) checkOrigin(ctx *fasthttp.RequestCtx) error {
	origins := ctx.Request.Header.PeekAll("Origin")
	for _, origin := range origins {
		normal, err := auth.NormalOrigin(string(origin))
		if err != nil || !slices.Contains(d.opt.Origins, normal) {
			return &event.Error{Kind: event.ErrDenied, Code: auth.CodeOriginNotAllowed}
		}
	}
	return nil
}

// CheckHost refuses requests that reached this machine under a name that isn't its own: a page can
// have its own name lead here. It is checked before anything else. proxied says that a trusted proxy
// sent the request: names are the proxy's business then.
func (d *Door) CheckHost(ctx *fasthttp.RequestCtx, proxied bool) error {
	local, ok := ctx.LocalAddr().(*net.TCPAddr)
	if !ok || proxied {
		return nil
	}
	host := hostName(string(ctx.Host()))
	if slices.Contains(d.opt.Hosts, host) || !local.IP.IsLoopback() && len(d.opt.Hosts) == 0 || isLocalName(host) {
		return nil
	}
	return &event.Error{Kind: event.ErrDenied, Code: auth.CodeOriginNotAllowed,
		Notes: []string{"This Host is not one of this server's; see --mcp-host"}}
}

// hostName is a Host header without its port, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func isLocalName(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
