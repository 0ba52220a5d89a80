package main

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
)

// noteKey is where a request holds what the audit log will say of it.
const noteKey = "millimetric audit"

// auditWait bounds how long an answer waits for its entry to be on disk.
const auditWait = 10 * time.Second

// underAudit answers a request and notes what came of it, before the answer is sent: what nobody would
// know of must not be given out. refused is what the check of its key came to. Of a change that was made
// but couldn't be noted, the caller is told that something failed; making it again is harmless.
func (s *server) underAudit(ctx *fasthttp.RequestCtx, r route, grant auth.Grant, refused error) error {
	note := &audit.Entry{Action: r.name, Actor: grant.Prefix, Kind: string(grant.Kind), Account: grant.Account}
	if grant.Project != nil {
		note.Project = grant.Project.ID
	}
	ctx.SetUserValue(noteKey, note)
	write, err := s.audit.Refused, refused
	if refused == nil {
		if broken := s.audit.Broken(); broken != nil {
			return broken // before anything is done of which nobody would know
		}
		write, err = s.audit.Append, r.handle(s, ctx, grant)
	}
	note.Result = audit.ResultOK
	if err != nil {
		note.Result = event.AsError(err).Code
	}
	bounded, cancel := context.WithTimeout(context.Background(), auditWait)
	defer cancel()
	if failed := write(bounded, *note); failed != nil {
		return failed
	}
	return err
}

// noteOf returns what the audit log will say of a request.
func noteOf(ctx *fasthttp.RequestCtx) *audit.Entry {
	if note, ok := ctx.UserValue(noteKey).(*audit.Entry); ok {
		return note
	}
	return &audit.Entry{} // nobody will read it
}

// adminWith hands a request to the administrators' door.
func adminWith(do func(*admin.Door, *admin.Request) error) func(*server, *fasthttp.RequestCtx, auth.Grant) error {
	return func(s *server, ctx *fasthttp.RequestCtx, grant auth.Grant) error {
		return do(s.admin, &admin.Request{HTTP: ctx, Grant: grant, Note: noteOf(ctx)})
	}
}

// note writes an entry about what was done on the data folder itself.
func (f *folder) note(ctx context.Context, e audit.Entry) error {
	e.Actor, e.Result = audit.ActorOffline, audit.ResultOK
	if e.Account == "" {
		if accounts := f.book.Accounts(); len(accounts) > 0 {
			e.Account = accounts[0].ID
		}
	}
	return f.audit.Append(ctx, e)
}
