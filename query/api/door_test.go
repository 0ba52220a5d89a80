package api

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/valyala/fasthttp"

	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/querytest"
)

// asked answers one request, and returns the body or the error as the server would write it.
func asked(events []event.Event, method, target, body string, headers ...string) string {
	door := &Door{
		Snapshot: func(event.Project) query.Source { return querytest.Slice(events) },
		Now:      querytest.Now.Std,
	}
	ctx := request(method, target, body, headers...)
	ask := map[string]func(*fasthttp.RequestCtx, event.Project) error{
		"/v1/query": door.Events, "/v1/stats": door.Stats, "/v1/sources": door.Sources,
		"/v1/paths": door.Paths, "/v1/live": door.Live,
		"/v1/attribution": door.Attribution, "/v1/sessions": door.Sessions,
		"/v1/funnel": door.Funnel, "/v1/retention": door.Retention,
	}[string(ctx.Path())]
	if err := ask(ctx, 1); err != nil {
		return querytest.Refusal(err)
	}
	if got := string(ctx.Response.Header.ContentType()); got != "application/json" {
		return "content type " + got
	}
	return string(ctx.Response.Body())
}

func request(method, target, body string, headers ...string) *fasthttp.RequestCtx {
	ctx := &fasthttp.RequestCtx{}
	ctx.Request.Header.SetMethod(method)
	ctx.Request.SetRequestURI(target)
	ctx.Request.SetBodyString(body)
	for i := 0; i < len(headers); i += 2 {
		ctx.Request.Header.Set(headers[i], headers[i+1])
	}
	return ctx
}

func TestTheDoorAnswersTheCorpus(t *testing.T) {
	querytest.Run(t, "../querytest/testdata", func(_ *testing.T, load []event.Event, question string) string {
		return asked(load, "GET", "/v1/"+question, "")
	})
}

var twoEvents = []event.Event{
	{Seq: 1, Time: 1767225600000, Name: "view", AnonymousID: "a", SessionID: "s", Source: "google", Medium: "paid", SourceConfidence: "high",
		SourceRule: "gclid", URL: "https://x.example/?q=<b>&u=é", Path: "/", Country: "DE", Properties: `{"n":1.50}`},
	{Seq: 2, Time: 1767225600001, Name: "view", AnonymousID: "b", UserID: "u", SessionID: "s", Source: "google", Medium: "organic", SourceConfidence: "high",
		SourceRule: "ref_search", ID: "e1", Campaign: "c", Referrer: "r", Device: "mobile", Browser: "chrome", OS: "ios", Properties: `{}`},
}

const range2026 = `"from":"2026-01-01","to":"2026-01-02"`

func TestAnswersAreTheDocumentedJSON(t *testing.T) {
	for _, c := range []struct{ name, path, body, want string }{
		{"events", "/v1/query", `{` + range2026 + `}`,
			`{"rows":[{"timestamp":"2026-01-01T00:00:00.001Z","event_name":"view","event_id":"e1","anonymous_id":"b","user_id":"u","session_id":"s","source":"google","medium":"organic","campaign":"c","source_confidence":"high","source_rule_id":"ref_search","referrer":"r","url":null,"path":null,"country":"","device_type":"mobile","browser":"chrome","os":"ios","properties":"{}"},` +
				`{"timestamp":"2026-01-01T00:00:00.000Z","event_name":"view","event_id":null,"anonymous_id":"a","user_id":null,"session_id":"s","source":"google","medium":"paid","campaign":null,"source_confidence":"high","source_rule_id":"gclid","referrer":null,"url":"https://x.example/?q=<b>&u=é","path":"/","country":"DE","device_type":"","browser":"","os":"","properties":"{\"n\":1.50}"}],"as_of":"2"}`},
		{"stats", "/v1/stats", `{` + range2026 + `,"group_by":["source","campaign"],"interval":null}`,
			`{"metric":"count","rows":[{"source":"google","campaign":"c","value":1},{"source":"google","campaign":null,"value":1}],"as_of":"2"}`},
		{"stats by hour", "/v1/stats", `{` + range2026 + `,"group_by":"source","interval":"hour","tz":"Asia/Kolkata","metric":"uniques"}`,
			`{"metric":"uniques","rows":[{"bucket":"2026-01-01T05:00:00+05:30","source":"google","value":2}],"as_of":"2"}`},
		{"sources", "/v1/sources", `{` + range2026 + `,"breakdown":"source","limit":1}`,
			`{"breakdown":"source","rows":[{"source":"google","events":2,"uniques":2,"paid_share":0.5}],"as_of":"2"}`},
		{"a metric against the period before", "/v1/stats", `{` + range2026 + `,"metric":"sum(properties.n)","compare":"previous_period","group_by":["properties.n","host"]}`,
			`{"metric":"sum(n)","rows":[{"properties.n":1.5,"host":"x.example","value":1.5,"previous":{"value":0}}],"as_of":"2"}`},
		{"paths", "/v1/paths", `{` + range2026 + `,"end":{"any_of":[{"event":"view"}],"name":"seen"},"steps":2,"events":["view"],"scope":"window","window":"2w","first_only":true}`,
			`{"root":{"kind":"event","node":"view","count":2,"actors":2,"children":[{"kind":"end","count":2,"actors":2}]},"as_of":"2","exact":true,` +
				`"settings":{"from":"2026-01-01T00:00:00.000Z","to":"2026-01-02T00:00:00.000Z","tz":"UTC","filters":[],"include_bots":false,"actor":"visitor","as_of":"2",` +
				`"end":{"any_of":[{"event":"view"}],"name":"seen"},"steps":2,"events":["view"],"scope":"window","window":"14d","first_only":true,"compare":null,"limit":10},` +
				`"cost":{"segments":0,"segments_skipped":0,"rows_scanned":4,"rows_matched":2,"bytes_read":0,"raw_blocks":0,"elapsed_ms":0}}`},
		{"paths by default", "/v1/paths", `{` + range2026 + `,"start":{"event":"$pageview"}}`,
			`{"root":{"kind":"event","node":"$pageview","count":0,"actors":0,"children":[]},"as_of":"2","exact":true,` +
				`"settings":{"from":"2026-01-01T00:00:00.000Z","to":"2026-01-02T00:00:00.000Z","tz":"UTC","filters":[],"include_bots":false,"actor":"visitor","as_of":"2",` +
				`"start":{"event":"$pageview"},"steps":5,"events":["$pageview"],"scope":"visit","window":null,"first_only":false,"compare":null,"limit":10},` +
				`"cost":{"segments":0,"segments_skipped":0,"rows_scanned":2,"rows_matched":0,"bytes_read":0,"raw_blocks":0,"elapsed_ms":0}}`},
		{"live", "/v1/live", `{"window":"1h"}`,
			`{"actors":0,"window":"1h","paths":[],"sources":[],"as_of":"2","exact":true,` +
				`"settings":{"tz":"UTC","filters":[],"include_bots":false,"actor":"visitor","as_of":"2","window":"1h","now":"2026-05-01T12:00:00.000Z","compare":null,"limit":10},` +
				`"cost":{"segments":0,"segments_skipped":0,"rows_scanned":0,"rows_matched":0,"bytes_read":0,"raw_blocks":0,"elapsed_ms":0}}`},
		{"explained", "/v1/stats", `{` + range2026 + `,"explain":true,"event":"view","filters":[ {"field":"properties.n", "op":"in", "value":[1.5]} ],"as_of":"1"}`,
			`{"metric":"count","rows":[{"value":1}],"as_of":"1","exact":true,"settings":{"from":"2026-01-01T00:00:00.000Z","to":"2026-01-02T00:00:00.000Z","tz":"UTC",` +
				`"filters":[{"field":"properties.n","op":"in","value":[1.5]}],"include_bots":false,"actor":"visitor","as_of":"1","metric":"count","event":"view","group_by":[],"interval":null,"fill":null,"compare":null,"limit":100},` +
				`"cost":{"segments":0,"segments_skipped":0,"rows_scanned":2,"rows_matched":1,"bytes_read":0,"raw_blocks":0,"elapsed_ms":0}}`},
		{"explained sources", "/v1/sources", `{` + range2026 + `,"explain":true,"actor":"person","as_of":0}`,
			`{"breakdown":"source_medium","rows":[],"as_of":"0","exact":true,"settings":{"from":"2026-01-01T00:00:00.000Z","to":"2026-01-02T00:00:00.000Z","tz":"UTC",` +
				`"filters":[],"include_bots":false,"actor":"person","as_of":"0","breakdown":"source_medium","compare":null,"limit":50},"cost":{"segments":0,"segments_skipped":0,"rows_scanned":2,"rows_matched":0,"bytes_read":0,"raw_blocks":0,"elapsed_ms":0}}`},
	} {
		if got := asked(twoEvents, "POST", c.path, c.body); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestWhatIsNoQuestionIsRefused(t *testing.T) {
	for _, c := range []struct{ name, method, target, body, want string }{
		{"no JSON", "POST", "/v1/stats", `{`, "The body must be JSON, with no name twice"},
		{"nothing", "POST", "/v1/stats", ``, "The body must be JSON, with no name twice"},
		{"two values", "POST", "/v1/stats", `{} {}`, "The body must be JSON, with no name twice"},
		{"a list", "POST", "/v1/stats", `[]`, "The body must be a JSON object"},
		{"a name twice", "POST", "/v1/stats", `{"from":"2026-01-01","from":"2026-01-01"}`, "The body must be JSON, with no name twice"},
		{"a parameter twice", "GET", "/v1/stats?from=2026-01-01&to=2026-01-02&to=2026-01-03", "", `"to":["Must be given once"]`},
		{"parameters beside a body", "POST", "/v1/stats?limit=3", `{` + range2026 + `}`, `"limit":["Must stand in the body of a POST"]`},
		{"a number for text", "POST", "/v1/stats", `{` + range2026 + `,"event":5}`, `"event":["Expected a string"]`},
		{"text for a number", "POST", "/v1/stats", `{` + range2026 + `,"limit":"5"}`, `"limit":["Must be a whole number from 1 to 1000"]`},
		{"a fraction", "POST", "/v1/stats", `{` + range2026 + `,"limit":5.5}`, `"limit":["Must be a whole number from 1 to 1000"]`},
		{"text for a flag", "POST", "/v1/stats", `{` + range2026 + `,"explain":"true"}`, `"explain":["Must be true or false"]`},
		{"text for filters", "POST", "/v1/stats", `{` + range2026 + `,"filters":"[]"}`, `"filters":["Expected a list of filters"]`},
		{"a list for text", "POST", "/v1/stats", `{` + range2026 + `,"tz":["UTC"]}`, `"tz":["Expected a string"]`},
		{"numbers in a list", "POST", "/v1/stats", `{` + range2026 + `,"group_by":["source",1]}`, `"group_by.1":["Expected a string"]`},
		{"a cursor of numbers", "POST", "/v1/stats", `{"cursor":17}`, `"cursor":["Isn't one`},
		{"an unknown group", "POST", "/v1/stats", `{` + range2026 + `,"group_by":["sauce"]}`,
			`{"allowed":["event_name","source","medium","campaign","country","device_type","browser","os","path","host","referrer_host","session_id","user_id","properties.x"],"error":"invalid_group_by"}`},
		{"null for what is required", "POST", "/v1/stats", `{"from":null,"to":"2026-01-02"}`, `"from":["Required"]`},
		{"an unknown field", "POST", "/v1/stats", `{` + range2026 + `,"Limit":5}`, `"Limit":["Unknown field"]`},
		{"bad UTF-8", "GET", "/v1/stats?from=2026-01-01&to=2026-01-02&event=%FF", "", `"event":["Must be UTF-8"]`},
		{"too many fields", "GET", "/v1/stats?" + strings.Repeat("a&", 3) + manyParams(70), "", "Too many parameters"},
		{"too large", "POST", "/v1/stats", `{` + strings.Repeat(" ", bodyBytesMax) + `}`, "payload_too_large"},
		{"too many filters", "POST", "/v1/stats", `{` + range2026 + `,"filters":[` + strings.Repeat(`{"and":[]},`, 300) + `{"and":[]}]}`, "Too many filters"},
		{"too many values", "POST", "/v1/stats", `{` + range2026 + `,"filters":[{"field":"path","op":"in","value":[` + strings.Repeat(`"a",`, 1000) + `"a"]}]}`, "Too many values"},
		{"a step that is no name", "POST", "/v1/funnel", `{` + range2026 + `,"step":["a",5]}`, `"step.1":["Expected a string"]`},
		{"an empty step", "GET", "/v1/funnel?from=2026-01-01&to=2026-01-02&step=a&step=", "", `"step":["Must be names"]`},
		{"too many steps", "GET", "/v1/funnel?from=2026-01-01&to=2026-01-02" + strings.Repeat("&step=a", 33), "", `"step":["Must have 2 to 32 elements"]`},
		{"far too many steps", "GET", "/v1/funnel?from=2026-01-01&to=2026-01-02" + strings.Repeat("&step=a", 100), "", "Too many parameters"},
		{"steps as text", "POST", "/v1/funnel", `{` + range2026 + `,"steps":"[]"}`, `"steps":["Expected a list"]`},
		{"a step as text", "POST", "/v1/funnel", `{` + range2026 + `,"steps":["a","b"]}`, `"steps.0":["Expected an object"]`},
		{"too many filters in all steps", "POST", "/v1/funnel", `{` + range2026 + `,"steps":[{"event":"a","filters":[` + strings.Repeat(`{"and":[]},`, 200) + `{"and":[]}]},` +
			`{"event":"b","filters":[` + strings.Repeat(`{"and":[]},`, 200) + `{"and":[]}]}]}`, `"steps.1.filters":["Too many filters`},
		{"too long to hold", "POST", "/v1/funnel", `{` + range2026 + `,"step":["a","b"],"hold":["path","url","os","browser","country","source","medium","campaign","user_id"]}`, "Too many fields; at most 8"},
		{"a list as a birth", "POST", "/v1/retention", `{` + range2026 + `,"birth":[],"return":"b"}`, `"birth":["Expected an object"]`},
		{"a long parameter", "GET", "/v1/stats?from=2026-01-01&to=2026-01-02&event=" + strings.Repeat("x", 9000), "", `"event":["Too long"]`},
	} {
		if got := asked(nil, c.method, c.target, c.body); !strings.Contains(got, c.want) || !strings.Contains(got, `"error":`) {
			t.Errorf("%s: got %s", c.name, got)
		}
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("&" + strings.Repeat("p", i+1) + "=1")
	}
	return b.String()
}

func TestCompressedQuestionsAreRefused(t *testing.T) {
	if got := asked(nil, "POST", "/v1/stats", `{`+range2026+`}`, "Content-Encoding", "gzip"); !strings.Contains(got, "unsupported_media_type") {
		t.Errorf("got %s", got)
	}
	if got := asked(nil, "POST", "/v1/stats", `{`+range2026+`}`, "Content-Encoding", "Identity"); !strings.Contains(got, `"rows":[{"value":0}]`) {
		t.Errorf("got %s", got)
	}
}

func TestAPlusThatWasNotEscapedIsStillAnOffset(t *testing.T) {
	got := asked(twoEvents, "GET", "/v1/stats?from=2026-01-01T02:00:00.001+02:00&to=2026-01-02T00:00:00+02:00", "")
	if want := `{"metric":"count","rows":[{"value":1}],"as_of":"2"}`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestProjectsAreNamedInTheURLOrTheBody(t *testing.T) {
	for _, c := range []struct{ method, target, body, id, slug string }{
		{"GET", "/v1/stats?project_id=p1&from=x", "", "p1", ""},
		{"GET", "/v1/stats?project_slug=shop", "", "", "shop"},
		{"POST", "/v1/stats", `{"project_id":"p1","limit":3}`, "p1", ""},
		{"POST", "/v1/stats?project_id=p1", `{"project_slug":"shop"}`, "p1", "shop"},
		{"POST", "/v1/stats?project_id=p1", `{"project_id":"p1"}`, "p1", ""},
		{"GET", "/v1/stats", "", "", ""},
	} {
		id, slug, err := ProjectNamed(request(c.method, c.target, c.body))
		if err != nil || id != c.id || slug != c.slug {
			t.Errorf("%s %s %s: %q, %q, %v", c.method, c.target, c.body, id, slug, err)
		}
	}
	for _, body := range []string{`{"project_id":"p2"}`, `{"project_id":5}`, `{`} {
		if id, _, err := ProjectNamed(request("POST", "/v1/stats?project_id=p1", body)); !errors.Is(err, event.ErrInput) {
			t.Errorf("%s: %q, %v", body, id, err)
		}
	}
}

func TestAQuestionEndsWithItsBudget(t *testing.T) {
	events := make([]event.Event, 100_000)
	for i := range events {
		events[i] = event.Event{Seq: event.Seq(i + 1), Time: 1767225600000, Name: "view", AnonymousID: "a", SessionID: "s", Properties: "{}"}
	}
	door := &Door{Snapshot: func(event.Project) query.Source { return querytest.Slice(events) }, Budget: time.Nanosecond}
	err := door.Stats(request("GET", "/v1/stats?from=2026-01-01&to=2026-01-02", ""), 1)
	var e *event.Error
	if !errors.As(err, &e) || e.Code != "query_too_large" || len(e.Notes) == 0 {
		t.Errorf("got %v", err)
	}
}
