package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"millimetric/cmd/millimetric/admin"
)

// directly is the source of those who came directly, in any format, and not the name of a model.
var directly = regexp.MustCompile(`(?m)(^|[^_a-z ])direct\b`)

// aSmallSite sends 7 visitors from google, 6 from bing and 2 who came directly, each by a page and an order.
func (r *running) aSmallSite() {
	r.t.Helper()
	var events []string
	visitor := 0
	for source, n := range map[string]int{"google": 7, "bing": 6, "": 2} {
		for range n {
			visitor++
			utm := ""
			if source != "" {
				utm = "?utm_source=" + source
			}
			for i, name := range []string{"$pageview", "order"} {
				events = append(events, fmt.Sprintf(`{"event":%q,"anonymous_id":"v%d","timestamp":"2026-05-01T11:5%d:00Z","url":"https://shop.example/p%s%s","properties":{"amount":%d}}`,
					name, visitor, i+7, source, utm, visitor))
			}
		}
	}
	res, body := r.call("POST", "/v1/batch", bearer(r.words["sk"]), strings.NewReader(`{"events":[`+strings.Join(events, ",")+`]}`))
	if res.StatusCode != 202 {
		r.t.Fatal(body)
	}
}

// mintWith makes a read key with k.
func (r *running) mintWith(k int) string {
	r.t.Helper()
	res, body := r.call("POST", "/v1/admin/projects/shop/keys", bearer(r.words["ak"]), strings.NewReader(fmt.Sprintf(`{"kind":"rk","k":%d}`, k)))
	var key admin.Key
	if err := json.Unmarshal([]byte(body), &key); err != nil || res.StatusCode != 201 || key.K != k {
		r.t.Fatal(err, body)
	}
	return key.Text
}

// TestAKeyWithKLearnsOfNoFewVisitors asks every question in every format. Of those who came directly, nothing
// may be seen, and something else must be missing, too, so that nobody learns of them by subtracting.
func TestAKeyWithKLearnsOfNoFewVisitors(t *testing.T) {
	r := startServer(t)
	r.aSmallSite()
	key := r.mintWith(5)
	const day = "from=2026-05-01&to=2026-05-02&"
	steps := url.QueryEscape(`[{"event":"$pageview"},{"event":"order"}]`)
	for path, hides := range map[string]bool{
		"/v1/stats?" + day + "group_by=source":                                            true,
		"/v1/stats?" + day + "group_by=source&metric=sum(amount)&interval=hour&fill=zero": true,
		"/v1/stats?" + day + "group_by=source&compare=previous_period":                    true,
		"/v1/stats?" + day:                                            false,
		"/v1/sources?" + day + "breakdown=source":                     true,
		"/v1/sources?" + day + "compare=previous_period&explain=true": true,
		"/v1/sessions?" + day + "group_by=source":                     true,
		"/v1/sessions?" + day + "interval=day":                        false,
		"/v1/funnel?" + day + "steps=" + steps + "&breakdown=source":  true,
		"/v1/attribution?" + day + "conversion=order&group_by=source": true,
		"/v1/attribution?" + day + "conversion=order&group_by=source&models=first,linear,data_driven&value=properties.amount": true,
		"/v1/retention?" + day + "birth=$pageview&return=order":                                                               false,
		"/v1/paths?" + day + "start=" + url.QueryEscape(`{"event":"$pageview"}`):                                              false,
		"/v1/live?": true,
	} {
		for format, media := range map[string]string{"json": "application/json", "csv": "text/csv", "svg": "image/svg+xml"} {
			res, body := r.call("GET", path+"&format="+format, bearer(key), nil)
			if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), media) {
				t.Errorf("%s: %d %s", path, res.StatusCode, body)
			}
			if directly.MatchString(body) {
				t.Errorf("%s as %s tells of those who came directly: %s", path, format, body)
			}
			if format == "json" && strings.Contains(body, `"suppressed":true`) != hides {
				t.Errorf("%s: hides: %v: %s", path, !hides, body)
			}
			if format == "json" && hides && strings.Contains(body, `"bing"`) && !strings.HasPrefix(path, "/v1/funnel") {
				t.Errorf("%s: who came directly can be reckoned: %s", path, body)
			}
		}
	}
	for _, path := range []string{
		"/v1/query?" + day, "/v1/stats?" + day + "as_of=3", "/v1/sessions?" + day + "list=true",
		"/v1/stats?" + day + "group_by=source,medium,country", "/v1/stats?" + day + "actor=person",
		"/v1/funnel?" + day + "steps=" + steps + "&compare=previous_period",
	} {
		if res, body := r.call("GET", path, bearer(key), nil); res.StatusCode != 403 || !strings.Contains(body, "insufficient_scope") {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	r.checkAgentsAndSettings(key)
}

// checkAgentsAndSettings looks at the same through the door for agents, and through a key that the project's
// settings bound.
func (r *running) checkAgentsAndSettings(key string) {
	r.t.Helper()
	h := bearer(key)
	h.Set("Accept", "application/json, text/event-stream")
	h.Set("Content-Type", "application/json")
	for call, refused := range map[string]bool{
		`{"name":"get_stats","arguments":{"from":"2026-05-01","to":"2026-05-02","group_by":["source"]}}`: false,
		`{"name":"query_events","arguments":{"from":"2026-05-01","to":"2026-05-02"}}`:                    true,
	} {
		_, body := r.call("POST", "/mcp", h, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":`+call+`}`))
		if strings.Contains(body, `\"direct\"`) || strings.Contains(body, "v1") || strings.Contains(body, "insufficient_scope") != refused {
			r.t.Errorf("%s: %s", call, body)
		}
	}
	const ask = "/v1/stats?from=2026-05-01&to=2026-05-02&group_by=source"
	for _, k := range []string{"0", "5"} {
		if res, body := r.call("PATCH", "/v1/admin/projects/shop/settings", bearer(r.words["ak"]), strings.NewReader(`{"k":`+k+`}`)); res.StatusCode != 200 {
			r.t.Fatal(body)
		}
		_, own := r.call("GET", ask, bearer(r.words["rk"]), nil)
		_, admins := r.call("GET", ask+"&project_slug=shop", bearer(r.words["ak"]), nil)
		if strings.Contains(own, `"direct"`) != (k == "0") || !strings.Contains(admins, `"direct"`) {
			r.t.Errorf("k=%s: %s\n%s", k, own, admins)
		}
	}
	res, body := r.call("PATCH", "/v1/admin/projects/shop/keys/"+key[8:16], bearer(r.words["ak"]), strings.NewReader(`{"k":3}`))
	if res.StatusCode != http.StatusBadRequest {
		r.t.Errorf("a key was widened: %s", body)
	}
}
