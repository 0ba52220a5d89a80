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
func listWith(list func(*transfer.Door, *fasthttp.RequestCtx, *api.Door, event.Project, *audit.Entry) error) func(*server, *fasthttp.RequestCtx, auth.Grant) error {
	return func(s *server, ctx *fasthttp.RequestCtx, grant auth.Grant) error {
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
