package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/engine"
	"millimetric/index/event"
)

// do sends a request with the account key and reads the answer into out.
func (r *running) do(method, path, body string, status int, out any) {
	r.t.Helper()
	res, text := r.call(method, path, bearer(r.words["ak"]), strings.NewReader(body))
	if res.StatusCode != status {
		r.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(text), out); err != nil {
			r.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
}

// refusedWith reports the code with which a key is refused, "" where it isn't.
func (r *running) refusedWith(method, path, key, body string) string {
	r.t.Helper()
	res, text := r.call(method, path, bearer(key), strings.NewReader(body))
	if res.StatusCode < 400 {
		return ""
	}
	var said struct {
		Code string `json:"error"`
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		r.t.Fatalf("%s %s: %s", method, path, text)
	}
	return said.Code
}

const aQuestion = "?from=2026-05-01&to=2026-05-02"

func TestAMintedKeyWorksAndARevokedOneEndsAtOnce(t *testing.T) {
	r := startServer(t)
	var key admin.Key
	r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"sk","name":"till"}`, 201, &key)
	if key.Name != "till" || key.Project != r.words["project"] || !strings.HasPrefix(key.Text, "sk_live_"+key.Prefix+"_") {
		t.Fatalf("%+v", key)
	}
	if code := r.refusedWith("POST", "/v1/track", key.Text, `{"event":"x"}`); code != "" {
		t.Errorf("the new key: %s", code)
	}
	path := "/v1/admin/projects/shop/keys/" + key.Prefix
	r.do("DELETE", "/v1/admin/projects/blog/keys/"+key.Prefix, "", 404, nil)
	r.do("DELETE", "/v1/admin/keys/"+key.Prefix, "", 404, nil)
	r.do("DELETE", path, "", 200, &key)
	if key.Revoked == nil || key.LastUsed == nil {
		t.Errorf("%+v", key)
	}
	if code := r.refusedWith("POST", "/v1/track", key.Text+"", `{"event":"x"}`); code == "" {
		t.Error("the revoked key still works")
	}
	if code := r.refusedWith("DELETE", "/v1/admin/projects/"+r.words["project"]+"/keys/"+key.Prefix, r.words["their_ak"], ""); code != "not_found" {
		t.Errorf("another account's key: %q", code)
	}
}

func TestAKeyIsNarrowedToRoutesAndNeverWidened(t *testing.T) {
	r := startServer(t)
	var key admin.Key
	r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"rk","routes":["stats","sources"],"expires_at":"2026-06-01"}`, 201, &key)
	text, path := key.Text, "/v1/admin/projects/shop/keys/"+key.Prefix
	for route, want := range map[string]string{"stats": "", "sources": "", "query": "insufficient_scope", "live": "insufficient_scope"} {
		question := aQuestion
		if route == "live" {
			question = ""
		}
		if code := r.refusedWith("GET", "/v1/"+route+question, text, ""); code != want {
			t.Errorf("%s: %q, want %q", route, code, want)
		}
	}
	r.do("PATCH", path, `{"routes":["stats","query"]}`, 400, nil)
	r.do("PATCH", path, `{"expires_at":"2026-07-01"}`, 400, nil)
	r.do("PATCH", path, `{"scopes":["export"]}`, 400, nil)
	r.do("PATCH", path, `{"routes":["sources"],"expires_at":"2026-05-20"}`, 200, &key)
	if code := r.refusedWith("GET", "/v1/stats"+aQuestion, text, ""); code != "insufficient_scope" {
		t.Errorf("after it was narrowed: %q", code)
	}
	if !slices.Equal(key.Routes, []string{"sources"}) || key.Expires.Day() != 20 {
		t.Errorf("%+v", key)
	}
}

func TestAKeyWithDatesSeesNothingOutsideOfThem(t *testing.T) {
	r := startServer(t)
	for _, day := range []string{"2026-04-28", "2026-04-29", "2026-04-30"} {
		body := `{"event":"x","anonymous_id":"ann","session_id":"s","path":"/` + day + `","timestamp":"` + day + `T12:00:00Z"}`
		if code := r.refusedWith("POST", "/v1/track", r.words["sk"], body); code != "" {
			t.Fatal(code)
		}
	}
	var key admin.Key
	r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"rk","from":"2026-04-29","to":"2026-04-30"}`, 201, &key)
	for question, want := range map[string]string{
		"stats?from=2026-04-29&to=2026-04-30":                        `"value":1`,
		"stats?from=2026-04-28&to=2026-04-30":                        `{"error":"insufficient_scope","details":{"formErrors":["The key only reads events from 2026-04-29T00:00:00Z on before 2026-04-30T00:00:00Z"]}}`,
		"query?from=2026-04-29&to=2026-05-01":                        "insufficient_scope",
		"sessions?from=2026-04-29&to=2026-04-30&list=true":           `"events":1`,
		"paths?from=2026-04-29&to=2026-04-30&start=x":                `"count":1`,
		"stats?from=2026-04-29T10:00:00%2B02:00&to=2026-04-29T23:00": `"value":1`,
	} {
		if _, body := r.call("GET", "/v1/"+question, bearer(key.Text), nil); !strings.Contains(body, want) || strings.Contains(body, "04-28T") {
			t.Errorf("%s: %s", question, body)
		}
	}
}

func TestADestroyedProjectLeavesNothingAndItsNumberIsNotUsedAgain(t *testing.T) {
	r := startServer(t)
	var made struct {
		Project admin.Project
		Keys    []admin.Key
	}
	r.do("POST", "/v1/admin/projects", `{"name":"third","origins":["https://third.example"]}`, 201, &made)
	sk, rk := made.Keys[1].Text, made.Keys[2].Text
	for range 3 {
		if code := r.refusedWith("POST", "/v1/track", sk, `{"event":"x","user_id":"ann"}`); code != "" {
			t.Fatal(code)
		}
	}
	account := r.folder.book.Accounts()[0].ID
	number := r.folder.book.ProjectNamed(account, "", "third").Number
	secret, err := r.folder.ring.ProjectKey(number)
	if err != nil {
		t.Fatal(err)
	}
	r.do("DELETE", "/v1/admin/projects/third", `{"confirm":"shop"}`, 400, nil)
	r.do("DELETE", "/v1/admin/projects/third", "", 400, nil)
	r.do("DELETE", "/v1/admin/projects/third", `{"confirm":"third"}`, 200, nil)
	r.do("DELETE", "/v1/admin/projects/third", `{"confirm":"third"}`, 404, nil)
	for _, key := range []string{sk, rk} {
		if a, b := r.refusedWith("POST", "/v1/track", key, `{"event":"x"}`), r.refusedWith("GET", "/v1/stats"+aQuestion, key, ""); a != "invalid_api_key" || b != a {
			t.Errorf("a key of it: %q, %q", a, b)
		}
	}
	if code := r.refusedWith("GET", "/v1/stats"+aQuestion+"&project_id="+made.Project.ID, r.words["ak"], ""); code != "not_found" {
		t.Errorf("a question about it: %q", code)
	}
	if again, err := r.folder.ring.ProjectKey(number); err != nil || again == secret {
		t.Errorf("its identity secret is still there: %v", err)
	}
	if r.folder.book.AnyAllows("https://third.example") {
		t.Error("its origin is still let in")
	}
	r.do("POST", "/v1/admin/projects", `{"name":"third"}`, 201, nil)
	if next := r.folder.book.ProjectNamed(account, "", "third").Number; next <= number {
		t.Errorf("number %d was given again: %d", number, next)
	}
	var checked admin.Checked
	r.do("POST", "/v1/admin/check", "", 200, &checked)
	if !checked.OK {
		t.Errorf("%v", checked.Problems)
	}
}

// The door for agents knows the same bounds: of dates, of tools, and of projects that take nothing.
func TestAgentsAreHeldToWhatTheirKeyMay(t *testing.T) {
	r := startServer(t)
	for _, day := range []string{"2026-04-28", "2026-04-29"} {
		body := `{"event":"on ` + day + `","timestamp":"` + day + `T12:00:00Z"}`
		if code := r.refusedWith("POST", "/v1/track", r.words["sk"], body); code != "" {
			t.Fatal(code)
		}
	}
	var key, silent admin.Key
	r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"rk","tools":["get_stats"],"from":"2026-04-29"}`, 201, &key)
	r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"rk","routes":["stats"]}`, 201, &silent)
	if names := r.toolNames("/mcp", key.Text); !slices.Equal(names, []string{"get_stats"}) {
		t.Errorf("tools: %v", names)
	}
	call := func(tool string, args map[string]any) string {
		return r.rpc("/mcp", key.Text, "tools/call", map[string]any{"name": tool, "arguments": args}).raw
	}
	may := map[string]any{"from": "2026-04-29", "to": "2026-05-02"}
	if got := call("get_stats", may); !strings.Contains(got, `"value":1`) {
		t.Errorf("what the key may see: %s", got)
	}
	if got := call("get_stats", map[string]any{"from": "2026-04-28", "to": "2026-05-02"}); !strings.Contains(got, "insufficient_scope") {
		t.Errorf("dates: %s", got)
	}
	if got := call("top_sources", may); !strings.Contains(got, "insufficient_scope") {
		t.Errorf("tools: %s", got)
	}
	if got := r.rpc("/mcp", key.Text, "resources/read", map[string]any{"uri": "schema://events"}).raw; strings.Contains(got, "04-28") || !strings.Contains(got, "04-29") {
		t.Errorf("a resource: %s", got)
	}
	if code := r.refusedWith("POST", "/mcp", silent.Text, "{}"); code != "insufficient_scope" {
		t.Errorf("a key without the route: %q", code)
	}
	r.do("PATCH", "/v1/admin/projects/shop", `{"archived":true}`, 200, nil)
	got := r.rpc("/mcp", r.words["sk"], "tools/call", map[string]any{"name": "track_event", "arguments": map[string]any{"event": "x"}}).raw
	if !strings.Contains(got, "project_archived") {
		t.Errorf("an archived project: %s", got)
	}
}

// A resource tells what a tool would, so it is no way around what a key was narrowed to.
func TestAKeyThatMayNotUseAToolMayNotReadItsResource(t *testing.T) {
	r := startServer(t)
	var key admin.Key
	r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"rk","tools":["get_stats"]}`, 201, &key)
	for uri, allowed := range map[string]bool{"events://recent": false, "schema://events": true} {
		a := r.rpc("/mcp", key.Text, "resources/read", map[string]any{"uri": uri})
		if (a.Error == nil) != allowed || !allowed && !strings.Contains(a.raw, "insufficient_scope") {
			t.Errorf("%s: %s", uri, a.raw)
		}
		if list := r.rpc("/mcp", key.Text, "resources/list", struct{}{}).raw; strings.Contains(list, uri) != allowed {
			t.Errorf("%s in the list of resources: %s", uri, list)
		}
	}
}

// A narrowed account key must not be a way to one that isn't.
func TestANarrowedAccountKeyCannotGetItselfMore(t *testing.T) {
	r := startServer(t)
	var key admin.Key
	r.do("POST", "/v1/admin/keys", `{"routes":["keys.mint","keys.narrow","keys.rotate","projects.create","projects.list"]}`, 201, &key)
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/v1/admin/projects", "", ""},
		{"GET", "/v1/admin/audit", "", "insufficient_scope"},
		{"GET", "/v1/stats" + aQuestion + "&project_slug=shop", "", "insufficient_scope"},
		{"POST", "/v1/admin/keys", "{}", "insufficient_scope"},
		{"POST", "/v1/admin/projects/shop/keys", `{"kind":"rk"}`, "insufficient_scope"},
		{"POST", "/v1/admin/projects", `{"name":"x"}`, "insufficient_scope"},
		{"PATCH", "/v1/admin/keys/" + key.Prefix, `{"name":"x"}`, "insufficient_scope"},
		{"POST", "/v1/admin/keys/" + key.Prefix + "/rotate", "", "insufficient_scope"},
	} {
		if code := r.refusedWith(c.method, c.path, key.Text, c.body); code != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.path, code, c.want)
		}
	}
}

func TestARotatedKeyStaysGoodForItsOverlapOnly(t *testing.T) {
	r := startServer(t)
	for overlap, want := range map[string]string{`{"overlap":"12h"}`: "", `{"overlap":"0"}`: "invalid_api_key", "": ""} {
		var key admin.Key
		var made struct{ Key, Previous admin.Key }
		r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"rk","routes":["stats"],"name":"board"}`, 201, &key)
		r.do("POST", "/v1/admin/projects/shop/keys/"+key.Prefix+"/rotate", overlap, 201, &made)
		if code := r.refusedWith("GET", "/v1/stats"+aQuestion, key.Text, ""); code != want {
			t.Errorf("%s: the old one: %q", overlap, code)
		}
		if code := r.refusedWith("GET", "/v1/stats"+aQuestion, made.Key.Text, ""); code != "" || made.Key.Name != "board" {
			t.Errorf("%s: the new one: %q %+v", overlap, code, made.Key)
		}
		if code := r.refusedWith("GET", "/v1/sources"+aQuestion, made.Key.Text, ""); code != "insufficient_scope" {
			t.Errorf("%s: the new one may do more: %q", overlap, code)
		}
		if overlap == "" && !made.Previous.Expires.Equal(testNow.Add(24*time.Hour)) {
			t.Errorf("%s: %v", overlap, made.Previous.Expires)
		}
	}
	var key admin.Key
	r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"rk"}`, 201, &key)
	r.do("POST", "/v1/admin/projects/shop/keys/"+key.Prefix+"/rotate", `{"overlap":"8d"}`, 400, nil)
	r.do("POST", "/v1/admin/projects/shop/keys/"+key.Prefix+"/rotate", `{"overlap":"soon"}`, 400, nil)
}

func TestTheReviewSaysWhoMayDoWhatAndWhenItWasUsed(t *testing.T) {
	r := startServer(t)
	var key admin.Key
	r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"rk","routes":["stats"]}`, 201, &key)
	r.refusedWith("GET", "/v1/stats"+aQuestion, key.Text, "")
	var review struct{ Keys []admin.Access }
	r.do("GET", "/v1/admin/access", "", 200, &review)
	found := 0
	for _, a := range review.Keys {
		switch a.Prefix {
		case key.Prefix:
			found++
			if !a.Good || !slices.Equal(a.May, []string{"stats"}) || a.LastUsed == nil || a.Text != "" {
				t.Errorf("%+v", a)
			}
		case r.words["revoked"][8:16]:
			found++
			if a.Good || len(a.May) > 0 {
				t.Errorf("revoked: %+v", a)
			}
		case r.words["their_ak"][8:16]:
			t.Error("another account's key is shown")
		}
	}
	if found != 2 || review.Keys[0].LastUsed != nil {
		t.Errorf("%+v", review.Keys)
	}
}

// auditRows returns the audit log's entries, the oldest first.
func (r *running) auditRows() (entries []audit.Entry) {
	r.t.Helper()
	rows, _, err := r.folder.audit.Read(audit.Question{Limit: 10_000})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, row := range slices.Backward(rows) {
		var e audit.Entry
		if err := json.Unmarshal(row.Entry, &e); err != nil {
			r.t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// Every route that is audited is called, rightly and with keys that may not, and each call must be found.
func TestEveryCallOfAnAuditedRouteIsInTheAuditLog(t *testing.T) {
	r := startServer(t)
	actors := map[string]string{r.words["ak"]: r.words["ak"][8:16], r.words["rk"]: r.words["rk"][8:16], r.words["expired"]: r.words["expired"][8:16], "": ""}
	routes := 0
	for _, route := range routeTable() {
		about := route.name == "export" || route.name == "subject" || strings.HasPrefix(route.path, "/v1/forget") // about single people
		if strings.HasPrefix(route.path, "/v1/admin/") != route.audited && !about {
			t.Errorf("%s: audited is %v", route.path, route.audited)
		}
		if !route.audited {
			continue
		}
		routes++
		for key, actor := range actors {
			before := len(r.auditRows())
			header := http.Header{}
			if key != "" {
				header = bearer(key)
			}
			path := strings.NewReplacer("{id}", r.words["project"], "{prefix}", "00000000").Replace(route.path)
			res, text := r.call(route.methods[0], path, header, strings.NewReader(""))
			var said struct {
				Code string `json:"error"`
			}
			_ = json.Unmarshal([]byte(text), &said)
			if said.Code == "" {
				said.Code = audit.ResultOK
			}
			after := r.auditRows()
			if len(after) == before && res.StatusCode < 400 {
				t.Fatalf("%s %s with %q: no entry", route.methods[0], path, actor)
			}
			if len(after) == before { // one of many of its kind: counted, and written when the minute ends
				if err := r.folder.audit.Upkeep(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				after = r.auditRows()
			}
			last := after[len(after)-1]
			if last.Action != route.name && last.Action != "other" || last.Result != said.Code || last.Action == route.name && last.Actor != actor {
				t.Errorf("%s %s with %q: %d %s, but %+v", route.methods[0], path, actor, res.StatusCode, text, last)
			}
		}
	}
	if routes < 20 {
		t.Errorf("only %d routes", routes)
	}
	if v, err := r.folder.audit.Verify(nil); err != nil || len(v.Problems) > 0 {
		t.Errorf("%v %+v", err, v)
	}
}

func TestTheAuditLogHoldsNoSecretAndNoStrangersWord(t *testing.T) {
	r := startServer(t)
	var key admin.Key
	r.do("POST", "/v1/admin/projects/shop/keys", `{"kind":"sk"}`, 201, &key)
	r.do("POST", "/v1/admin/projects", `{"name":"third"}`, 201, nil)
	r.refusedWith("GET", "/v1/admin/projects", "ak_live_12345678_guessed", "")
	text := fmt.Sprintf("%+v", r.auditRows())
	for _, secret := range []string{key.Text[18:], r.words["ak"][18:], "guessed", "12345678", "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q stands in %s", secret, text)
		}
	}
}

// The way of a retention window through all rooms: setting, engine, keyring.
func TestARetentionWindowHoldsAtOnceAndItsKeysGoWhenItsDaysEnd(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "data"), testNow
	began := time.Now()
	open := func() *folder {
		f, err := openFolder(folderOptions{Dir: dir, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Engine: engine.Options{
			FreeBytesMin: -1, FreePercentMin: -1, Elapsed: func() time.Duration { return now.Sub(testNow) + time.Since(began) },
		}})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open()
	defer func() { _ = f.close() }()
	if _, err := f.addProject(t.Context(), auth.NewProject{Name: "shop"}); err != nil {
		t.Fatal(err)
	}
	project := f.book.Projects(f.book.Accounts()[0].ID)[0].Number
	if err := f.engine.SetRetention(t.Context(), project, 3); err != nil {
		t.Fatal(err)
	}
	for day := range 3 {
		at := event.TimeOf(testNow.AddDate(0, 0, -day))
		if err := f.engine.Append(t.Context(), project, []event.Event{{Time: at, Name: "x", AnonymousID: "a", SessionID: "s", Properties: "{}"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.engine.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	buckets := func() (days int) {
		for _, bucket := range f.ring.CipherBuckets(project) {
			if bucket >= 0 {
				days++
			}
		}
		return days
	}
	if n := buckets(); n != 3 {
		t.Fatalf("%d buckets have keys", n)
	}
	// The oldest day leaves the window two days on.
	for days, want := range []int{3, 3, 2, 1, 0} {
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
		now = testNow.AddDate(0, 0, days)
		// An event of another project tells the store that it really is so late: at a start whose clock is far
		// ahead of all that was committed, nothing is destroyed for hours.
		f = open()
		if err := f.engine.Append(t.Context(), project+1, []event.Event{{Time: event.TimeOf(now), Name: "x", AnonymousID: "a", Properties: "{}"}}); err != nil {
			t.Fatal(err)
		}
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
		f = open()
		if oldest := f.engine.Oldest(project); oldest != event.TimeOf(now.Truncate(24*time.Hour).AddDate(0, 0, -3)) {
			t.Errorf("day %d: the oldest is %v", days, oldest.Std())
		}
		for range 100 {
			if buckets() == want {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if n := buckets(); n != want {
			t.Errorf("day %d: %d buckets have keys, want %d", days, n, want)
		}
	}
}
