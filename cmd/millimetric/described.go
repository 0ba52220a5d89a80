package main

import (
	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/openapi"
)

// describedRoutes is the route table as its description needs it.
func describedRoutes() []openapi.Route {
	var all []openapi.Route
	for _, r := range routeTable() {
		d := openapi.Route{Name: r.name, Methods: r.methods, Path: r.path, Scope: r.scope, Browser: r.browser, Beacon: r.beacon}
		for _, kind := range r.kinds {
			d.Kinds = append(d.Kinds, string(kind))
		}
		all = append(all, d)
	}
	return all
}

// openapi answers with the description of all routes.
func (s *server) openapi(ctx *fasthttp.RequestCtx, _ auth.Grant) error {
	ctx.SetContentType("application/json")
	ctx.SetBody(s.document)
	return nil
}

// llms says to language models what this server is.
func (s *server) llms(ctx *fasthttp.RequestCtx, _ auth.Grant) error {
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBody(openapi.LLMs())
	return nil
}
