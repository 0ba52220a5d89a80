package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// chromium returns the path of a browser, and installs Debian's where there is none. Where that can't be
// done, the test is left out, and says so.
func chromium(t *testing.T) string {
	t.Helper()
	if found, err := exec.LookPath("chromium"); err == nil {
		return found
	}
	for _, command := range [][]string{{"apt-get", "update"}, {"apt-get", "install", "--yes", "--no-install-recommends", "chromium"}} {
		install := exec.CommandContext(t.Context(), command[0], command[1:]...)
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("NOT RUN: there is no browser, and %q failed, so the script was not tested in one: %v: %.500s", command, err, out)
		}
	}
	found, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// visitSeen is what the browser saw of a visit.
type visitSeen struct {
	Sent, Errors []string
	Cookies      int
	Kept         map[string]string
	Strict       string // how the page's policy refused what it doesn't allow
	Answers      int    // that the server gave
	ID, Global   string // the visitor; what kind of thing the page's mm is
	Refused      any    // by the browser, when the page asked for storage
}

// browsed are the visits of a browser, and what the servers have of them.
type browsed struct {
	seen map[string]visitSeen
	rows map[string][]visitRow // by the first part of the path, oldest first
}

// visitRow is an event as the server tells it.
type visitRow struct {
	EventName   string `json:"event_name"`
	AnonymousID string `json:"anonymous_id"`
	UserID      string `json:"user_id"`
	URL, Path   string
	Referrer    string
	Properties  string
}

// checkBrowser has a real browser open pages of one origin that load the script from another, and asks the
// server what it has: each event once, and nothing of those who don't want to be counted.
func checkBrowser(t *testing.T, dir string) {
	t.Helper()
	browser := chromium(t)
	site := &site{}
	site.start(t)
	keys := [2]madeProject{}
	for i, args := range [][]string{nil, {"--script-path", "/s.js", "--collect-path", "/c"}} {
		data := filepath.Join(t.TempDir(), "data")
		keys[i] = initFolder(t, data, "--origin", site.url)
		site.collectors = append(site.collectors, startDaemon(t, append(args, "--data", data)...).url)
		site.keys = append(site.keys, keys[i].PK)
	}
	denied := filepath.Join(t.TempDir(), "denied")
	refuseStorage(t, denied)
	given, err := json.Marshal(map[string]any{"browser": browser, "site": site.url, "collectors": site.collectors, "key": keys[0].RK, "denied": denied})
	if err != nil {
		t.Fatal(err)
	}
	b := browsed{rows: map[string][]visitRow{}}
	out := node(t, dir, "visits.mjs", string(given))
	if err := json.Unmarshal(out, &b.seen); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i, collector := range site.collectors {
		for _, row := range rowsOf(t, collector, keys[i].RK) {
			part := strings.Split(strings.TrimPrefix(row.URL, site.url), "/")
			row.URL, row.Referrer = strings.TrimPrefix(row.URL, site.url), strings.TrimPrefix(row.Referrer, site.url)
			name := "" // of events without an address
			if len(part) > 1 {
				name, _, _ = strings.Cut(part[1], "?")
			}
			b.rows[name] = append(b.rows[name], row)
		}
	}
	for name, check := range map[string]func(*testing.T, browsed){
		"nothing is set or broken": checkTraces, "views": checkViews, "once": checkOnce, "first view": checkFirst,
		"refusals": checkRefusals, "users": checkUsers,
	} {
		t.Run(name, func(t *testing.T) { check(t, b) })
	}
}

// refuseStorage makes a browser's folder whose settings let no page store anything.
func refuseStorage(t *testing.T, folder string) {
	t.Helper()
	const settings = `{"profile":{"default_content_setting_values":{"cookies":2}}}`
	if err := os.MkdirAll(filepath.Join(folder, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "Default", "Preferences"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
}

// rowsOf asks for all events, oldest first, until no more come: a beacon is on its way when its page is gone.
func rowsOf(t *testing.T, collector, key string) []visitRow {
	t.Helper()
	var answer struct{ Rows []visitRow }
	for before := -1; len(answer.Rows) > before; time.Sleep(500 * time.Millisecond) {
		before = len(answer.Rows)
		request, err := http.NewRequestWithContext(t.Context(), "GET", collector+"/v1/query?from=2000-01-01&to=2100-01-01&limit=1000", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = bearer(key)
		res, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || json.Unmarshal(body, &answer) != nil || res.StatusCode != 200 {
			t.Fatalf("%d %s %v", res.StatusCode, body, err)
		}
	}
	slices.Reverse(answer.Rows)
	return answer.Rows
}

// lines tells events as text.
func lines(rows []visitRow) (told []string) {
	for _, r := range rows {
		told = append(told, fmt.Sprintf("%s %s <- %s", r.EventName, r.URL, r.Referrer))
	}
	return told
}

func checkTraces(t *testing.T, b browsed) {
	if len(b.seen) < 12 {
		t.Errorf("only %d visits", len(b.seen))
	}
	for name, seen := range b.seen {
		if seen.Cookies != 0 {
			t.Errorf("%s: %d cookies", name, seen.Cookies)
		}
		for _, e := range seen.Errors {
			network := strings.HasPrefix(e, "Failed to load resource: net::ERR_") && (name == "offline" || name == "lost")
			refused := strings.HasPrefix(e, "Failed to load resource: the server responded with a status of 400") && (name == "large" || name == "ahead")
			if !network && !refused && e != seen.Strict {
				t.Errorf("%s: %s", name, e)
			}
		}
		want := 1
		if slices.Contains([]string{"dnt", "gpc", "storage", "leave"}, name) {
			want = 0 // about:blank, too, has none
		}
		if len(seen.Kept) != want || want == 1 && name != "stub" && len(seen.Kept["mm_aid"]) < 20 {
			t.Errorf("%s keeps %v", name, seen.Kept)
		}
	}
	for _, name := range []string{"dnt", "gpc"} {
		if seen := b.seen[name]; len(seen.Sent) != 0 || seen.ID != "" {
			t.Errorf("%s: %+v", name, seen)
		}
	}
	if seen := b.seen["storage"]; seen.Refused != "SecurityError" {
		t.Errorf("storage was not refused: %+v", seen)
	}
}

func checkViews(t *testing.T, b browsed) {
	got := strings.Join(lines(b.rows["routes"]), "\n")
	want := strings.Join([]string{
		"$pageview /routes <- ",
		"$pageview /routes/a <- /routes",
		"$pageview /routes/b <- /routes/a?q=typed",
		"$pageview /routes/b?page=2 <- /routes/b",
		"$pageview /routes/b <- /routes/b?page=2",
		"$pageview /routes/b <- /routes/b?page=2",
	}, "\n")
	if got != want {
		t.Errorf("routes:\n%s\nwant:\n%s", got, want)
	}
	for name, want := range map[string]string{
		"ahead":   "$pageview /ahead <- ", // of a clock that is days ahead
		"cached":  "$pageview /cached <- \n$pageview /cached <- ",
		"leave":   "$pageview /leave <- \nlast words /leave <- ",
		"hidden":  "$pageview /hidden <- ",
		"storage": "$pageview /storage <- \nstays /storage <- ",
		"renamed": "$pageview /renamed <- ",
		"module":  "early /module <- \n$pageview /module <- ",
		"lost":    "$pageview /lost <- ",
		"secret":  "", "dnt": "", "gpc": "",
	} {
		if got := strings.Join(lines(b.rows[name]), "\n"); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
	if stays := b.rows["storage"]; len(stays) == 2 && (stays[0].AnonymousID != stays[1].AnonymousID || stays[0].AnonymousID == "") {
		t.Errorf("without storage a page has several visitors: %v", stays)
	}
}

// checkOnce holds what was sent twice, or late, to be there once.
func checkOnce(t *testing.T, b browsed) {
	if seen := b.seen["hidden"]; !slices.Equal(seen.Sent, []string{"ping /v1/batch", "fetch /v1/batch"}) {
		t.Errorf("hidden: %v", seen.Sent)
	}
	// Its beacon, which the driver doesn't see: the page is gone.
	if seen := b.seen["leave"]; len(seen.Sent) != 0 {
		t.Errorf("leave: %v", seen.Sent)
	}
	if seen := b.seen["lost"]; seen.Answers != 2 {
		t.Errorf("lost: %+v", seen)
	}
	if got := len(b.rows["offline"]); got != 31 {
		t.Errorf("offline: %d events", got)
	}
	for i, row := range b.rows["offline"] {
		if i > 0 && !strings.Contains(row.Properties, fmt.Sprintf(`"i":%d}`, i-1)) {
			t.Errorf("offline: event %d is %+v", i, row)
		}
	}
	names := []string{}
	for _, row := range b.rows["large"] {
		names = append(names, row.EventName)
	}
	if want := append(append([]string{"$pageview"}, slices.Repeat([]string{"large"}, 10)...), "after"); !slices.Equal(names, want) {
		t.Errorf("large: %v", names)
	}
}

// checkFirst holds a view under a strict policy against what it must say.
func checkFirst(t *testing.T, b browsed) {
	const address = "/first?utm_source=news&utm_medium=email&gclid=g1&other=x"
	rows := b.rows["first"]
	if !strings.Contains(b.seen["first"].Strict, "Content Security Policy") || len(rows) != 1 {
		t.Fatalf("%+v %v", b.seen["first"], rows)
	}
	const properties = `{"$viewport":"800x600","$language":"de-DE","$timezone":"Europe/Berlin","$utm_source":"news","$utm_medium":"email","$gclid":"g1"}`
	if r := rows[0]; r.EventName != "$pageview" || r.URL != address || r.Referrer != "https://search.example/" || r.Properties != properties {
		t.Errorf("%+v", r)
	}
	if kept := b.seen["first"].Kept["mm_aid"]; kept != rows[0].AnonymousID {
		t.Errorf("the page keeps %q, the event says %q", kept, rows[0].AnonymousID)
	}
}

func checkRefusals(t *testing.T, b browsed) {
	if seen := b.seen["renamed"]; !slices.Equal(seen.Sent, []string{"fetch /c/batch"}) {
		t.Errorf("renamed: %v", seen.Sent)
	}
	if seen := b.seen["module"]; seen.Global != "undefined" {
		t.Errorf("the module sets mm: %+v", seen)
	}
}

// checkUsers looks at the page whose stub was called before the script was there.
func checkUsers(t *testing.T, b browsed) {
	if got := strings.Join(lines(b.rows["stub"]), "\n"); got != "$pageview /stub <- \nearly /stub <- \n$pageview /stub <- " {
		t.Errorf("stub:\n%s", got)
	}
	if len(b.rows[""]) != 1 || b.rows[""][0].EventName != "$identify" {
		t.Fatalf("%v", b.rows[""])
	}
	for _, row := range append(b.rows["stub"], b.rows[""]...) {
		if row.UserID != "ann" || row.AnonymousID != "mine" || b.seen["stub"].ID != "mine" {
			t.Errorf("%+v", row)
		}
	}
	if got := b.rows[""][0].Properties; got != `{"plan":"pro"}` {
		t.Errorf("traits %s", got)
	}
	if rows := b.rows["stub"]; len(rows) == 3 && !strings.Contains(rows[2].Properties, `"$page_name":"chapter two"`) {
		t.Errorf("%+v", rows[2])
	}
}
