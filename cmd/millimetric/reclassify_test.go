package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/auth"
)

// mixedEvents are events of several sources, some of which go another way once pay.example is the site's own.
func mixedEvents(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var events []string
	for i := range n {
		referrer := []string{"", "https://pay.example/done?x=1", "https://www.google.com/search", "https://sub.pay.example/", "https://other.example/a"}[r.IntN(5)]
		query := []string{"", "?utm_source=news&utm_campaign=may", "?gclid=1", "?email=ann%40example.com&utm_source=bob@example.com"}[r.IntN(4)]
		events = append(events, fmt.Sprintf(`{"event":%q,"event_id":"e%d-%d","anonymous_id":"v%d","timestamp":"2026-04-%02dT%02d:00:00Z","url":"https://shop.example/p%d%s","referrer":%q}`,
			[]string{"$pageview", "order"}[r.IntN(2)], seed, i, r.IntN(20), 1+r.IntN(28), r.IntN(24), r.IntN(9), query, referrer))
	}
	return `{"events":[` + strings.Join(events, ",") + `]}`
}

// TestReclassifyingIsHavingHadTheRulesAllAlong tells the sources of one project anew, and compares all answers
// with those of another, into which the same events came under the new settings.
func TestReclassifyingIsHavingHadTheRulesAllAlong(t *testing.T) {
	r := startServer(t)
	const rules = `{"internal_hosts":["pay.example"]}`
	r.do("PATCH", "/v1/admin/projects/blog/settings", rules, 200, nil)
	send := func(seed uint64) {
		for _, key := range []string{"sk", "blog_sk"} {
			if res, body := r.call("POST", "/v1/batch", bearer(r.words[key]), strings.NewReader(mixedEvents(seed, 300))); res.StatusCode != 202 {
				t.Fatal(body)
			}
		}
	}
	send(1)
	r.do("POST", "/v1/admin/compact", "", 200, nil)
	send(2) // these are live when the sources are told anew
	r.do("PATCH", "/v1/admin/projects/shop/settings", rules, 200, nil)
	_, replayed := r.call("GET", "/v1/stats?from=2026-04-01&to=2026-05-01&as_of=300", bearer(r.words["rk"]), nil)
	if strings.Contains(replayed, "replay") {
		t.Fatalf("a replay isn't exact too early: %s", replayed)
	}
	var dry, done, again admin.Reclassified
	r.do("POST", "/v1/admin/projects/shop/reclassify", `{"dry_run":true}`, 200, &dry)
	if same := r.answers("rk"); same == r.answers("blog_rk") {
		t.Error("a dry run changed something, or there was nothing to change")
	}
	r.do("POST", "/v1/admin/projects/shop/reclassify", ``, 200, &done)
	r.do("POST", "/v1/admin/projects/shop/reclassify", `{"dry_run":false}`, 200, &again)
	if dry.Changed == 0 || dry.Events != 600 || done.Changed != dry.Changed || again.Changed != 0 || again.Before != 1 || !dry.DryRun || done.DryRun {
		t.Errorf("%+v\n%+v\n%+v", dry, done, again)
	}
	if len(dry.Changes) == 0 || dry.Changes[0].To != (admin.SourceMedium{Source: "internal", Medium: "direct"}) {
		t.Errorf("%+v", dry.Changes)
	}
	got, want := r.answers("rk"), r.answers("blog_rk")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	_, replayed = r.call("GET", "/v1/stats?from=2026-04-01&to=2026-05-01&as_of=300", bearer(r.words["rk"]), nil)
	if !strings.Contains(replayed, `"replay":{"exact":false,"because":["reclassification"]}`) {
		t.Errorf("a replay from before doesn't say that sources were told anew: %s", replayed)
	}
	send(3)
	if got, want := r.answers("rk"), r.answers("blog_rk"); got != want {
		t.Errorf("later events differ: got\n%s\nwant\n%s", got, want)
	}
	audited := 0
	for _, entry := range r.auditRows() {
		if entry.Action == "projects.reclassify" && strings.Contains(string(entry.Detail), "events_changed") {
			audited++
		}
	}
	if audited != 3 {
		t.Errorf("%d calls are in the audit log", audited)
	}
}

// answers are what several questions about sources answer.
func (r *running) answers(key string) string {
	r.t.Helper()
	var all []string
	const span = "from=2026-04-01&to=2026-05-01"
	for _, path := range []string{
		"/v1/stats?" + span + "&group_by=source,medium,campaign", "/v1/stats?" + span + "&group_by=source&metric=uniques&interval=day",
		"/v1/sources?" + span, "/v1/sessions?" + span + "&group_by=source", "/v1/attribution?" + span + "&conversion=order&models=first,last,linear",
		"/v1/query?" + span + "&limit=1000", "/v1/query?" + span + "&limit=1000&source=internal",
	} {
		res, body := r.call("GET", path, bearer(r.words[key]), nil)
		if res.StatusCode != 200 || !json.Valid([]byte(body)) {
			r.t.Fatal(body)
		}
		all = append(all, cost.ReplaceAllString(body, ""))
	}
	return strings.Join(all, "\n")
}

var cost = regexp.MustCompile(`"cost":\{[^}]*\}`)

// TestASourceChangeThatWasCutIsTakenUp leaves the mark that a process which ended had set.
func TestASourceChangeThatWasCutIsTakenUp(t *testing.T) {
	r := startServer(t)
	r.do("PATCH", "/v1/admin/projects/blog/settings", `{"internal_hosts":["pay.example"]}`, 200, nil)
	for _, key := range []string{"sk", "blog_sk"} {
		if res, body := r.call("POST", "/v1/batch", bearer(r.words[key]), strings.NewReader(mixedEvents(1, 200))); res.StatusCode != 202 {
			t.Fatal(body)
		}
	}
	book := r.folder.book
	p := book.ProjectNamed(book.Accounts()[0].ID, r.words["project"], "")
	next := p.Settings
	next.InternalHosts, next.Reclassifying = []string{"pay.example"}, true
	if _, err := book.ChangeProject(t.Context(), p.Account, p.ID, auth.ProjectChange{Settings: &next}); err != nil {
		t.Fatal(err)
	}
	r.server.admin.ResumeReclassifying(t.Context(), time.Millisecond, func(project string, err error) { t.Errorf("%s: %v", project, err) })
	if got, want := r.answers("rk"), r.answers("blog_rk"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := book.ProjectNamed(p.Account, p.ID, "").Settings; s.Reclassifying || s.Reclassified == 0 || s.RulesVersion == 0 {
		t.Errorf("%+v", s)
	}
}
