package api

import (
	"context"

	"github.com/valyala/fasthttp"

	"millimetric/index/event"
	"millimetric/query"
)

// Lister lists the events of a project, batch by batch.
type Lister struct {
	door    *Door
	project event.Project
	name    string
	list    query.Listing
	client  context.Context
}

// Export reads an export from a request.
func (d *Door) Export(ctx *fasthttp.RequestCtx, project event.Project) (*Lister, *query.Export, error) {
	form, err := readForm(ctx)
	if err != nil {
		return nil, nil, err
	}
	if d.Zone != nil {
		form = form.WithZone(d.Zone(project))
	}
	export, err := query.ParseExport(form.For(project))
	if err == nil {
		err = d.mayAsk(export.Settings())
	}
	if err != nil {
		return nil, nil, err
	}
	return &Lister{d, project, query.NameExport, export, d.client(ctx)}, export, nil
}

// Subject reads from a request about whom all is asked.
func (d *Door) Subject(ctx *fasthttp.RequestCtx, project event.Project) (*Lister, *query.Subject, error) {
	form, err := readForm(ctx)
	if err != nil {
		return nil, nil, err
	}
	subject, err := query.ParseSubject(form)
	if err == nil {
		err = d.mayAsk(subject.Settings()) // part of what is kept on a person would look like all of it
	}
	if err != nil {
		return nil, nil, err
	}
	return &Lister{d, project, query.NameSubject, subject, d.client(ctx)}, subject, nil
}

// All lists what a door may see of a project, for whoever isn't a request of its own.
func (d *Door) All(ctx context.Context, project event.Project, list query.Listing) *Lister {
	return &Lister{d, project, query.NameExport, list, ctx}
}

// Next returns the next events, at most so many, in no longer than a question may take.
func (l *Lister) Next(most int) (batch query.Batch, err error) {
	began := l.door.now()
	l.list.Settings().Allowance = l.door.Allowance
	took, err := l.door.during(l.client, l.project, began, func(ctx context.Context, source query.Source) (err error) {
		batch, err = query.Next(ctx, source, l.list, most)
		return err
	})
	if err == nil && l.door.Answered != nil {
		l.door.Answered(l.name, batch.Cost, took)
	}
	return batch, err
}

// Cursor is the word with which an export goes on behind the last batch.
func (l *Lister) Cursor() string {
	common := l.list.Settings()
	return common.Cursor(common.AsOf, common.Page)
}

// client is the context of whoever asks: it ends when the client hangs up. The request's own never ends
// before the answer is written, so it is no use here.
func (d *Door) client(ctx *fasthttp.RequestCtx) context.Context {
	if d.Gone == nil {
		return context.Background()
	}
	return &attended{Context: context.Background(), gone: func() bool { return d.Gone(ctx.Conn()) }}
}
