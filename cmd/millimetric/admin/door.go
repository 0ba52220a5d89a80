// Package admin is the HTTP door for administrators: projects, keys, origins and settings, the audit
// log, and the care of the store.
//
// It decides what a request to it means, and nothing of who may send one: that was settled before, and
// each project and key that a request names is looked up among those of the grant's account. Errors
// go back to the server, which writes them, and notes in the audit log what was done. The package
// starts no goroutines and writes nothing to disk by itself.
package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/archive"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/receipt"
	"millimetric/engine"
	"millimetric/index/event"
)

// Door answers administrators. It is safe for concurrent use.
type Door struct {
	Book   *auth.Book
	Engine *engine.Engine
	Audit  *audit.Log
	Now    func() time.Time
	// Running ends when the server stops: what takes long is given up then.
	Running context.Context
	// Forget destroys the secret from which a project's visitors are derived.
	Forget func(event.Project) error
	// Signer signs the receipts of projects that were destroyed.
	Signer receipt.Signer
	// Backups are the store's; nil where none are made.
	Backups Backups
	// Return answers with a project as an archive. done gives, line by line, what was done with the project;
	// it is called once the answer has begun, when this request is in the audit log, too.
	Return func(ctx *fasthttp.RequestCtx, project event.Project, about any, done func(line func([]byte) error) error, secret archive.Secret) error
	// Routes are those of the server, to which keys can be narrowed.
	Routes []Route

	// Privacy is what the record of processing is told.
	Privacy PrivacySources

	working sync.Mutex // one work on the whole store at a time: two would only slow each other down
}

// Route is a route as keys are narrowed to it.
type Route struct {
	Name  string
	Kinds []auth.Kind // that it is open to
	Scope string      // that a read key needs for it
}

// Request is one request to the door.
type Request struct {
	HTTP  *fasthttp.RequestCtx
	Grant auth.Grant
	Note  *audit.Entry // what the audit log will say; the door adds what it acts on
}

// writeWait bounds how long a change may take to become durable.
const writeWait = 10 * time.Second

// writing gives a change its time. The request's own context never ends before the answer.
func (d *Door) writing() (context.Context, context.CancelFunc) {
	return context.WithTimeout(d.Running, writeWait)
}

// answer writes a value as JSON.
func (r *Request) answer(status int, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	r.HTTP.SetContentType("application/json")
	r.HTTP.SetStatusCode(status)
	r.HTTP.SetBody(text)
	return nil
}

// detail has the audit log say what was changed.
func (r *Request) detail(value any) {
	if text, err := json.Marshal(value); err == nil {
		r.Note.Detail = text
	}
}

// named returns what stands for a part of the route's path.
func (r *Request) named(name string) string {
	text, _ := r.HTTP.UserValue(name).(string)
	return text
}

// project finds the project that the path names, by its id or its slug: slugs hold no "_", so that none
// is another's id.
func (d *Door) project(r *Request) (*auth.Project, error) {
	name := r.named("id")
	p := d.Book.ProjectNamed(r.Grant.Account, name, "")
	if p == nil {
		p = d.Book.ProjectNamed(r.Grant.Account, "", name)
	}
	if p == nil {
		return nil, d.Book.NoProject(name)
	}
	r.Note.Project = p.ID
	return p, nil
}

// projectAndBody is what most calls that change a project begin with.
func (d *Door) projectAndBody(r *Request) (*auth.Project, *fields, error) {
	p, err := d.project(r)
	if err != nil {
		return nil, nil, err
	}
	f, err := body(r.HTTP)
	return p, f, err
}

// unnarrowed refuses a key that was narrowed where it could get itself one that wasn't.
func (r *Request) unnarrowed() error {
	if r.Grant.IsFree() {
		return nil
	}
	return &event.Error{Kind: event.ErrDenied, Code: auth.CodeInsufficientScope,
		Notes: []string{"A key that was narrowed can't make or change keys"}}
}

func notFound(note string) error {
	return &event.Error{Kind: event.ErrMissing, Code: event.CodeNotFound, Notes: []string{note}}
}

// routeNames checks that a key of some kind can be narrowed to routes.
func (d *Door) routeNames(kind auth.Kind, names []string, f *fields) {
	for i, name := range names {
		open := slices.ContainsFunc(d.Routes, func(r Route) bool { return r.Name == name && slices.Contains(r.Kinds, kind) })
		if !open {
			f.errs.Add(fmt.Sprintf("routes.%d", i), fmt.Sprintf("No route that a key of kind %s may call is named so", kind))
		}
	}
}
