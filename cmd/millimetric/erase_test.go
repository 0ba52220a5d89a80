package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millimetric/cmd/millimetric/receipt"
)

// forgotten asks for an erasure with a secret key, and returns the receipt's number.
func (r *running) forgotten(key, body string) string {
	r.t.Helper()
	res, text := r.call("POST", "/v1/forget", bearer(r.words[key]), strings.NewReader(body))
	var said struct {
		OK, Queued bool
		Receipt    string
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil || res.StatusCode != 200 || !said.OK || !said.Queued || len(said.Receipt) != 32 {
		r.t.Fatalf("forget %s: %d %s", body, res.StatusCode, text)
	}
	return said.Receipt
}

// erased waits until a receipt says that nothing is left, and returns its document.
func (r *running) erased(key, id string) []byte {
	r.t.Helper()
	for range 1000 {
		res, text := r.call("GET", "/v1/forget/"+id, bearer(r.words[key]), nil)
		var said receipt.Receipt
		if err := json.Unmarshal([]byte(text), &said); err != nil || res.StatusCode != 200 || said.HiddenAt == nil {
			r.t.Fatalf("receipt %s: %d %s", id, res.StatusCode, text)
		}
		if said.Status == receipt.StatusErased {
			return []byte(text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.t.Fatalf("receipt %s: nothing comes of it", id)
	return nil
}

func (r *running) sends(key string, bodies ...string) {
	r.t.Helper()
	for _, body := range bodies {
		if code := r.refusedWith("POST", "/v1/track", r.words[key], body); code != "" {
			r.t.Fatalf("%s: %s", body, code)
		}
	}
}

// everyQuestion is some question of each kind.
var everyQuestion = []string{
	"stats?", "stats?actor=person&interval=day", "stats?group_by=event_name,user_id&metric=uniques", "stats?metric=sum(n)&group_by=properties.n",
	"query?limit=100", "query?user_id=ann", "query?anonymous_id=phone&limit=50", "sources?", "sessions?actor=person",
	"funnel?step=view&step=buy&actor=person", "retention?birth=view&return=view&interval=day", "paths?start=view&events=view,buy",
	"attribution?conversion=buy&model=first&actor=person&group_by=source", "live?window=24h",
}

// Questions of all kinds are answered as if an erased user's events had never come, from the moment at which
// forget answers.
func TestAnErasedUserIsInNoAnswerAndTheReceiptShowsIt(t *testing.T) {
	r := startServer(t)
	at := func(minute int) string {
		return testNow.Add(time.Duration(minute-120) * time.Minute).Format(time.RFC3339)
	}
	anns := []string{
		`{"event":"view","anonymous_id":"phone","url":"https://shop.example/?utm_source=mail","event_id":"a1","timestamp":"` + at(1) + `"}`,
		`{"event":"view","anonymous_id":"phone","user_id":"ann","properties":{"n":5},"event_id":"a2","timestamp":"` + at(2) + `"}`,
		`{"event":"buy","anonymous_id":"desk","user_id":"ann","properties":{"n":7},"timestamp":"` + at(3) + `"}`,
	}
	others := []string{
		`{"event":"view","anonymous_id":"desk","user_id":"bob","properties":{"n":1},"timestamp":"` + at(2) + `"}`,
		`{"event":"view","anonymous_id":"desk","url":"https://shop.example/x","timestamp":"` + at(4) + `"}`,
		`{"event":"buy","anonymous_id":"phone","user_id":"bob","properties":{"n":2},"timestamp":"` + at(5) + `"}`,
		`{"event":"view","anonymous_id":"stranger","timestamp":"` + at(6) + `"}`,
	}
	r.sends("blog_sk", others...)
	r.sends("sk", anns...)
	r.sends("sk", others...)
	same := func(when string) {
		t.Helper()
		for _, question := range everyQuestion {
			path := "/v1/" + question
			if !strings.HasPrefix(question, "live") {
				path += "&from=2026-04-01&to=2026-05-02"
			}
			path = strings.Replace(path, "?&", "?", 1)
			_, got := r.call("GET", path, bearer(r.words["rk"]), nil)
			_, want := r.call("GET", path, bearer(r.words["blog_rk"]), nil)
			got, want = bare(t, got), bare(t, want)
			if got != want || strings.HasPrefix(want, `{"error"`) {
				t.Errorf("%s, %s:\n%s\nwant\n%s", when, question, got, want)
			}
		}
	}
	_, position := r.call("GET", "/v1/stats?from=2026-04-01&to=2026-05-02", bearer(r.words["rk"]), nil)
	if !strings.Contains(position, `"value":7`) {
		t.Fatalf("before: %s", position)
	}
	id := r.forgotten("sk", `{"user_id":"ann"}`)
	same("at once")
	_, replay := r.call("GET", "/v1/stats?from=2026-04-01&to=2026-05-02&as_of=7", bearer(r.words["rk"]), nil)
	if !strings.Contains(replay, `"replay":{"exact":false,"because":["erasure"]}`) || !strings.Contains(replay, `"value":4`) {
		t.Errorf("a replay: %s", replay)
	}
	document := r.erased("sk", id)
	same("on the disk, too")
	r.sends("sk", anns...)
	same("sent again")
	signer, err := r.folder.signer()
	if err != nil {
		t.Fatal(err)
	}
	said, err := receipt.Verify(document, signer.Public())
	if err != nil || said.Events != 3 || said.Residue != 0 || said.BytesScanned == 0 || said.Subject.Kind != "user" || said.Project != r.words["project"] || said.OldestBackup != nil {
		t.Errorf("%s: %v", document, err)
	}
	r.offline(document, signer.Public())
}

// offline has the command line verify a receipt, and one that was changed.
func (r *running) offline(document []byte, key string) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "receipt.json")
	for text, want := range map[string]int{string(document) + "\n": exitOK, strings.Replace(string(document), `"events":3`, `"events":2`, 1): exitFailed} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
		if got := run(r.t.Context(), []string{"receipt", "verify", file, "--key", key}); got != want {
			r.t.Errorf("verify ends with %d, want %d: %s", got, want, text)
		}
	}
}

// bare is an answer without what tells positions and cost.
func bare(t *testing.T, text string) string {
	t.Helper()
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, name := range []string{"as_of", "cost", "explain", "meta", "project_id"} {
		delete(answer, name)
	}
	if settings, ok := answer["settings"].(map[string]any); ok {
		delete(settings, "as_of")
	}
	if rows, ok := answer["rows"].([]any); ok {
		for _, row := range rows {
			if fields, ok := row.(map[string]any); ok {
				for _, name := range []string{"seq", "project_id"} {
					delete(fields, name)
				}
			}
		}
	}
	out, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestWhatForgetRefuses(t *testing.T) {
	r := startServer(t)
	id := r.forgotten("sk", `{"anonymous_id":"phone"}`)
	for _, c := range []struct{ key, method, path, body, want string }{
		{"sk", "POST", "/v1/forget", `{}`, "invalid_payload"},
		{"sk", "POST", "/v1/forget", `[]`, "invalid_payload"},
		{"sk", "POST", "/v1/forget", `{"user_id":""}`, "invalid_payload"},
		{"sk", "POST", "/v1/forget", `{"user_id":7}`, "invalid_payload"},
		{"sk", "POST", "/v1/forget", `{"user_id":"a","anonymous_id":"b"}`, "invalid_payload"},
		{"sk", "POST", "/v1/forget", `{"user_id":"` + strings.Repeat("x", 257) + `"}`, "invalid_payload"},
		{"sk", "POST", "/v1/forget", `{"anonymous_id":"` + strings.Repeat("x", 129) + `"}`, "invalid_payload"},
		{"sk", "POST", "/v1/forget", `{"user_id":"a","user_id":"b"}`, "invalid_payload"},
		{"ak", "POST", "/v1/forget", `{"user_id":"a"}`, "invalid_payload"},
		{"ak", "POST", "/v1/forget", `{"user_id":"a","project_slug":"theirs"}`, "not_found"},
		{"sk", "POST", "/v1/forget", `{"user_id":"a","project_slug":"blog"}`, "insufficient_scope"},
		{"rk", "POST", "/v1/forget", `{"user_id":"a"}`, "insufficient_scope"},
		{"rk", "GET", "/v1/forget/" + id, "", "insufficient_scope"},
		{"sk", "GET", "/v1/forget/0000", "", "not_found"},
		{"blog_sk", "GET", "/v1/forget/" + id, "", "not_found"},
		{"their_ak", "GET", "/v1/forget/" + id, "", "not_found"},
		{"ak", "GET", "/v1/forget/" + id, "", ""},
		{"ak", "POST", "/v1/forget", `{"user_id":"a","project_slug":"shop","more":1}`, ""},
		{"sk", "POST", "/v1/forget?x=1", `{"user_id":"` + strings.Repeat("ü", 256) + `"}`, ""},
	} {
		if got := r.refusedWith(c.method, c.path, r.words[c.key], c.body); got != c.want {
			t.Errorf("%s %s %.60s with %s: %q, want %q", c.method, c.path, c.body, c.key, got, c.want)
		}
	}
	header := bearer(r.words["pk"])
	header.Set("Origin", "https://shop.example")
	if res, body := r.call("POST", "/v1/forget", header, strings.NewReader(`{"user_id":"a"}`)); res.StatusCode != http.StatusForbidden || body != `{"error":"forget_requires_secret_key"}` {
		t.Errorf("a publishable key: %d %s", res.StatusCode, body)
	}
	for _, row := range r.auditRows() {
		if row.Action == "forget" && strings.Contains(string(row.Detail), "phone") {
			t.Errorf("the audit log names the person: %s", row.Detail)
		}
	}
}

func TestADestroyedProjectHasAReceipt(t *testing.T) {
	r := startServer(t)
	r.sends("blog_sk", `{"event":"x"}`, `{"event":"x"}`)
	var gone struct{ Receipt json.RawMessage }
	r.do("DELETE", "/v1/admin/projects/blog", `{"confirm":"blog"}`, 200, &gone)
	signer, err := r.folder.signer()
	if err != nil {
		t.Fatal(err)
	}
	said, err := receipt.Verify(gone.Receipt, signer.Public())
	if err != nil || said.Events != 2 || said.Subject.Kind != "project" || said.Status != receipt.StatusErased || said.Project != r.words["blog"] {
		t.Errorf("%s: %v", gone.Receipt, err)
	}
	if fmt.Sprint(said.Ledger.Entry) != "0" {
		t.Errorf("%+v", said.Ledger)
	}
}
