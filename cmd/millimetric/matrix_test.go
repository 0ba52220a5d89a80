package main

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"testing"

	"millimetric/cmd/millimetric/auth"
)

// rights say which kinds of key open which route, by the route's name, as the API's contract has it; "any"
// needs no key. They are written down once more here, and not taken from the route table, so that a slip
// there is found.
var rights = map[string]string{
	"track": "pk sk", "batch": "pk sk", "identify": "pk sk",
	"query": "rk ak", "stats": "rk ak", "sources": "rk ak", "paths": "rk ak", "live": "rk ak", "attribution": "rk ak",
	"sessions": "rk ak", "funnel": "rk ak", "retention": "rk ak",
	"export":  "ak", // and rk with a scope; see TestAnExportNeedsTheScope
	"subject": "sk ak",
	"mcp":     "sk rk", "mcp.account": "ak",
	"healthz": "any", "readyz": "any", "openapi": "any", "llms": "any", "script": "any", "script.map": "any",
	"forget": "sk ak", "forget.receipt": "sk ak",
	"metrics":   "any", // from this machine itself; see TestFiguresAreForThisMachineOrAnAccountKey
	"footprint": "ak", "access": "ak", "audit.read": "ak", "audit.verify": "ak", "compact": "ak", "privacy.report": "ak", "check": "ak",
	"projects.list": "ak", "projects.create": "ak", "projects.read": "ak", "projects.change": "ak", "projects.destroy": "ak", "projects.import": "ak", "projects.return": "ak",
	"projects.reclassify": "ak", "settings.read": "ak", "settings.change": "ak", "origins.read": "ak", "origins.replace": "ak",
	"backups.list": "ak", "backups.make": "ak", "backups.verify": "ak",
	"keys.list": "ak", "keys.mint": "ak", "keys.narrow": "ak", "keys.revoke": "ak", "keys.rotate": "ak",
}

// refusals are the codes for keys of other kinds, where it isn't insufficient_scope.
var refusals = map[string]string{
	"mcp": "key_kind_not_allowed", "mcp.account": "account_key_required",
	"forget pk": "forget_requires_secret_key", "forget.receipt pk": "forget_requires_secret_key",
}

// matrixCaller is a column of the matrix.
type matrixCaller struct {
	name, key, origin string
	kind              auth.Kind
	refusal           string // where the key itself is refused, whatever the route
	archived          bool   // its project takes no events
	foreign           bool   // the project that routes name isn't its account's
}

func (r *running) matrixCallers() []matrixCaller {
	r.t.Helper()
	made, err := r.folder.addProject(r.t.Context(), auth.NewProject{Name: "closed", Origins: []string{"https://shop.example"}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.do("PATCH", "/v1/admin/projects/closed", `{"archived":true}`, 200, nil)
	return []matrixCaller{
		{name: "no key", refusal: "missing_bearer_token"},
		{name: "pk from its origin", key: r.words["pk"], origin: "https://shop.example", kind: auth.KindPublishable},
		{name: "pk from another origin", key: r.words["pk"], origin: "https://blog.example", kind: auth.KindPublishable, refusal: "origin_not_allowed"},
		{name: "sk", key: r.words["sk"], kind: auth.KindSecret},
		{name: "rk", key: r.words["rk"], kind: auth.KindRead},
		{name: "ak", key: r.words["ak"], kind: auth.KindAccount},
		{name: "ak of another account", key: r.words["their_ak"], kind: auth.KindAccount, foreign: true},
		{name: "revoked", key: r.words["revoked"], kind: auth.KindSecret, refusal: "invalid_api_key"},
		{name: "expired", key: r.words["expired"], kind: auth.KindSecret, refusal: "invalid_api_key"},
		{name: "malformed", key: "sk_live_nonsense", kind: auth.KindSecret, refusal: "malformed_api_key"},
		{name: "another kind claimed", key: "rk" + r.words["sk"][2:], kind: auth.KindSecret, refusal: "key_kind_mismatch"},
		{name: "pk of an archived project", key: made.PK, origin: "https://shop.example", kind: auth.KindPublishable, archived: true},
		{name: "sk of an archived project", key: made.SK, kind: auth.KindSecret, archived: true},
		{name: "rk of an archived project", key: made.RK, kind: auth.KindRead, archived: true},
	}
}

// TestEveryRouteAnswersEveryKindOfKey walks the route table: a route without a row of rights fails.
func TestEveryRouteAnswersEveryKindOfKey(t *testing.T) {
	r := startServer(t)
	callers, cells, met := r.matrixCallers(), 0, map[string]bool{}
	for _, route := range routeTable() {
		open, known := rights[route.name]
		if !known {
			t.Errorf("%s %s has no row of rights", route.path, route.name)
		}
		met[route.name] = true
		for _, c := range callers {
			for _, method := range route.methods {
				cells++
				r.matrixCell(route, method, open, c)
			}
		}
	}
	for name := range rights {
		if !met[name] {
			t.Errorf("there is no route %s", name)
		}
	}
	if cells < 450 {
		t.Errorf("only %d cells", cells)
	}
}

// matrixCell asks one route with one key.
func (r *running) matrixCell(route route, method, open string, c matrixCaller) {
	r.t.Helper()
	header := http.Header{}
	if c.key != "" {
		header = bearer(c.key)
	}
	if c.origin != "" {
		header.Set("Origin", c.origin)
	}
	path := strings.NewReplacer("{id}", r.words["project"], "{prefix}", "00000000").Replace(route.path)
	res, body := r.call(method, path, header, strings.NewReader("{}"))
	want := c.refusal
	switch {
	case open == "any":
		want = ""
	case want == "" && !slices.Contains(strings.Fields(open), string(c.kind)):
		want = cmp.Or(refusals[route.name+" "+string(c.kind)], refusals[route.name], "insufficient_scope")
	case want == "" && c.archived && strings.Contains(open, "pk"):
		want = "project_archived"
	case want == "" && c.foreign && strings.Contains(route.path, "{id}"):
		if res.StatusCode != 404 || !strings.HasPrefix(body, `{"error":"not_found"`) {
			r.t.Errorf("%s %s with %s: %d %s", method, route.path, c.name, res.StatusCode, body)
		}
	}
	refused := res.StatusCode == 401 || res.StatusCode == 403
	if refused != (want != "") || want != "" && body != `{"error":"`+want+`"}` {
		r.t.Errorf("%s %s with %s: %d %.200s, want %q", method, route.path, c.name, res.StatusCode, body, want)
	}
}

func TestAQuestionReachesOnlyItsOwnProject(t *testing.T) {
	r := startServer(t)
	for _, key := range []string{"sk", "blog_sk"} {
		for range map[string]int{"sk": 2, "blog_sk": 3}[key] {
			if res, body := r.call("POST", "/v1/track", bearer(r.words[key]), strings.NewReader(`{"event":"x"}`)); res.StatusCode != 202 {
				t.Fatalf("%d %s", res.StatusCode, body)
			}
		}
	}
	const question = "/v1/stats?from=2026-05-01&to=2026-05-02"
	for _, c := range []struct {
		key, extra string
		status     int
		want       string
	}{
		{"rk", "", 200, `"value":2}`},
		{"rk", "&project_id={project}", 200, `"value":2}`},
		{"rk", "&project_slug=shop", 200, `"value":2}`},
		{"rk", "&project_id={blog}", 403, `{"error":"insufficient_scope"}`},
		{"rk", "&project_slug=blog", 403, `{"error":"insufficient_scope"}`},
		{"blog_rk", "", 200, `"value":3}`},
		{"ak", "&project_id={project}", 200, `"value":2}`},
		{"ak", "&project_slug=blog", 200, `"value":3}`},
		{"ak", "", 400, `{"error":"invalid_params","details":{"fieldErrors":{"project_id":["Required"]}}}`},
		{"ak", "&project_id={theirs}", 404, `{"error":"not_found"}`},
		{"ak", "&project_slug=theirs", 404, `{"error":"not_found"}`},
		{"ak", "&project_id=prj_0000000000000000", 404, `{"error":"not_found"}`},
		{"their_ak", "&project_id={project}", 404, `{"error":"not_found"}`},
		{"their_rk", "&project_id={project}", 403, `{"error":"insufficient_scope"}`},
	} {
		res, body := r.call("GET", question+r.fill(c.extra), bearer(r.words[c.key]), nil)
		if res.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s%s: %d %s, want %d %s", c.key, c.extra, res.StatusCode, body, c.status, c.want)
		}
	}
}
