package main

import (
	"fmt"
	"maps"
	"strings"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/forget"
	"millimetric/cmd/millimetric/mcp"
	"millimetric/cmd/millimetric/transfer"
	"millimetric/ingest/intake"
	"millimetric/query/api"
)

// route is one row of the route table.
type route struct {
	name    string // what keys are narrowed to
	methods []string
	path    string                                    // a part in braces stands for any one; the handler finds it in the request's values
	kinds   []auth.Kind                               // the kinds of key it is open to; none where it needs no key
	browser bool                                      // pages of other origins may call it
	bulky   bool                                      // a body may be as large as a batch of events
	beacon  bool                                      // a publishable key may stand in the query string
	scope   string                                    // that a read key needs; none where it is empty
	audited bool                                      // each call is in the audit log, refused ones too
	refusal string                                    // the code for keys of other kinds; "" is insufficient_scope
	only    auth.Kind                                 // the one kind that refusal is for; "" is all
	before  func(*server, *fasthttp.RequestCtx) error // checked before the key; nil for nothing
	handle  func(*server, *fasthttp.RequestCtx, auth.Grant) error
}

// routeTable is all that the server answers to.
func routeTable() []route {
	post := []string{"POST"}
	read := []string{"GET", "POST"}
	look := []string{"GET", "HEAD"}
	senders := []auth.Kind{auth.KindPublishable, auth.KindSecret}
	readers := []auth.Kind{auth.KindRead, auth.KindAccount}
	return append([]route{
		{name: "track", methods: post, path: "/v1/track", kinds: senders, browser: true, handle: ingestWith((*intake.Door).Track)},
		{name: "batch", methods: post, path: "/v1/batch", kinds: senders, browser: true, beacon: true, handle: ingestWith((*intake.Door).Batch)},
		{name: "identify", methods: post, path: "/v1/identify", kinds: senders, browser: true, handle: ingestWith((*intake.Door).Identify)},
		{name: "query", methods: read, path: "/v1/query", kinds: readers, handle: askWith((*api.Door).Events)},
		{name: "stats", methods: read, path: "/v1/stats", kinds: readers, handle: askWith((*api.Door).Stats)},
		{name: "sources", methods: read, path: "/v1/sources", kinds: readers, handle: askWith((*api.Door).Sources)},
		{name: "paths", methods: read, path: "/v1/paths", kinds: readers, handle: askWith((*api.Door).Paths)},
		{name: "live", methods: read, path: "/v1/live", kinds: readers, handle: askWith((*api.Door).Live)},
		{name: "attribution", methods: read, path: "/v1/attribution", kinds: readers, handle: askWith((*api.Door).Attribution)},
		{name: "sessions", methods: read, path: "/v1/sessions", kinds: readers, handle: askWith((*api.Door).Sessions)},
		{name: "funnel", methods: read, path: "/v1/funnel", kinds: readers, handle: askWith((*api.Door).Funnel)},
		{name: "retention", methods: read, path: "/v1/retention", kinds: readers, handle: askWith((*api.Door).Retention)},
		{name: "export", methods: read, path: "/v1/export", kinds: readers, scope: auth.ScopeExport, audited: true, handle: listWith("export", (*transfer.Door).Export)},
		{name: "subject", methods: read, path: "/v1/subject", kinds: []auth.Kind{auth.KindSecret, auth.KindAccount}, audited: true,
			handle: listWith("subject", (*transfer.Door).Subject)},
		{name: "mcp", methods: post, path: "/mcp", kinds: []auth.Kind{auth.KindSecret, auth.KindRead}, refusal: auth.CodeKindNotAllowed,
			before: (*server).checkAgentHost, handle: agentWith((*mcp.Door).Serve)},
		{name: "mcp.account", methods: post, path: "/mcp/account", kinds: adminKinds(), refusal: auth.CodeAccountRequired,
			before: (*server).checkAgentHost, handle: agentWith((*mcp.Door).ServeAccount)},
		{name: "forget", methods: post, path: "/v1/forget", kinds: forgetters(), audited: true, refusal: auth.CodeForgetRequiresSecret, only: auth.KindPublishable,
			handle: forgetWith((*forget.Door).Forget)},
		{name: "forget.receipt", methods: look[:1], path: "/v1/forget/{receipt}", kinds: forgetters(), audited: true,
			refusal: auth.CodeForgetRequiresSecret, only: auth.KindPublishable, handle: forgetWith((*forget.Door).Receipt)},
		{name: "healthz", methods: look, path: "/healthz", handle: (*server).healthz},
		{name: "readyz", methods: look, path: "/readyz", handle: (*server).readyz},
		{name: "openapi", methods: look, path: "/openapi.json", handle: (*server).openapi},
		{name: "script", methods: look, path: scriptPath, handle: (*server).pageScript},
		{name: "script.map", methods: look, path: scriptPath + mapSuffix, handle: (*server).scriptMap},
		{name: "llms", methods: look, path: "/llms.txt", handle: (*server).llms},
		{name: "metrics", methods: look, path: "/metrics", handle: (*server).metrics},
		{name: "footprint", methods: look[:1], path: "/v1/footprint", kinds: adminKinds(), handle: adminWith((*admin.Door).ReadFootprint)},
	}, adminRoutes()...)
}

// forgetters are the kinds of keys that may erase persons.
func forgetters() []auth.Kind { return []auth.Kind{auth.KindSecret, auth.KindAccount} }

func adminKinds() []auth.Kind { return []auth.Kind{auth.KindAccount} }

// adminRoutes are open to account keys, and all of them are audited.
func adminRoutes() []route {
	const admins, projects, keys = "/v1/admin", "/v1/admin/projects", "/v1/admin/projects/{id}/keys"
	table := []route{
		{name: "projects.list", methods: []string{"GET"}, path: projects, handle: adminWith((*admin.Door).ListProjects)},
		{name: "projects.create", methods: []string{"POST"}, path: projects, handle: adminWith((*admin.Door).CreateProject)},
		{name: "projects.read", methods: []string{"GET"}, path: projects + "/{id}", handle: adminWith((*admin.Door).ReadProject)},
		{name: "projects.change", methods: []string{"PATCH"}, path: projects + "/{id}", handle: adminWith((*admin.Door).ChangeProject)},
		{name: "projects.destroy", methods: []string{"DELETE"}, path: projects + "/{id}", handle: adminWith((*admin.Door).DestroyProject)},
		{name: "projects.reclassify", methods: []string{"POST"}, path: projects + "/{id}/reclassify", handle: adminWith((*admin.Door).ReclassifyProject)},
		{name: "settings.read", methods: []string{"GET"}, path: projects + "/{id}/settings", handle: adminWith((*admin.Door).ReadSettings)},
		{name: "settings.change", methods: []string{"PATCH"}, path: projects + "/{id}/settings", handle: adminWith((*admin.Door).ChangeSettings)},
		{name: "origins.read", methods: []string{"GET"}, path: projects + "/{id}/origins", handle: adminWith((*admin.Door).ReadOrigins)},
		{name: "origins.replace", methods: []string{"PUT"}, path: projects + "/{id}/origins", handle: adminWith((*admin.Door).ReplaceOrigins)},
		{name: "projects.import", methods: []string{"POST"}, path: projects + "/{id}/import", bulky: true, handle: (*server).takeIn},
		{name: "projects.return", methods: []string{"POST"}, path: projects + "/{id}/return", handle: adminWith((*admin.Door).ReturnProject)},
		{name: "access", methods: []string{"GET"}, path: admins + "/access", handle: adminWith((*admin.Door).ReviewAccess)},
		{name: "audit.read", methods: []string{"GET"}, path: admins + "/audit", handle: adminWith((*admin.Door).ReadAudit)},
		{name: "audit.verify", methods: []string{"GET"}, path: admins + "/audit/verify", handle: adminWith((*admin.Door).VerifyAudit)},
		{name: "privacy.report", methods: []string{"GET"}, path: admins + "/privacy-report", handle: adminWith((*admin.Door).ReadPrivacyReport)},
		{name: "compact", methods: []string{"POST"}, path: admins + "/compact", handle: adminWith((*admin.Door).Compact)},
		{name: "check", methods: []string{"POST"}, path: admins + "/check", handle: adminWith((*admin.Door).Check)},
		{name: "backups.list", methods: []string{"GET"}, path: admins + "/backups", handle: adminWith((*admin.Door).ListBackups)},
		{name: "backups.make", methods: []string{"POST"}, path: admins + "/backups", handle: adminWith((*admin.Door).MakeBackup)},
		{name: "backups.verify", methods: []string{"POST"}, path: admins + "/backups/{id}/verify", handle: adminWith((*admin.Door).VerifyBackup)},
	}
	// The keys of a project, and those of the account itself.
	for _, path := range []string{keys, admins + "/keys"} {
		table = append(table,
			route{name: "keys.list", methods: []string{"GET"}, path: path, handle: adminWith((*admin.Door).ListKeys)},
			route{name: "keys.mint", methods: []string{"POST"}, path: path, handle: adminWith((*admin.Door).MintKey)},
			route{name: "keys.narrow", methods: []string{"PATCH"}, path: path + "/{prefix}", handle: adminWith((*admin.Door).NarrowKey)},
			route{name: "keys.revoke", methods: []string{"DELETE"}, path: path + "/{prefix}", handle: adminWith((*admin.Door).RevokeKey)},
			route{name: "keys.rotate", methods: []string{"POST"}, path: path + "/{prefix}/rotate", handle: adminWith((*admin.Door).RotateKey)},
		)
	}
	for i := range table {
		table[i].kinds, table[i].audited = adminKinds(), true
	}
	return table
}

// routes finds the rows of a path.
type routes struct {
	whole    map[string][]route
	patterns []pattern
}

// pattern is a path with parts that stand for any one.
type pattern struct {
	parts  []string
	routes []route
}

func newRoutes(table []route) routes {
	all := routes{whole: map[string][]route{}}
	for _, r := range table {
		all.whole[r.path] = append(all.whole[r.path], r)
	}
	for path, rows := range maps.All(all.whole) {
		if strings.Contains(path, "{") {
			all.patterns = append(all.patterns, pattern{strings.Split(path, "/"), rows})
			delete(all.whole, path)
		}
	}
	return all
}

// alias has the rows of a path answer under another path too, which must be free.
func (all routes) alias(path, other string) error {
	if len(other) > renamedPathMax || !plainPath.MatchString(other) {
		return fmt.Errorf("expected a path such as /s of at most %d characters A-Z, a-z, 0-9, ., _ and -", renamedPathMax)
	}
	if rows, _ := all.find(other); rows != nil {
		return fmt.Errorf("%s is taken", other)
	}
	all.whole[other] = all.whole[path]
	return nil
}

// find returns the rows of a path, one for each method or more, and what stands for the parts in
// braces. A path that is spelt out goes before one with such parts.
func (all routes) find(path string) (rows []route, named map[string]string) {
	if rows = all.whole[path]; rows != nil {
		return rows, nil
	}
	parts := strings.Split(path, "/")
	for _, p := range all.patterns {
		if named, ok := p.match(parts); ok {
			return p.routes, named
		}
	}
	return nil, nil
}

func (p *pattern) match(parts []string) (named map[string]string, ok bool) {
	if len(parts) != len(p.parts) {
		return nil, false
	}
	named = map[string]string{}
	for i, want := range p.parts {
		name, open := strings.CutPrefix(want, "{")
		switch {
		case open && parts[i] != "":
			named[strings.TrimSuffix(name, "}")] = parts[i]
		case want != parts[i]:
			return nil, false
		}
	}
	return named, true
}

// namedRoutes lists the routes that need a key, for those who narrow keys to some of them.
func namedRoutes() (named []admin.Route) {
	for _, r := range routeTable() {
		if r.kinds != nil {
			named = append(named, admin.Route{Name: r.name, Kinds: r.kinds, Scope: r.scope})
		}
	}
	return named
}
