package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestAVisitorWhoAsksIsNeverFollowed sends with both headers on every way in, and looks for what was sent
// in all that is stored.
func TestAVisitorWhoAsksIsNeverFollowed(t *testing.T) {
	const sent = `"anonymous_id":"v-sentinel","user_id":"u-sentinel","session_id":"s-sentinel",` +
		`"url":"https://shop.example/?gclid=click-sentinel","referrer":"https://a.example/page-sentinel?q=1",` +
		`"properties":{"$gclid":"click-sentinel","visitor_id":"v-sentinel","$viewport":"view-sentinel"}`
	ways := map[string]string{
		"/v1/track":          `{"event":"a",` + sent + `}`,
		"/v1/batch":          `{"events":[{"event":"a",` + sent + `},{"event":"a",` + sent + `},{"event":"$identify",` + sent + `}]}`,
		"/v1/batch?key={pk}": `{"events":[{"event":"a",` + sent + `}]}`,
		"/v1/identify":       `{"anonymous_id":"v-sentinel","user_id":"u-sentinel","traits":{"plan":"plan-sentinel"}}`,
	}
	for _, header := range []string{"Sec-GPC", "DNT"} {
		for _, honoured := range []bool{true, false} {
			r := startServer(t)
			if !honoured {
				name := map[string]string{"Sec-GPC": "honour_gpc", "DNT": "honour_dnt"}[header]
				res, body := r.call("PATCH", "/v1/admin/projects/shop/settings", bearer(r.words["ak"]), strings.NewReader(`{"`+name+`":false}`))
				if res.StatusCode != 200 {
					t.Fatal(body)
				}
			}
			for path, body := range ways {
				h := http.Header{"Origin": {"https://shop.example"}, header: {"1"}}
				if !strings.Contains(path, "key=") {
					h.Set("Authorization", "Bearer "+r.words["pk"])
				}
				if res, text := r.call("POST", r.fill(path), h, strings.NewReader(body)); res.StatusCode >= 300 {
					t.Fatalf("%s: %d %s", path, res.StatusCode, text)
				}
			}
			_, text := r.call("GET", "/v1/query?from=2026-05-01&to=2026-05-02&include_bots=true", bearer(r.words["rk"]), nil)
			checkPrivacy(t, header, text, honoured)
			r.stop()
		}
	}
}

func checkPrivacy(t *testing.T, header, text string, honoured bool) {
	t.Helper()
	if found := strings.Contains(text, "sentinel"); found == honoured {
		t.Errorf("%s, honoured: %v: found what was sent: %v\n%s", header, honoured, found, text)
	}
	var answer struct {
		Rows []struct {
			Visitor string `json:"anonymous_id"`
			Name    string `json:"event_name"`
			Source  string
			Browser string
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	want := 4
	if !honoured {
		want = 6 // the calls to identify as well
	}
	if len(answer.Rows) != want {
		t.Errorf("%s, honoured: %v: %d rows, want %d", header, honoured, len(answer.Rows), want)
	}
	visitors := map[string]bool{}
	for _, row := range answer.Rows {
		visitors[row.Visitor] = true
		if row.Name == "a" && row.Source != "google" {
			t.Errorf("source %s", row.Source)
		}
	}
	if honoured && len(visitors) != want {
		t.Errorf("%s: %d visitors of %d events", header, len(visitors), want)
	}
}
