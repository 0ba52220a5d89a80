// Package ingest turns the bytes of a request into events and hands them to be appended.
//
// A request goes through five stops, one file each: glance.go reads its JSON in a quick pass, or
// decode.go strictly where that meets anything wrong or unusual; validate.go holds each field
// against its rule; enrich.go adds what the server knows (visitor, session, country, device, and
// from visit.go the source); own.go moves the result into memory of its own; and Pipeline's methods
// append all events of the request at once or none.
//
// The package does not know HTTP, API keys or storage: a Caller says who speaks, an Appender keeps
// the events. It starts no goroutines and writes nothing to disk. The address and the agent of a
// visitor are used while a request is read and are in no event.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"millimetric/index/event"
	"millimetric/ingest/privacy"
)

// Appender keeps events. It returns when they are kept for good and seen by every later question.
// Where it returns nil, the slice is the caller's again, though not what its strings hold; after an
// error the appender may be using both for longer.
type Appender interface {
	Append(ctx context.Context, project event.Project, events []event.Event) error
}

// Salts gives the salt of a project for one UTC day, counted from 1970; lease names a running
// import, "" for none.
type Salts interface {
	Salt(project event.Project, day int64, lease string) ([32]byte, error)
}

// Site is a project as ingestion sees it.
type Site struct {
	Project       event.Project
	Key           [32]byte // the project's identity key: visitors derived from a user come from it
	Cookieless    bool     // a missing anonymous_id becomes a visitor of the day
	InternalHosts []string // hosts that count as the site's own referrers

	// AllowedParams and AllowedProperties are parameters of URLs and properties of events that stay, though
	// they may look like personal data.
	AllowedParams, AllowedProperties []string

	// Oldest is the first moment that the project's retention window still keeps; what is older is
	// refused. 0 keeps everything.
	Oldest event.Time
}

// Caller says who sends a request.
type Caller struct {
	Site   Site
	Server bool       // a server speaks for visitors: the body may name their ip and user_agent
	Addr   netip.Addr // the connection's own address; not used when Server
	Agent  string     // the connection's own user agent; not used when Server, kept by no event
	Import string     // the lease of a running import, "" for none

	// Private says that the visitor asked not to be followed; private.go says what comes of that.
	Private bool
}

// Options are what New needs. Appender and Salts must be set.
type Options struct {
	Appender Appender
	Salts    Salts
	Now      func() time.Time // the server's clock; must be set
}

// Pipeline turns requests into events. It is safe for concurrent use.
type Pipeline struct {
	appender Appender
	salts    Salts
	now      func() time.Time
	agents   *privacy.Agents
	readers  sync.Pool // of *reader: a JSON decoder's tables are larger than most requests
	singles  sync.Pool // of *[1]event.Event, zero
	slices   sync.Pool // of *[]event.Event, empty
}

// New returns a pipeline.
func New(opt Options) (*Pipeline, error) {
	if opt.Appender == nil || opt.Salts == nil || opt.Now == nil {
		return nil, errors.New("open pipeline: Appender, Salts and Now must be set")
	}
	agents, err := privacy.NewAgents()
	if err != nil {
		return nil, fmt.Errorf("open pipeline: %w", err)
	}
	visits := newVisitMemo()
	return &Pipeline{
		appender: opt.Appender, salts: opt.Salts, now: opt.Now, agents: agents,
		readers: sync.Pool{New: func() any { return &reader{visits: visits} }},
	}, nil
}

// Track appends the one event of body and returns its event_id, "" where none was sent. Nothing
// refers to body once Track has returned; the same goes for Batch and Identify.
func (p *Pipeline) Track(ctx context.Context, caller Caller, body []byte) (eventID string, err error) {
	got, err := p.read(caller, body, track)
	if err != nil {
		return "", err
	}
	return got.id, p.append(ctx, caller, got.events)
}

// Batch appends all events of body, or none where one of them is bad, and returns their number.
func (p *Pipeline) Batch(ctx context.Context, caller Caller, body []byte) (count int, err error) {
	got, err := p.read(caller, body, batch)
	if err != nil {
		return 0, err
	}
	count = len(got.events) + got.unkept
	return count, p.append(ctx, caller, got.events)
}

// Identify appends the event that links the visitor and the user of body.
func (p *Pipeline) Identify(ctx context.Context, caller Caller, body []byte) error {
	got, err := p.read(caller, body, identify)
	if err != nil {
		return err
	}
	return p.append(ctx, caller, got.events)
}

func (p *Pipeline) append(ctx context.Context, caller Caller, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := p.appender.Append(ctx, caller.Site.Project, events); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	p.recycle(events)
	return nil
}

// recycle keeps the place of one event, or of a large batch, for the next request. Zeroing and
// collecting these costs as much as reading the JSON of the events. Batches in between get slices
// of their own: they must not hold those of large ones.
func (p *Pipeline) recycle(events []event.Event) {
	clear(events)
	switch {
	case cap(events) == 1:
		p.singles.Put((*[1]event.Event)(events[:1]))
	case cap(events) >= recycleMin:
		events = events[:0]
		p.slices.Put(&events)
	}
}

// recycleMin is from how many events on a batch is large.
const recycleMin = 50

// call is one of the pipeline's three.
type call int

const (
	track call = iota
	batch
	identify
)

// taken is what came of a body.
type taken struct {
	events []event.Event
	unkept int    // events that are acknowledged and not kept
	id     string // the event_id of the last event
}

func (q *request) taken() taken {
	t := taken{events: q.events, unkept: q.unkept}
	if !q.many {
		t.id = strings.Clone(q.form.draft.id)
	}
	return t
}

// read returns the events of body.
func (p *Pipeline) read(caller Caller, body []byte, what call) (taken, error) {
	r := p.readers.Get().(*reader)
	r.open(body)
	// The reader goes back without its body: a pool must not keep what strangers sent.
	defer func() {
		r.close()
		p.readers.Put(r)
	}()

	now := event.TimeOf(p.now())
	r.caller = caller
	q := &r.request
	*q = request{
		reader:   r,
		many:     what == batch,
		form:     form{server: caller.Server, identify: what == identify, now: now, oldest: caller.Site.Oldest, place: placeNone},
		enricher: enricher{pipeline: p, reader: r, caller: &r.caller, many: what == batch, now: now},
	}
	q.makeRoom(len(body))
	if q.glance() {
		return q.taken(), nil
	}
	q.restart()
	if err := q.walk(); err != nil {
		return taken{}, ownError(readError(err))
	}
	if err := q.form.err(); err != nil {
		return taken{}, ownError(err)
	}
	return q.taken(), nil
}

// eventBytesLeast is about what a small event takes in a body; for smaller ones the slice grows.
const eventBytesLeast = 256

// makeRoom gives the events of a body a place.
func (q *request) makeRoom(size int) {
	if !q.many {
		one, ok := q.enricher.pipeline.singles.Get().(*[1]event.Event)
		if !ok {
			one = new([1]event.Event)
		}
		q.events = one[:0]
		return
	}
	expected := min(size/eventBytesLeast+1, event.BatchEventsMax)
	if expected < recycleMin {
		q.events = make([]event.Event, 0, expected)
		return
	}
	if old, ok := q.enricher.pipeline.slices.Get().(*[]event.Event); ok {
		q.events = *old
		return
	}
	q.events = make([]event.Event, 0, expected)
}

// restart forgets what came of the body so far.
func (q *request) restart() {
	clear(q.events)
	q.events, q.unkept = q.events[:0], 0
	q.form.fields, q.form.count, q.form.place = nil, 0, placeNone
}
