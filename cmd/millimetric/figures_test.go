package main

import (
	"fmt"
	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestFiguresSayWhatHappened(t *testing.T) {
	r := startServer(t)
	r.track("sk", `{"event":"signup"}`)
	r.track("sk", `{"event":"signup"}`)
	r.call("GET", "/v1/stats?from=2026-05-01&to=2026-05-02", bearer(r.words["rk"]), nil)
	r.call("GET", "/v1/stats?from=2026-05-01", bearer(r.words["rk"]), nil)
	r.call("GET", "/nowhere", nil, nil)
	if err := r.folder.engine.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	res, text := r.call("GET", "/metrics", nil, nil)
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain; version=") {
		t.Fatalf("%d %s", res.StatusCode, res.Header)
	}
	for _, want := range []string{
		`millimetric_events_total 2`, `millimetric_append_seconds_count 2`, `millimetric_appends_waiting 0`,
		`millimetric_requests_total{route="track",status="202"} 2`, `millimetric_requests_total{route="stats",status="200"} 1`,
		`millimetric_requests_total{route="stats",status="400"} 1`, `millimetric_requests_total{route="unknown",status="404"} 1`,
		`millimetric_request_seconds_count{route="track"} 2`, `millimetric_question_seconds_count{question="stats"} 1`,
		`millimetric_question_cost_total{cost="rows_matched",question="stats"} 2`,
		`millimetric_store_events{state="sealed"} 2`, `millimetric_store_segments 1`, `millimetric_store_work_total{work="seals"} 1`,
		`millimetric_store_memory_bytes{part="pieces read"}`, `millimetric_store_bytes{part="columns"}`, `millimetric_store_ready 1`, `go_goroutines`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s in\n%s", want, regexp.MustCompile(`(?m)^(go_|#|.*_bucket).*\n`).ReplaceAllString(text, ""))
			break
		}
	}
}

// A question that is asked again finds what it needs in the caches, and the figures say so.
func TestFiguresCountWhatCachesWereAskedFor(t *testing.T) {
	r := startServer(t)
	for i := range 50 {
		r.track("sk", fmt.Sprintf(`{"event":"signup","user_id":"u%d"}`, i))
	}
	if err := r.folder.engine.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	count := func(cache, result string) int {
		t.Helper()
		_, text := r.call("GET", "/metrics", nil, nil)
		m := regexp.MustCompile(`(?m)^millimetric_cache_reads_total\{cache="` + cache + `",result="` + result + `"\} (\d+)$`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no %s of %s in %s", result, cache, text)
		}
		n, _ := strconv.Atoi(m[1])
		return n
	}
	ask := func() {
		t.Helper()
		target := "/v1/stats?from=2026-01-01&to=2027-01-01&metric=uniques&event=signup"
		if res, text := r.call("GET", target, bearer(r.words["rk"]), nil); res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, text)
		}
	}
	ask()
	missed, hit := count("memo", "miss"), count("memo", "hit")
	if missed == 0 || count("pieces", "miss") == 0 {
		t.Errorf("a first question missed %d in the memo and %d pieces", missed, count("pieces", "miss"))
	}
	ask()
	if got := count("memo", "hit"); got <= hit || count("memo", "miss") != missed {
		t.Errorf("asked again, it found %d in the memo, %d before", got, hit)
	}
	_, text := r.call("GET", "/metrics", nil, nil)
	for _, want := range []string{"millimetric_connections 1", "millimetric_bodies_bytes 0", "millimetric_questions_under_way 0"} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// What a label may say is decided when the program is built. The test sends words of its own in every
// place that there is and looks for them.
func TestFiguresNameNothingThatAnybodySent(t *testing.T) {
	r := startServer(t)
	const word = "zq9sent"
	r.track("sk", `{"event":"`+word+`","url":"https://`+word+`.example/","user_id":"`+word+`"}`)
	r.call("GET", "/v1/stats?event="+word+"&"+word+"=1", bearer(r.words["rk"]), nil)
	r.call("GET", "/v1/stats?from=2026-05-01&to=2026-05-02&event="+word, bearer(r.words["rk"]), nil)
	r.call("GET", "/"+word, http.Header{"User-Agent": {word}}, nil)
	r.rpc("/mcp", r.words["rk"], "tools/call", map[string]any{"name": word})
	r.call("GET", "/v1/admin/projects/"+word, bearer(r.words["ak"]), nil)
	_, text := r.call("GET", "/metrics", nil, nil)
	for _, never := range []string{word, "shop", "blog", r.words["project"], r.words["sk"][8:16], r.words["rk"][8:16], r.words["ak"][8:16]} {
		if strings.Contains(text, never) {
			t.Errorf("the figures name %q", never)
		}
	}
}

func TestFiguresAreForThisMachineOrAnAccountKey(t *testing.T) {
	r := startServer(t)
	passed := func(key string) http.Header {
		header := http.Header{}
		if key != "" {
			header = bearer(key)
		}
		header.Set("X-Forwarded-For", "198.51.100.7")
		return header
	}
	for _, c := range []struct {
		key    string
		status int
	}{{"", 401}, {r.words["rk"], 403}, {r.words["sk"], 403}, {r.words["revoked"], 401}, {r.words["ak"], 200}} {
		if res, body := r.call("GET", "/metrics", passed(c.key), nil); res.StatusCode != c.status {
			t.Errorf("through a proxy with %.8s: %d %.100s", c.key, res.StatusCode, body)
		}
	}
	if res, _ := r.call("GET", "/metrics", nil, nil); res.StatusCode != 200 {
		t.Errorf("from this machine: %d", res.StatusCode)
	}
}

// A balancer moves on where events aren't taken; a supervisor must not have the process killed for it.
func TestReadinessFailsWhereWritesAreRefusedAndHealthDoesNot(t *testing.T) {
	r := startServer(t)
	r.server.ready = func() error { return &event.Error{Kind: event.ErrLimit, Code: event.CodeDiskLow} }
	if res, body := r.call("GET", "/readyz", nil, nil); res.StatusCode != 503 || body != `{"error":"disk_low"}` {
		t.Errorf("readyz: %d %s", res.StatusCode, body)
	}
	if res, body := r.call("GET", "/healthz", nil, nil); res.StatusCode != 200 {
		t.Errorf("healthz: %d %s", res.StatusCode, body)
	}
	// A server that has nothing but its own memory: whoever asked the store would panic.
	if err := (&server{}).healthz(requestFrom(t, "127.0.0.1:5", nil), auth.Grant{}); err != nil {
		t.Error(err)
	}
}
