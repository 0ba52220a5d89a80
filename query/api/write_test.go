package api

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/querytest"
)

func written(t *testing.T, target string, headers ...string) *fasthttp.Response {
	t.Helper()
	ctx := request("GET", target, "", headers...)
	door := &Door{Snapshot: func(event.Project) query.Source { return querytest.Slice(twoEvents) }, Now: querytest.Now.Std}
	ask := map[string]func(*fasthttp.RequestCtx, event.Project) error{"/v1/query": door.Events, "/v1/stats": door.Stats, "/v1/sessions": door.Sessions}[string(ctx.Path())]
	if err := ask(ctx, 1); err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return &ctx.Response
}

func TestTheFormatIsThatOfTheQuestionOrOfAccept(t *testing.T) {
	const stats = "/v1/stats?from=2026-01-01&to=2026-01-02&group_by=source"
	for _, c := range []struct{ target, accept, want string }{
		{stats, "", "application/json"},
		{stats, "*/*", "application/json"},
		{stats, "text/csv", "text/csv"},
		{stats, "TEXT/CSV; q=0.3", "text/csv"},
		{stats, "image/svg+xml", "image/svg+xml"},
		{stats, "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image/svg+xml"},
		{stats, "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "application/json"},
		{stats, "text/csv;q=0.5, application/json;q=0.4", "text/csv"},
		{stats, "text/csv;q=0, */*", "application/json"},
		{stats, "text/csv;q=x", "application/json"},
		{stats + "&format=json", "text/csv", "application/json"},
		{stats + "&format=csv", "image/svg+xml", "text/csv"},
		{stats + "&format=svg", "", "image/svg+xml"},
		{"/v1/query?from=2026-01-01&to=2026-01-02", "image/svg+xml", "application/json"},
		{"/v1/query?from=2026-01-01&to=2026-01-02", "text/csv", "text/csv"},
		{"/v1/sessions?from=2026-01-01&to=2026-01-02&list=true", "image/*", "application/json"},
	} {
		response := written(t, c.target, "Accept", c.accept)
		got, _, _ := strings.Cut(string(response.Header.ContentType()), ";")
		if got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.target, c.accept, got, c.want)
		}
		if vary := string(response.Header.Peek("Vary")); vary != "Accept" {
			t.Errorf("%s: varies by %q", c.target, vary)
		}
	}
}

// TestATableSaysHowToGoOn holds that neither a table nor a picture hides that it was cut, or of when it is.
func TestATableSaysHowToGoOn(t *testing.T) {
	const question = "/v1/stats?from=2026-01-01&to=2026-01-02&group_by=medium&explain=true&limit=1"
	for _, format := range []string{"csv", "svg"} {
		response := written(t, question+"&format="+format)
		if got := string(response.Header.Peek("Millimetric-As-Of")); got != "2" {
			t.Errorf("%s: as of %q", format, got)
		}
		next := string(response.Header.Peek("Millimetric-Next"))
		if next == "" {
			t.Fatalf("%s: doesn't say how to go on", format)
		}
		more := written(t, "/v1/stats?cursor="+next)
		if got, want := string(more.Header.ContentType()), string(response.Header.ContentType()); got != want {
			t.Errorf("goes on as %s, not as %s", got, want)
		}
		if next := more.Header.Peek("Millimetric-Next"); len(next) > 0 {
			t.Errorf("%s: goes on after its end: %s", format, next)
		}
		if body := string(more.Body()); format == "csv" && body != "medium,value\npaid,1\n" {
			t.Errorf("the second page is %q", body)
		}
	}
}

func TestAPictureMayLoadAndRunNothing(t *testing.T) {
	response := written(t, "/v1/stats?from=2026-01-01&to=2026-01-02&format=svg")
	if got := string(response.Header.Peek("Content-Security-Policy")); !strings.HasPrefix(got, "default-src 'none'") {
		t.Errorf("the policy is %q", got)
	}
}
