package main

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"testing"

	"millimetric/cmd/millimetric/auth"
)

// TestEveryRouteAnswersEveryKindOfKey walks the route table, so that a new route is in the matrix
// from its first day.
func TestEveryRouteAnswersEveryKindOfKey(t *testing.T) {
	r := startServer(t)
	callers := []struct {
		name, key, origin string
		kind              auth.Kind
		refusal           string // where the key itself is refused, whatever the route
	}{
		{"no key", "", "", "", "missing_bearer_token"},
		{"pk from its origin", r.words["pk"], "https://shop.example", auth.KindPublishable, ""},
		{"pk from another origin", r.words["pk"], "https://blog.example", auth.KindPublishable, "origin_not_allowed"},
		{"sk", r.words["sk"], "", auth.KindSecret, ""},
		{"rk", r.words["rk"], "", auth.KindRead, ""},
		{"ak", r.words["ak"], "", auth.KindAccount, ""},
		{"revoked", r.words["revoked"], "", auth.KindSecret, "invalid_api_key"},
		{"expired", r.words["expired"], "", auth.KindSecret, "invalid_api_key"},
		{"malformed", "sk_live_nonsense", "", auth.KindSecret, "malformed_api_key"},
		{"another kind claimed", "rk" + r.words["sk"][2:], "", auth.KindSecret, "key_kind_mismatch"},
	}
	cells := 0
	for _, route := range routeTable() {
		for _, c := range callers {
			for _, method := range route.methods {
				cells++
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
				if want == "" && !slices.Contains(route.kinds, c.kind) {
					want = cmp.Or(route.refusal, "insufficient_scope")
				}
				if route.kinds == nil {
					want = ""
				}
				refused := res.StatusCode == 401 || res.StatusCode == 403
				if refused != (want != "") || want != "" && body != `{"error":"`+want+`"}` {
					t.Errorf("%s %s with %s: %d %s, want %q", method, route.path, c.name, res.StatusCode, body, want)
				}
			}
		}
	}
	if cells < 80 {
		t.Errorf("only %d cells", cells)
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
