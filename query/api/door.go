// Package api is the HTTP door for questions: it reads a question from a GET or a POST, asks it of
// a project's snapshot, and writes the answer as JSON, as CSV or as a picture. It knows no question of its own and decides no
// access: who may ask was settled before, and errors go back to the server, which writes them.
//
// The package starts no goroutines, but questions may (see query), and writes nothing to disk.
package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/index/event"
	"millimetric/query"
)

// bodyBytesMax bounds the body of a question: room for a list of ten thousand ids in filters, and
// little enough that reading it can't hold up a server.
const bodyBytesMax = 1 << 20

// budgetDefault is how long a question may take where the door doesn't say: longer than clients
// and proxies commonly wait.
const budgetDefault = 30 * time.Second

const codeScope = "insufficient_scope"

const codeUnsupported = "unsupported_media_type"

// The parameters that name a project. They may stand in the URL of a POST, too.
const (
	paramProjectID   = "project_id"
	paramProjectSlug = "project_slug"
)

// Door answers questions. It is safe for concurrent use.
type Door struct {
	// Snapshot returns a project as it is now. Where it has a method Release, that is called once the
	// question is answered.
	Snapshot func(event.Project) query.Source
	// Now is the clock: of questions about now and about what hasn't ended yet, and of the cost of
	// explained answers; nil is the year 1.
	Now func() time.Time
	// Answered is told of each question that was answered; nil where nobody wants to know.
	Answered func(name string, cost query.Cost, took time.Duration)
	Budget   time.Duration // of one question, and of its waiting; 0 is 30 seconds
	// Memo is what questions leave to later ones; nil is nothing.
	Memo *query.Memo
	// Allowance is the memory that all questions share; nil bounds each question alone.
	Allowance *query.Allowance
	// Workers are those of all questions; nil lets each work on its own goroutine only.
	Workers *query.Workers
	// Gone reports whether the client of a connection has hung up; nil for never. It is asked while a
	// question is under way, and mustn't wait.
	Gone func(net.Conn) bool
	// Turns bounds how many questions work at a time; nil doesn't.
	Turns *Turns
	// Zone returns the time zone of a project's questions that name none; UTC where it is nil or returns
	// nothing.
	Zone func(event.Project) string

	from, to event.Time // of the events that questions may see; see Within
	least    int        // visitors that a number must be about; see Least
}

// Within returns a door whose questions see no events but those with from <= Time < to. One whose range
// reaches beyond is refused: its answer would look like another's.
func (d *Door) Within(from, to event.Time) *Door {
	within := *d
	within.from, within.to = from, to
	return &within
}

// Least returns a door whose answers show no number about fewer than k visitors, nor any from which such a
// number could be reckoned; 0 shows all.
func (d *Door) Least(k int) *Door {
	least := *d
	least.least = k
	return &least
}

// mayAsk refuses a question about events that may not be seen. One about now has no range.
func (d *Door) mayAsk(q *query.Common) error {
	if d.to == 0 || q.To == 0 || q.From >= d.from && q.To <= d.to {
		return nil
	}
	note := "The key only reads events"
	if d.from > event.TimeMin {
		note += " from " + d.from.Std().Format(time.RFC3339) + " on"
	}
	if d.to <= event.TimeMax {
		note += " before " + d.to.Std().Format(time.RFC3339)
	}
	return &event.Error{Kind: event.ErrDenied, Code: codeScope, Notes: []string{note}}
}

// Events answers /v1/query.
func (d *Door) Events(ctx *fasthttp.RequestCtx, project event.Project) error {
	return d.ask(ctx, project, "query")
}

// Stats answers /v1/stats.
func (d *Door) Stats(ctx *fasthttp.RequestCtx, project event.Project) error {
	return d.ask(ctx, project, "stats")
}

// Sources answers /v1/sources.
func (d *Door) Sources(ctx *fasthttp.RequestCtx, project event.Project) error {
	return d.ask(ctx, project, "sources")
}

// Paths answers /v1/paths.
func (d *Door) Paths(ctx *fasthttp.RequestCtx, project event.Project) error {
	return d.ask(ctx, project, "paths")
}

// Live answers /v1/live.
func (d *Door) Live(ctx *fasthttp.RequestCtx, project event.Project) error {
	return d.ask(ctx, project, "live")
}

// Attribution answers /v1/attribution.
func (d *Door) Attribution(ctx *fasthttp.RequestCtx, project event.Project) error {
	return d.ask(ctx, project, "attribution")
}

// Sessions answers /v1/sessions.
func (d *Door) Sessions(ctx *fasthttp.RequestCtx, project event.Project) error {
	return d.ask(ctx, project, "sessions")
}

// Funnel answers /v1/funnel.
func (d *Door) Funnel(ctx *fasthttp.RequestCtx, project event.Project) error {
	return d.ask(ctx, project, "funnel")
}

// Retention answers /v1/retention.
func (d *Door) Retention(ctx *fasthttp.RequestCtx, project event.Project) error {
	return d.ask(ctx, project, "retention")
}

func (d *Door) ask(ctx *fasthttp.RequestCtx, project event.Project, name string) error {
	form, err := readForm(ctx)
	if err != nil {
		return err
	}
	question, answer, err := d.Ask(d.client(ctx), project, name, form)
	if err != nil {
		return err
	}
	return write(ctx, name, question, answer)
}

// Answer asks a project for those who have a form already and want no more than the answer.
func (d *Door) Answer(ctx context.Context, project event.Project, name string, form query.Form) (*query.Answer, error) {
	_, answer, err := d.Ask(ctx, project, name, form)
	return answer, err
}

// Ask asks a project, in no longer than the door's budget. It is what all calls of the door come down to.
// The question is what the form was understood as; tables and pictures are made of it and the answer.
func (d *Door) Ask(ctx context.Context, project event.Project, name string, form query.Form) (query.Question, *query.Answer, error) {
	began := d.now()
	if d.Zone != nil {
		form = form.WithZone(d.Zone(project))
	}
	question, err := query.Parse(name, form.For(project))
	if err != nil {
		return nil, nil, err
	}
	if err := d.mayAsk(question.Settings()); err != nil {
		return nil, nil, err
	}
	question.Settings().Now = event.TimeOf(began)
	question.Settings().Memo = d.Memo
	question.Settings().K = d.least
	question.Settings().Allowance = d.Allowance
	question.Settings().Workers = d.Workers
	var answer *query.Answer
	took, err := d.during(ctx, project, began, func(ctx context.Context, source query.Source) (err error) {
		answer, err = query.Run(ctx, source, question)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if d.Answered != nil {
		d.Answered(name, answer.Cost, took)
	}
	if answer.Explain != nil {
		answer.Explain.Cost.Elapsed = took
	}
	return question, answer, nil
}

// during has work look at a project as it is now, in no longer than the door's budget, and returns how long
// that took since it began.
func (d *Door) during(ctx context.Context, project event.Project, began time.Time, work func(context.Context, query.Source) error) (time.Duration, error) {
	budget := d.Budget
	if budget == 0 {
		budget = budgetDefault
	}
	bounded, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	if client, ok := ctx.(*attended); ok {
		bounded = &attended{Context: bounded, gone: client.gone}
	}
	source := d.Snapshot(project)
	if held, ok := source.(interface{ Release() }); ok {
		defer held.Release()
	}
	if d.to > 0 {
		source = query.Within(source, d.from, d.to)
	}
	d.Workers.Begin() // who waits for a turn comes before helpers of others
	defer d.Workers.End()
	if d.Turns != nil {
		turn, err := d.Turns.begin(bounded)
		if err != nil {
			return 0, err
		}
		defer turn.end()
		bounded = turn
	}
	err := work(bounded, source)
	if errors.Is(err, errGone) {
		// Nobody reads what is answered now. It isn't ours to repair, so it must not look like that.
		err = &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Cause: err}
	}
	return d.now().Sub(began), err
}

func (d *Door) now() time.Time {
	if d.Now == nil {
		return time.Time{}
	}
	return d.Now()
}

// ProjectNamed returns the project that a question names, by id or by slug; "" is not named. The
// rest of the question isn't looked at.
func ProjectNamed(ctx *fasthttp.RequestCtx) (id, slug string, err error) {
	form, err := readForm(ctx)
	if err != nil {
		return "", "", err
	}
	args := ctx.QueryArgs()
	id, slug = string(args.Peek(paramProjectID)), string(args.Peek(paramProjectSlug))
	if ctx.IsPost() {
		if id, err = either(paramProjectID, id, form); err != nil {
			return "", "", err
		}
		slug, err = either(paramProjectSlug, slug, form)
	}
	return id, slug, err
}

// either reads a field of a body that may stand in the URL as well, but not with another value.
func either(name, inURL string, body query.Form) (string, error) {
	inBody, err := body.Text(name)
	switch {
	case err != nil:
		return "", err
	case inBody == "":
		return inURL, nil
	case inURL != "" && inURL != inBody:
		return "", event.InvalidField(event.CodeInvalidParams, name, "Differs between the URL and the body")
	}
	return inBody, nil
}

// readForm reads the fields of a question: the parameters of a GET, the body of a POST.
func readForm(ctx *fasthttp.RequestCtx) (query.Form, error) {
	params, err := query.FormOfParams(func(yield func(name, value string) bool) {
		for name, value := range ctx.QueryArgs().All() {
			if !yield(string(name), string(value)) {
				return
			}
		}
	})
	if err != nil || !ctx.IsPost() {
		return params, err
	}
	errs := event.FieldErrors{}
	for name := range ctx.QueryArgs().All() {
		if n := string(name); n != paramProjectID && n != paramProjectSlug {
			errs[n] = []string{"Must stand in the body of a POST"}
		}
	}
	if len(errs) > 0 {
		return query.Form{}, &event.Error{Kind: event.ErrInput, Code: event.CodeInvalidParams, Fields: errs}
	}
	body, err := readBody(&ctx.Request)
	if err != nil {
		return query.Form{}, err
	}
	return query.FormOfJSON(body)
}

// readBody returns a body of a bounded size. Questions are small, so none is taken compressed.
func readBody(request *fasthttp.Request) ([]byte, error) {
	coding := string(request.Header.ContentEncoding())
	if coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, &event.Error{Kind: event.ErrInput, Code: codeUnsupported}
	}
	if request.IsBodyStream() {
		// No limit of the server holds for a stream, and its reader can be read only once.
		body, err := io.ReadAll(io.LimitReader(request.BodyStream(), bodyBytesMax+1))
		if err != nil {
			return nil, fmt.Errorf("read question: %w", err)
		}
		request.SetBodyRaw(body)
	}
	body := request.Body()
	if len(body) > bodyBytesMax {
		return nil, &event.Error{Kind: event.ErrLimit, Code: event.CodeTooLarge}
	}
	return body, nil
}
