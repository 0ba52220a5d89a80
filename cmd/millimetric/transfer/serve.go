package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/audit"
	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/api"
)

// Door answers requests for events as they are. It is safe for concurrent use.
type Door struct {
	// Running ends when the server stops: what is being streamed breaks off then, before the store is closed.
	Running context.Context
	Now     func() time.Time
	Log     *slog.Logger // of answers that break off: their status is long sent
	// places bounds how many exports are under way: each holds a batch.
	places chan struct{}
	// taking is held by the import under way.
	taking sync.Mutex
}

// exportsMax is how many exports and subjects are streamed at a time. They are rare, and a few of them
// read as fast as the disk gives.
const exportsMax = 4

// exportRetry is when to ask again where all places are taken.
const exportRetry = 10 * time.Second

// NewDoor makes a door.
func NewDoor(running context.Context, now func() time.Time, log *slog.Logger) *Door {
	return &Door{Running: running, Now: now, Log: log, places: make(chan struct{}, exportsMax)}
}

const (
	headerAsOf = "Millimetric-As-Of"
	headerNext = "Millimetric-Next"
)

// Export answers /v1/export.
func (d *Door) Export(ctx *fasthttp.RequestCtx, questions *api.Door, project event.Project, note *audit.Entry) error {
	lister, export, err := questions.Export(ctx, project)
	if err != nil {
		return err
	}
	format := api.Choose(ctx, export.Format, query.FormatNDJSON, query.FormatCSV, query.FormatParquet)
	out := &bytes.Buffer{}
	s := &stream{from: lister, encoder: newEncoder(format, out), out: out, whole: format == query.FormatParquet, limit: export.Limit}
	s.ended = func(_ int, more bool) {
		if more {
			ctx.Response.Header.Set(headerNext, lister.Cursor())
		}
	}
	detail(note, map[string]any{"format": format, "from": timeText(export.From), "to": timeText(export.To),
		"filtered": len(export.Filters)+len(export.Matches) > 0})
	if err := ctx.Response.Header.SetTrailer(headerNext); err != nil {
		return err
	}
	return d.send(ctx, s, format, query.NameExport, &export.Common)
}

// send begins the answer. What follows is written after the handlers are done.
func (d *Door) send(ctx *fasthttp.RequestCtx, s *stream, format query.Format, name string, common *query.Common) error {
	select {
	case d.places <- struct{}{}:
	default:
		return &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"Other exports are under way"}, RetryIn: exportRetry}
	}
	s.release = func() { <-d.places }
	s.patience = func(wait time.Duration) {
		// Where it can't be set, the deadline of the whole answer stays.
		_ = ctx.SetWriteDeadline(time.Now().Add(wait))
	}
	s.from = &untilStopped{s.from, d.Running}
	s.failed = func(err error) { d.Log.Error("an export broke off", "route", name, "cause", err) }
	if err := s.begin(); err != nil {
		return joinClose(s, err)
	}
	h := &ctx.Response.Header
	h.Add("Vary", "Accept")
	h.Set(headerAsOf, strconv.FormatUint(uint64(common.AsOf), 10))
	h.Set("Content-Disposition", `attachment; filename="`+name+"."+string(format)+`"`)
	ctx.SetContentType(api.MediaType(format))
	ctx.SetStatusCode(fasthttp.StatusOK)
	ctx.SetBodyStream(s, -1)
	return nil
}

// untilStopped is a source until the server stops.
type untilStopped struct {
	source
	running context.Context
}

// Next returns the next batch.
func (u *untilStopped) Next(most int) (query.Batch, error) {
	if u.running.Err() != nil {
		return query.Batch{}, &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"The server is stopping"}, RetryIn: exportRetry}
	}
	return u.source.Next(most)
}

func joinClose(s *stream, err error) error {
	_ = s.Close() // gives back a place, and never fails
	return err
}

// detail says in the audit log what was asked for, without what would name a person.
func detail(note *audit.Entry, what map[string]any) {
	if text, err := json.Marshal(what); err == nil {
		note.Detail = text
	}
}
