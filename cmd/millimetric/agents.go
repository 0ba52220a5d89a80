package main

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/mcp"
	"millimetric/index/event"
	"millimetric/query"
)

// agentSettings are which pages and names the door for agents lets in.
type agentSettings struct {
	origins, hosts []string
}

func readAgentSettings(values settings) (agentSettings, error) {
	var let agentSettings
	for _, text := range values["mcp-origin"] {
		origin, err := auth.NormalOrigin(text)
		if err != nil {
			return let, err
		}
		let.origins = append(let.origins, origin)
	}
	for _, text := range values["mcp-host"] {
		let.hosts = append(let.hosts, strings.ToLower(text))
	}
	return let, nil
}

// newAgents makes the door for agents: it asks and tracks as every other client does.
func (s *server) newAgents(let agentSettings, now func() time.Time) *mcp.Door {
	return mcp.New(mcp.Options{
		Ask: func(ctx context.Context, grant auth.Grant, project event.Project, name string, form query.Form) (query.Question, *query.Answer, error) {
			leave, err := s.enter()
			if err != nil {
				return nil, nil, err
			}
			defer leave()
			return s.doorOf(grant).Ask(ctx, project, name, form)
		},
		Track: func(ctx context.Context, grant auth.Grant, body []byte) (string, error) {
			caller, err := s.bareCaller(grant)
			if err != nil {
				return "", err
			}
			if grant.Project.Archived != nil {
				return "", &event.Error{Kind: event.ErrDenied, Code: auth.CodeProjectArchived}
			}
			// A client that goes away doesn't take back what it sent.
			return s.intake.Pipeline.Track(context.WithoutCancel(ctx), caller, body)
		},
		Projects: s.book.Projects, MaybeLost: s.book.MaybeLost,
		Now: now, Log: s.log, Origins: let.origins, Hosts: let.hosts, Version: thisBuild().Version,
	})
}

// agentWith hands a request to the door for agents.
func agentWith(serve func(*mcp.Door, *fasthttp.RequestCtx, auth.Grant) error) func(*server, *fasthttp.RequestCtx, auth.Grant) error {
	return func(s *server, ctx *fasthttp.RequestCtx, grant auth.Grant) error {
		return serve(s.mcp, ctx, grant)
	}
}

// checkAgentHost refuses requests under a foreign name; see the door.
func (s *server) checkAgentHost(ctx *fasthttp.RequestCtx) error {
	return s.mcp.CheckHost(ctx, s.isProxied(ctx))
}

// isProxied tells whether a trusted proxy sent the request.
func (s *server) isProxied(ctx *fasthttp.RequestCtx) bool {
	tcp, ok := ctx.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	addr, ok := netip.AddrFromSlice(tcp.IP)
	return ok && s.trusts(addr.Unmap())
}
