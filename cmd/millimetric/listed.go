package main

import (
	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/transfer"
	"millimetric/index/event"
	"millimetric/query/api"
)

// listWith hands a request for events as they are to their door. The audit log names the project that an
// account key asks about, too.
func listWith(name string, list func(*transfer.Door, *fasthttp.RequestCtx, *api.Door, event.Project, *audit.Entry) error) func(*server, *fasthttp.RequestCtx, auth.Grant) error {
	return func(s *server, ctx *fasthttp.RequestCtx, grant auth.Grant) error {
		if err := s.rates.take(grant.Project, name); err != nil {
			return err
		}
		project, err := s.projectOf(ctx, grant)
		if err != nil {
			return err
		}
		note := noteOf(ctx)
		for _, p := range s.book.Projects(grant.Account) {
			if p.Number == project {
				note.Project = p.ID
			}
		}
		return list(s.transfer, ctx, s.doorOf(grant), project, note)
	}
}

// takeIn hands rows that were exported once to the project that the path names.
func (s *server) takeIn(ctx *fasthttp.RequestCtx, grant auth.Grant) error {
	note := noteOf(ctx)
	p, err := s.projectInPath(ctx, grant, note)
	if err != nil {
		return err
	}
	if p.Archived != nil {
		return &event.Error{Kind: event.ErrDenied, Code: auth.CodeProjectArchived}
	}
	return s.transfer.Import(ctx, transfer.Into{Project: p.Number, Oldest: s.oldest(p.Number), Questions: s.api, Append: s.admin.Engine}, note)
}

// projectInPath finds the project that the path names, by its id or its slug.
func (s *server) projectInPath(ctx *fasthttp.RequestCtx, grant auth.Grant, note *audit.Entry) (*auth.Project, error) {
	name, _ := ctx.UserValue("id").(string)
	p := s.book.ProjectNamed(grant.Account, name, "")
	if p == nil {
		p = s.book.ProjectNamed(grant.Account, "", name)
	}
	if p == nil {
		return nil, s.book.NoProject(name)
	}
	note.Project = p.ID
	return p, nil
}
