package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/archive"
	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/api"
)

// About is what an archive holds of a project beside its events.
type About struct {
	Project any // what it is
	// Done gives, line by line, what was done with it: its entries of the audit log.
	Done func(line func([]byte) error) error
}

// Return answers with a whole project as an encrypted archive: what is to be known about it, and all events,
// bots' included, as Parquet by day, just as an export writes them.
func (d *Door) Return(ctx *fasthttp.RequestCtx, questions *api.Door, project event.Project, about About, secret archive.Secret) error {
	text, err := json.MarshalIndent(about.Project, "", " ")
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	select {
	case d.places <- struct{}{}:
	default:
		return &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"Other exports are under way"}, RetryIn: exportRetry}
	}
	all := query.NewAll()
	given := &given{
		from: &untilStopped{questions.All(context.Background(), project, all), d.Running}, about: text, done: about.Done, secret: secret, now: d.Now(),
		patience: func() { _ = ctx.SetWriteDeadline(time.Now().Add(stallMax)) }, // without it, the deadline of the whole answer stays
		failed:   func(err error) { d.Log.Error("the return of a project broke off", "cause", err) },
		release:  func() { <-d.places },
	}
	if given.first, err = given.from.Next(batchEvents); err != nil {
		return errors.Join(err, given.Close())
	}
	ctx.Response.Header.Set(headerAsOf, fmt.Sprint(all.AsOf))
	ctx.Response.Header.Set("Content-Disposition", `attachment; filename="project.archive"`)
	ctx.SetContentType("application/octet-stream")
	ctx.SetStatusCode(fasthttp.StatusOK)
	ctx.SetBodyStream(given, -1)
	return nil
}

// partBytes is from when on a part of a day ends: a part is held until its length is known.
const partBytes = 8 << 20

// given is the body of an answer: an archive that is written as it is read.
type given struct {
	from     source
	first    query.Batch
	about    []byte
	done     func(line func([]byte) error) error
	secret   archive.Secret
	now      time.Time
	patience func()
	failed   func(error)
	release  func()

	archive *archive.Writer
	day     string
	part    int // of the day, from 1
	rows    encoder
	content bytes.Buffer
	events  int
}

// SupportsBodyWriteTo says that the body is written by WriteTo.
func (g *given) SupportsBodyWriteTo() bool { return true }

// Read is not how the server reads it.
func (g *given) Read([]byte) (int, error) { return 0, errors.New("an archive is written, not read") }

// Close gives back its place.
func (g *given) Close() error {
	g.release()
	return nil
}

// WriteTo writes the archive. One that breaks off lacks its end, and is never taken for a whole one.
func (g *given) WriteTo(w io.Writer) (int64, error) {
	out := &paced{w: w, patience: g.patience}
	err := g.write(out)
	if err != nil && out.err == nil { // where the client is gone, nothing is wrong with us
		g.failed(err)
	}
	return out.written, err
}

func (g *given) write(w io.Writer) (err error) {
	if g.archive, err = archive.NewWriter(w, g.secret, g.now); err != nil {
		return err
	}
	if err := errors.Join(g.archive.Add("project.json", g.about), g.addDone()); err != nil {
		return err
	}
	asOf := g.first.AsOf
	for batch := g.first; ; {
		if err := g.add(batch.Events, asOf); err != nil {
			return err
		}
		if !batch.More {
			break
		}
		g.first = query.Batch{}
		if batch, err = g.from.Next(batchEvents); err != nil {
			return err
		}
	}
	if err := g.finishPart(asOf); err != nil {
		return err
	}
	summary, err := json.Marshal(map[string]any{"events": g.events, "as_of": fmt.Sprint(asOf), "written_at": g.now.UTC()})
	if err != nil {
		return err
	}
	return errors.Join(g.archive.Add("summary.json", summary), g.archive.Close())
}

// addDone adds what was done with the project, in parts, of which there mostly is one.
func (g *given) addDone() error {
	part, parts := bytes.Buffer{}, 0
	finish := func() error {
		parts++
		err := g.archive.Add(fmt.Sprintf("audit/part-%04d.ndjson", parts), part.Bytes())
		part.Reset()
		return err
	}
	err := g.done(func(line []byte) error {
		part.Write(append(line, '\n'))
		if part.Len() < partBytes {
			return nil
		}
		return finish()
	})
	if err == nil && (part.Len() > 0 || parts == 0) {
		err = finish()
	}
	return err
}

// add adds events, which come in the order of their times.
func (g *given) add(events []*event.Event, asOf event.Seq) error {
	for len(events) > 0 {
		day := dayOf(events[0])
		n := 1
		for n < len(events) && dayOf(events[n]) == day {
			n++
		}
		if day != g.day || g.content.Len() >= partBytes {
			if err := g.finishPart(asOf); err != nil {
				return err
			}
			g.beginPart(day)
		}
		if err := g.rows.write(events[:n]); err != nil {
			return err
		}
		g.events += n
		events = events[n:]
	}
	return nil
}

func dayOf(e *event.Event) string { return e.Time.Std().Format(time.DateOnly) }

func (g *given) beginPart(day string) {
	if g.day != day {
		g.day, g.part = day, 0
	}
	g.part++
	g.content.Reset()
	g.rows = newEncoder(query.FormatParquet, &g.content)
}

func (g *given) finishPart(asOf event.Seq) error {
	if g.rows == nil {
		return nil
	}
	if err := g.rows.end(); err != nil {
		return err
	}
	g.rows = nil
	return g.archive.Add(fmt.Sprintf("events/dt=%s/part-%012d-%012d-%04d.parquet", g.day, 1, asOf, g.part), g.content.Bytes())
}

// paced writes little at a time, and gives the client time for each.
type paced struct {
	w        io.Writer
	patience func()
	written  int64
	err      error
}

const pacedBytes = 64 << 10

func (p *paced) Write(text []byte) (written int, err error) {
	for len(text) > 0 {
		p.patience()
		n, err := p.w.Write(text[:min(len(text), pacedBytes)])
		written += n
		p.written += int64(n)
		if err != nil {
			p.err = err
			return written, err
		}
		text = text[n:]
	}
	return written, nil
}
