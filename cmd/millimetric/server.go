package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/forget"
	"millimetric/cmd/millimetric/mcp"
	"millimetric/cmd/millimetric/metrics"
	"millimetric/cmd/millimetric/transfer"
	"millimetric/engine/keyring"
	"millimetric/index/event"
	"millimetric/ingest"
	"millimetric/ingest/intake"
	"millimetric/query/api"
)

// server speaks HTTP: it decides who may do what and hands requests to the doors.
type server struct {
	book    *auth.Book
	ring    *keyring.Keyring
	salts   *saltMemo
	intake  *intake.Door
	api     *api.Door
	mcp     *mcp.Door
	admin   *admin.Door
	forget  *forget.Door
	rates   *rates
	audit   *audit.Log
	ready   func() error                   // nil while events are taken
	oldest  func(event.Project) event.Time // what the retention window still keeps
	proxies []netip.Prefix
	log     *slog.Logger
	routes  routes
	script  pageScript
	set     *metrics.Set
	figures map[string]*metrics.Route // by name of the route
	// document describes the routes.
	document []byte
	http     *fasthttp.Server
	ended    atomic.Bool // no more requests are taken
	giveUp   func()      // has requests that take long end

	// transfer gives out and takes in events as they are.
	transfer *transfer.Door

	memory    int64 // that the process may need
	connsMax  int
	open      atomic.Int64 // connections
	room      *room
	unpacking chan struct{}   // a slot for each body that is unpacked
	jitter    func(n int) int // a random number up to n
	reading   atomic.Int64    // questions under way
}

// Limits of the HTTP server; the bounds of bodies are the doors'.
const (
	readTimeout     = 10 * time.Second // for a whole request: a slow one is cut
	uploadTimeout   = 60 * time.Second // for a large body: 16 MiB over a line of 2.5 Mbit/s
	writeTimeout    = 30 * time.Second
	idleTimeout     = 60 * time.Second
	readBufferBytes = 8192 // of a request's line and headers together
	requestsPerConn = 10_000
	stopTimeout     = 7 * time.Second // of the ten seconds that supervisors allow
	// idleWorkerTimeout is how long the stack of a connection that ended is kept for the next one, with what it
	// held last.
	idleWorkerTimeout = time.Second

	// readingMax is how many questions may be under way. Each may use a core and memory of its own;
	// more of them at once would only make all of them late, and events with them.
	readingMax = 64
	// smallBodyMax bounds bodies of requests that aren't an upload of events with a good key:
	// strangers must not make the server hold 16 MiB each.
	smallBodyMax = 1 << 20
)

// prepare fills in what follows from the rest.
func (s *server) prepare() {
	s.routes = newRoutes(routeTable())
	s.figures = figuresOf(s.set, routeTable())
	s.unpacking = make(chan struct{}, runtime.GOMAXPROCS(0))
	s.jitter = func(n int) int { return rand.IntN(n + 1) }
	s.http = &fasthttp.Server{
		Handler:                      s.serveRequest,
		ErrorHandler:                 s.refuseUnread,
		HeaderReceived:               s.boundBody,
		ExpectHandler:                s.expect,
		Logger:                       silent{},
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		ReadBufferSize:               readBufferBytes,
		MaxRequestBodySize:           bodyFree, // more is for boundBody to say
		MaxRequestsPerConn:           requestsPerConn,
		DisablePreParseMultipartForm: true,
		MaxIdleWorkerDuration:        idleWorkerTimeout,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
	}
	s.fit(max(s.memory, memoryLeast))
}

// fit bounds what grows with the number of clients, for a server that may need so much memory.
func (s *server) fit(memory int64) {
	s.memory = memory
	s.connsMax = connectionsMax(memory)
	s.http.Concurrency = s.connsMax + connsSpare
	s.room = newRoom(memory, time.Now)
}

// serve answers until ctx ends, then answers what is under way and returns.
func (s *server) serve(ctx context.Context, ln net.Listener, secure certificates) error {
	ln = &patientListener{Listener: ln, max: int64(s.connsMax), secure: secure != nil, log: s.log, open: &s.open}
	if secure != nil {
		ln = tls.NewListener(ln, secure.config())
	}
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(wipingListener{ln}) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.ended.Store(true)
	s.giveUp()
	bounded, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := s.http.ShutdownWithContext(bounded)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("some connections did not end in time")
		return nil
	}
	return err
}

// serveRequest answers one request. A panic in here ends this request only: what must end the
// process, such as a store that can't go on, panics or exits on goroutines of its own.
func (s *server) serveRequest(ctx *fasthttp.RequestCtx) {
	defer wipe(ctx)
	defer wipeLast(ctx)
	defer func() {
		if r := recover(); r != nil {
			s.logPanic(ctx, r)
			ctx.Response.Header.SetConnectionClose()
			s.writeError(ctx, &event.Error{Kind: event.ErrInternal, Code: event.CodeInternal})
		}
	}()
	defer s.room.give(&ctx.Request.Header)
	defer s.count(ctx, time.Now())
	guard(ctx)
	if err := s.answer(ctx); err != nil {
		s.refuse(ctx, err)
	}
}

// guard sets the headers that every answer has.
func guard(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.SetCanonical([]byte("X-Content-Type-Options"), []byte("nosniff"))
	ctx.Response.Header.SetCanonical([]byte("Cache-Control"), []byte("no-store"))
}

// logPanic logs where a panic came from. Its value is left out unless it is the runtime's: it could
// hold what a client sent.
func (s *server) logPanic(ctx *fasthttp.RequestCtx, r any) {
	what := "a panic of our own"
	if err, ok := r.(runtime.Error); ok {
		what = err.Error()
	}
	path := "unknown"
	if found, _ := s.routes.find(textOf(ctx.URI().PathOriginal())); found != nil {
		path = found[0].path
	}
	s.log.Error("request failed", "panic", what, "path", path, "stack", string(debug.Stack()))
}

// refuse answers with an error and logs it where it is ours to repair.
func (s *server) refuse(ctx *fasthttp.RequestCtx, err error) {
	e := event.AsError(err)
	status := s.writeError(ctx, e)
	if status == fasthttp.StatusInternalServerError || e.Code == event.CodeDiskLow && e.Cause != nil {
		s.log.Error("request failed", "code", e.Code, "cause", e.Cause)
	}
}

// answer takes a request through its checks, in the order that the API promises.
func (s *server) answer(ctx *fasthttp.RequestCtx) error {
	if err := checkFraming(ctx); err != nil {
		ctx.SetConnectionClose()
		return err
	}
	path := textOf(ctx.URI().PathOriginal())
	routes, named := s.routes.find(path)
	if routes == nil {
		return unknownPath(path)
	}
	for name, value := range named {
		ctx.SetUserValue(name, strings.Clone(value))
	}
	r, err := pick(ctx, routes)
	ctx.SetUserValue(userRoute, s.figures[r.name])
	browser := r.browser
	origin := string(ctx.Request.Header.Peek("Origin"))
	if browser {
		ctx.Response.Header.Add("Vary", "Origin")
		if ctx.IsOptions() {
			s.preflight(ctx, origin)
			return nil
		}
	}
	if err != nil {
		return err
	}
	if r.before != nil {
		if err := r.before(s, ctx); err != nil {
			return err
		}
	}
	if r.kinds == nil {
		return r.handle(s, ctx, auth.Grant{})
	}
	grant, err := s.check(&ctx.Request.Header, r)
	if browser && origin != "" && s.mayRead(grant, origin) {
		allow(ctx, origin)
	}
	if r.audited {
		return s.underAudit(ctx, r, grant, err)
	}
	if err != nil {
		return err
	}
	if err := s.rates.take(grant.Project, r.name); err != nil {
		return err
	}
	return r.handle(s, ctx, grant)
}

// pick finds the route of a request's method. The route is that of the path even where err says
// that the method isn't one of its.
func pick(ctx *fasthttp.RequestCtx, routes []route) (route, error) {
	method := string(ctx.Method())
	var allowed []string
	for _, r := range routes {
		if slices.Contains(r.methods, method) {
			return r, nil
		}
		allowed = append(allowed, r.methods...)
	}
	if routes[0].browser {
		allowed = append(allowed, "OPTIONS")
	}
	ctx.Response.Header.Set("Allow", strings.Join(allowed, ", "))
	return routes[0], &event.Error{Kind: event.ErrInput, Code: codeMethodNotAllowed}
}

// check finds the request's key and turns it into a grant.
func (s *server) check(header *fasthttp.RequestHeader, r route) (auth.Grant, error) {
	sent := textOf(header.Peek("Authorization"))
	key, err := auth.Bearer(sent)
	if sent == "" && r.beacon {
		if query := keyOfQuery(header); strings.HasPrefix(query, "pk_") {
			key, err = query, nil
		}
	}
	if err != nil {
		return auth.Grant{}, err
	}
	grant, err := s.book.Check(auth.Claim{
		Key: key, Origin: string(header.Peek("Origin")), Route: r.kinds, Name: r.name, Scope: r.scope, Refusal: r.refusal, RefusalTo: r.only,
		Sends: slices.Contains(r.kinds, auth.KindPublishable),
	})
	if err == nil && r.scope == auth.ScopeExport && grant.Least() > 0 {
		return grant, &event.Error{Kind: event.ErrDenied, Code: auth.CodeInsufficientScope,
			Notes: []string{"The key shows numbers about several visitors only, never single events"}}
	}
	return grant, err
}

// keyOfQuery reads the key from a beacon's address.
func keyOfQuery(header *fasthttp.RequestHeader) string {
	_, query, _ := bytes.Cut(header.RequestURI(), []byte{'?'})
	query, _, _ = bytes.Cut(query, []byte{'#'})
	for pair := range bytes.SplitSeq(query, []byte{'&'}) {
		if key, ok := bytes.CutPrefix(pair, []byte("key=")); ok && !bytes.ContainsAny(key, "%+") {
			return textOf(key)
		}
	}
	var args fasthttp.Args
	args.ParseBytes(query)
	return string(args.Peek("key"))
}

// allow lets a page of that origin read the answer, and of its headers when to try again.
func allow(ctx *fasthttp.RequestCtx, origin string) {
	ctx.Response.Header.Set("Access-Control-Allow-Origin", origin)
	ctx.Response.Header.Set("Access-Control-Expose-Headers", "Retry-After")
}

// mayRead reports whether a page may read the answer: if its project allows the page's origin, and
// where the key told no project, if any does.
func (s *server) mayRead(grant auth.Grant, origin string) bool {
	if grant.Project != nil {
		return grant.Project.Allows(origin)
	}
	return grant.Kind == "" && s.book.AnyAllows(origin)
}

// preflight answers a browser that asks whether a page may send events. It carries no key, so all
// that can be asked is whether any project allows the origin; the event itself is checked again.
func (s *server) preflight(ctx *fasthttp.RequestCtx, origin string) {
	h := &ctx.Response.Header
	if origin != "" && s.book.AnyAllows(origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", "authorization, content-type, content-encoding")
		h.Set("Access-Control-Max-Age", "7200")
	}
	h.Del("Allow")
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// ingestWith hands events to a door.
func ingestWith(take func(*intake.Door, *fasthttp.RequestCtx, ingest.Caller) error) func(*server, *fasthttp.RequestCtx, auth.Grant) error {
	return func(s *server, ctx *fasthttp.RequestCtx, grant auth.Grant) error {
		caller, ends, err := s.caller(ctx, grant)
		if err != nil {
			return err
		}
		if err := s.unpack(ctx, grant); err != nil {
			return err
		}
		if err := take(s.intake, ctx, caller); err != nil {
			return err
		}
		if ends {
			if err := s.ring.EndLease(caller.Import); err != nil {
				s.log.Error("the salts of an import could not be destroyed yet", "cause", err)
			}
		}
		return nil
	}
}

// askWith hands a question to a door.
func askWith(ask func(*api.Door, *fasthttp.RequestCtx, event.Project) error) func(*server, *fasthttp.RequestCtx, auth.Grant) error {
	return func(s *server, ctx *fasthttp.RequestCtx, grant auth.Grant) error {
		project, err := s.projectOf(ctx, grant)
		if err != nil {
			return err
		}
		leave, err := s.enter()
		if err != nil {
			return err
		}
		defer leave()
		return ask(s.doorOf(grant), ctx, project)
	}
}

// doorOf returns the door for questions, or one that shows no more than a key may see.
func (s *server) doorOf(grant auth.Grant) *api.Door {
	door := s.api
	if grant.From != nil || grant.To != nil {
		door = door.Within(grant.Range())
	}
	if k := grant.Least(); k > 0 {
		door = door.Least(k)
	}
	return door
}

// enter takes one of the places for questions under way.
func (s *server) enter() (leave func(), err error) {
	leave = func() { s.reading.Add(-1) }
	if s.reading.Add(1) > readingMax {
		leave()
		return nil, &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, RetryIn: time.Second}
	}
	return leave, nil
}

// projectOf says which project a question is about. A read key has one and may only name that one;
// an account key must name one of its account's.
func (s *server) projectOf(ctx *fasthttp.RequestCtx, grant auth.Grant) (event.Project, error) {
	id, slug, err := api.ProjectNamed(ctx)
	if err != nil {
		return 0, err
	}
	if own := grant.Project; own != nil {
		if id != "" && id != own.ID || slug != "" && slug != own.Slug {
			return 0, &event.Error{Kind: event.ErrDenied, Code: auth.CodeInsufficientScope}
		}
		return own.Number, nil
	}
	if id == "" && slug == "" {
		return 0, event.InvalidField(event.CodeInvalidParams, "project_id", "Required")
	}
	p := s.book.ProjectNamed(grant.Account, id, slug)
	if p == nil {
		return 0, cmp.Or(s.book.MaybeLost(cmp.Or(id, slug)), error(&event.Error{Kind: event.ErrMissing, Code: event.CodeNotFound}))
	}
	return p.Number, nil
}

// healthz says that requests are taken. It must not touch the disk: a slow disk is no reason to
// have the process killed.
func (s *server) healthz(ctx *fasthttp.RequestCtx, _ auth.Grant) error {
	return s.well(ctx, nil)
}

// readyz says that events are taken, so that balancers move on where they aren't.
func (s *server) readyz(ctx *fasthttp.RequestCtx, _ auth.Grant) error {
	return s.well(ctx, s.ready())
}

func (s *server) well(ctx *fasthttp.RequestCtx, err error) error {
	if s.ended.Load() {
		return &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"The server is stopping"}, RetryIn: time.Second}
	}
	if err != nil {
		return err
	}
	ctx.SetContentType("application/json")
	ctx.SetBodyString(`{"ok":true}`)
	return nil
}
