// Package forget is the HTTP door through which persons are erased, and through which receipts of that are
// handed out.
//
// It decides whose data a request is about, and nothing of who may send one: that was settled before.
// Errors go back to the server, which writes them and notes in the audit log what was done; the note names
// the receipt, never the person. The package starts no goroutines and writes nothing to disk by itself.
package forget

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/receipt"
	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/ingest/intake"
)

// Door erases persons. It is safe for concurrent use.
type Door struct {
	Book   *auth.Book
	Engine *engine.Engine
	Signer receipt.Signer
	// Running ends when the server stops.
	Running context.Context
	// OldestBackup says when the oldest backup was made that holds what was there before a time; nil where
	// the server makes none.
	OldestBackup func(before time.Time) *time.Time
	// Ship has the backup's target take the ledger at once: the loss of the machine must not bring back whoever was told
	// to be erased. Nil where the server makes no backups.
	Ship func(context.Context) error
}

// shipWait is how long an erasure waits for the backup's target before it answers: longer, and a target that is
// down would be felt by everybody. The ledger is copied as soon as it is back.
const shipWait = 3 * time.Second

// Request is one request to the door.
type Request struct {
	HTTP  *fasthttp.RequestCtx
	Grant auth.Grant
	Note  *audit.Entry // what the audit log will say; the door adds what it acts on
}

// Lengths of ids, in characters, as events have them.
const (
	userIDMax    = 256
	visitorIDMax = 128
)

// Forget erases a user or a visitor. It answers once no answer shows them any more.
func (d *Door) Forget(r *Request) error {
	text, err := intake.Body(r.HTTP)
	if err != nil {
		return err
	}
	f := fields{errs: event.FieldErrors{}}
	if err := jsonv2.Unmarshal(text, &f.values); err != nil || f.values == nil {
		return event.Invalid(event.CodeInvalidPayload, "The body must be a JSON object, with no name in it twice")
	}
	who := engine.Person{UserID: f.id("user_id", userIDMax), AnonymousID: f.id("anonymous_id", visitorIDMax)}
	if len(f.errs) == 0 {
		switch {
		case who == engine.Person{}:
			f.errs.Add("user_id", "Required, or anonymous_id")
		case who.UserID != "" && who.AnonymousID != "":
			f.errs.Add("anonymous_id", "Must not stand beside user_id: one person at a time")
		}
	}
	project, err := d.project(r, &f)
	if err != nil {
		return err
	}
	x, err := d.Engine.Erase(d.Running, project.Number, who)
	if err != nil {
		return failed(err)
	}
	detail := map[string]any{"receipt": x.Receipt, "kind": x.Kind, "events": x.Events}
	if d.Ship != nil {
		detail["copied"] = d.copied()
	}
	r.detail(detail)
	return r.answer(map[string]any{"ok": true, "queued": true, "receipt": x.Receipt})
}

// copied reports whether the backup has the erasure. Why it hasn't is told by the backup, which goes on trying.
func (d *Door) copied() bool {
	ctx, cancel := context.WithTimeout(d.Running, shipWait)
	defer cancel()
	return d.Ship(ctx) == nil
}

// failed is an error of an erasure: where it isn't meant for clients, they are told that it failed.
func failed(err error) error {
	if e := event.AsError(err); e.Code != event.CodeInternal {
		return e
	}
	return &event.Error{Kind: event.ErrInternal, Code: engine.CodeForgetFailed, Cause: err}
}

// Receipt hands out a receipt, signed.
func (d *Door) Receipt(r *Request) error {
	id, _ := r.HTTP.UserValue("receipt").(string)
	x, err := d.Engine.Erasure(id)
	if errors.Is(err, event.ErrMissing) {
		return notFound("No such receipt")
	}
	if err != nil {
		return err
	}
	project := d.owner(r.Grant, x.Project)
	if project == nil {
		return notFound("No such receipt")
	}
	r.Note.Project = project.ID
	r.detail(map[string]any{"receipt": x.Receipt})
	out := receipt.Of(x, project.ID)
	if d.OldestBackup != nil {
		out.OldestBackup = d.OldestBackup(out.RequestedAt)
	}
	text, err := d.Signer.Sign(out)
	if err != nil {
		return err
	}
	r.HTTP.SetContentType("application/json")
	r.HTTP.SetBody(text)
	return nil
}

// owner returns the project of a number, where it is the key's or of its account.
func (d *Door) owner(grant auth.Grant, number event.Project) *auth.Project {
	if grant.Project != nil {
		if grant.Project.Number != number {
			return nil
		}
		return grant.Project
	}
	for _, p := range d.Book.Projects(grant.Account) {
		if p.Number == number {
			return &p
		}
	}
	return nil
}

// project says in which project somebody is erased: a secret key's own, or the one that is named, in the body or
// in the URL.
func (d *Door) project(r *Request, f *fields) (*auth.Project, error) {
	id, slug := f.text("project_id"), f.text("project_slug")
	args := r.HTTP.QueryArgs()
	if id == "" {
		id = string(args.Peek("project_id"))
	}
	if slug == "" {
		slug = string(args.Peek("project_slug"))
	}
	own := r.Grant.Project
	if own == nil && id == "" && slug == "" {
		f.errs.Add("project_id", "Required")
	}
	if len(f.errs) > 0 {
		return nil, &event.Error{Kind: event.ErrInput, Code: event.CodeInvalidPayload, Fields: f.errs}
	}
	if own != nil {
		if id != "" && id != own.ID || slug != "" && slug != own.Slug {
			return nil, &event.Error{Kind: event.ErrDenied, Code: auth.CodeInsufficientScope}
		}
		return own, nil
	}
	p := d.Book.ProjectNamed(r.Grant.Account, id, slug)
	if p == nil {
		return nil, d.Book.NoProject(cmp.Or(id, slug))
	}
	r.Note.Project = p.ID
	return p, nil
}

func notFound(note string) error {
	return &event.Error{Kind: event.ErrMissing, Code: event.CodeNotFound, Notes: []string{note}}
}

// fields are the members of a body. Like those of events, what nobody knows is ignored.
type fields struct {
	values map[string]jsontext.Value
	errs   event.FieldErrors
}

// text returns a field of text, "" where it is missing.
func (f *fields) text(name string) (text string) {
	value, sent := f.values[name]
	if !sent {
		return ""
	}
	if err := jsonv2.Unmarshal(value, &text); err != nil || value.Kind() != '"' {
		f.errs.Add(name, "Expected string")
		return ""
	}
	return text
}

// id returns an id, "" where it is missing or bad.
func (f *fields) id(name string, most int) string {
	if _, sent := f.values[name]; !sent {
		return ""
	}
	text := f.text(name)
	switch {
	case f.errs[name] != nil:
	case text == "":
		f.errs.Add(name, "String must contain at least 1 character(s)")
	case utf8.RuneCountInString(text) > most:
		f.errs.Add(name, "String must contain at most "+strconv.Itoa(most)+" character(s)")
	case strings.IndexByte(text, 0) >= 0:
		f.errs.Add(name, "Must not contain NUL")
	default:
		return text
	}
	return ""
}

func (r *Request) answer(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	r.HTTP.SetContentType("application/json")
	r.HTTP.SetBody(text)
	return nil
}

// detail has the audit log say what was done.
func (r *Request) detail(value any) {
	if text, err := json.Marshal(value); err == nil {
		r.Note.Detail = text
	}
}
