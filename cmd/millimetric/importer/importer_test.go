package importer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer takes batches as the API promises: all or nothing, repeats once.
type fakeServer struct {
	*httptest.Server
	// answer, where set, may answer a request instead.
	answer func(w http.ResponseWriter, events []map[string]any) bool

	mu      sync.Mutex // guards what follows
	kept    map[string]map[string]any
	order   []string
	imports []string // the import header of each accepted request
	sizes   []int
}

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	s := &fakeServer{kept: map[string]map[string]any{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.batch))
	t.Cleanup(s.Close)
	return s
}

func (s *fakeServer) batch(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method != http.MethodPost || r.URL.Path != "/v1/batch" || r.Header.Get("Authorization") != "Bearer sk_live_01234567_secret" {
		http.Error(w, `{"error":"invalid_api_key"}`, http.StatusUnauthorized)
		return
	}
	var body struct{ Events []map[string]any }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Events) == 0 {
		http.Error(w, `{"error":"invalid_payload","details":{"formErrors":["Must be JSON"]}}`, http.StatusBadRequest)
		return
	}
	if s.answer != nil && s.answer(w, body.Events) {
		return
	}
	bad := map[string][]string{}
	for i, e := range body.Events {
		if name, _ := e["event"].(string); name == "" {
			bad[fmt.Sprintf("events.%d.event", i)] = []string{"Required"}
		}
	}
	if len(bad) > 0 {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]any{"error": "invalid_payload", "details": map[string]any{"fieldErrors": bad}})
		return
	}
	for _, e := range body.Events {
		id := e["event_id"].(string)
		if s.kept[id] == nil {
			s.kept[id] = e
			s.order = append(s.order, id)
		}
	}
	s.imports = append(s.imports, r.Header.Get("Millimetric-Import"))
	s.sizes = append(s.sizes, len(body.Events))
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"ok":true,"count":%d}`, len(body.Events))
}

// outcome is what a run of the command left.
type outcome struct {
	code           int
	stdout, stderr string
	err            error
}

func (o outcome) summary(t *testing.T) summary {
	t.Helper()
	var s summary
	if err := json.Unmarshal([]byte(o.stdout), &s); err != nil {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	return s
}

// runImport runs the command on a file with the given content.
func runImport(t *testing.T, content string, args ...string) outcome {
	t.Helper()
	file := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return runCommand(t, append(args, file)...)
}

func runCommand(t *testing.T, args ...string) outcome {
	t.Helper()
	if os.Getenv(keyVariable) == "" {
		t.Setenv(keyVariable, "sk_live_01234567_secret")
	}
	cmd := Commands()[0]
	var stdout, stderr bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	o := outcome{stdout: stdout.String(), stderr: stderr.String(), err: err}
	var chosen interface{ ExitCode() int }
	switch {
	case errors.As(err, &chosen):
		o.code = chosen.ExitCode()
	case err != nil:
		o.code = 1
	}
	return o
}

func combinedArgs(s *fakeServer, more ...string) []string {
	return append([]string{"--format", "combined", "--site", "https://shop.example", "--server", s.URL, "--json"}, more...)
}

func hit(target string) string {
	return `203.0.113.9 - - [04/May/2026:07:00:00 +0200] "GET ` + target + ` HTTP/1.1" 200 1 "-" "agent"` + "\n"
}

func TestImportingAgainAddsNothing(t *testing.T) {
	s := newFakeServer(t)
	log := hit("/a") + hit("/a") + hit("/b")
	for range 2 {
		if o := runImport(t, log, combinedArgs(s)...); o.code != 0 || o.summary(t).Events != 3 {
			t.Fatalf("%+v", o)
		}
		if len(s.kept) != 3 {
			t.Fatalf("%d events are kept, want 3", len(s.kept))
		}
	}
	// A longer copy, in the other spelling of line ends, adds its new lines only.
	longer := strings.ReplaceAll(log+hit("/a")+hit("/c"), "\n", "\r\n")
	runImport(t, longer, combinedArgs(s)...)
	if len(s.kept) != 5 {
		t.Errorf("%d events are kept after the longer copy, want 5", len(s.kept))
	}
}

func TestGzippedLogsAreRecognised(t *testing.T) {
	s := newFakeServer(t)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte(hit("/a") + hit("/b")))
	w.Close()
	if o := runImport(t, packed.String(), combinedArgs(s)...); o.code != 0 || len(s.kept) != 2 {
		t.Errorf("%+v; kept %d", o, len(s.kept))
	}
	o := runImport(t, packed.String()[:packed.Len()-9], combinedArgs(s)...)
	if o.code != 1 || !strings.Contains(o.err.Error(), "unexpected EOF") {
		t.Errorf("a cut-off archive: %+v", o)
	}
}

func TestTheLastRequestAndNoOtherEndsTheImport(t *testing.T) {
	s := newFakeServer(t)
	var log strings.Builder
	for i := range 1201 {
		log.WriteString(hit(fmt.Sprintf("/%d", i)))
	}
	runImport(t, log.String(), combinedArgs(s)...)
	if !slices.Equal(s.sizes, []int{500, 500, 201}) {
		t.Fatalf("sizes of the requests: %v", s.sizes)
	}
	id := s.imports[0]
	if want := []string{id, id, id + "; end"}; !slices.Equal(s.imports, want) || len(id) > 64 {
		t.Errorf("import headers %v, want %v", s.imports, want)
	}
	for i, name := range s.order {
		if want := fmt.Sprintf("https://shop.example/%d", i); s.kept[name]["url"] != want {
			t.Fatalf("event %d is %v, want %s: the order of the file is lost", i, s.kept[name]["url"], want)
		}
	}
}

func TestTheImportEndsEvenIfItsLastEventsAreRefused(t *testing.T) {
	s := newFakeServer(t)
	events := strings.Repeat(`{"event":"a"}`+"\n", 500) + strings.Repeat(`{"event":""}`+"\n", 3)
	o := runImport(t, events, "--format", "ndjson", "--server", s.URL, "--json")
	if got := o.summary(t); o.code != 0 || got.Events != 500 || got.Bad != 3 || got.BadLines[0] != (badLines{"refused: event: Required", 3, "501-503"}) {
		t.Errorf("%+v", o)
	}
	if last := s.imports[len(s.imports)-1]; !strings.HasSuffix(last, "; end") || len(s.kept) != 500 {
		t.Errorf("last import header %q, %d kept", last, len(s.kept))
	}
}

func TestRefusedEventsAreBadLinesAndTheRestIsSent(t *testing.T) {
	s := newFakeServer(t)
	events := `{"event":"a"}
{"event":"","event_id":"x"}

{"event":"b","event_id":null}
{"event":"c","event_id":"mine"}
["event"]
{"event":"d","event":"d"}
{"event":"` + "\xff" + `"}
{}
{"event":"cut`
	o := runImport(t, events, "--format", "ndjson", "--server", s.URL, "--json", "--strict")
	if o.code != exitStrict {
		t.Errorf("status %d, %v", o.code, o.err)
	}
	got := o.summary(t)
	want := []badLines{
		{"cut off", 1, "10"}, {"no JSON object", 1, "6"}, {"no sound JSON", 2, "7-8"}, {"refused: event: Required", 2, "2, 9"},
	}
	if !slices.Equal(got.BadLines, want) || got.Events != 3 || got.Lines != 10 || got.Skipped["blank"] != 1 {
		t.Errorf("%+v", got)
	}
	if len(s.kept) != 3 || s.kept["mine"] == nil {
		t.Errorf("kept %v", s.kept)
	}
}

// A server that doesn't name the culprit must not cost the events around it.
func TestABatchRefusedAsAWholeIsHalvedUntilTheCulpritIsAlone(t *testing.T) {
	s := newFakeServer(t)
	s.answer = func(w http.ResponseWriter, events []map[string]any) bool {
		poisoned := slices.ContainsFunc(events, func(e map[string]any) bool { return e["event"] == "poison" })
		if poisoned {
			http.Error(w, `{"error":"invalid_payload","details":{"formErrors":["Too deep"]}}`, http.StatusBadRequest)
		}
		return poisoned
	}
	var events strings.Builder
	for i := range 100 {
		name := "fine"
		if i == 40 || i == 99 {
			name = "poison"
		}
		fmt.Fprintf(&events, "{\"event\":%q}\n", name)
	}
	o := runImport(t, events.String(), "--format", "ndjson", "--server", s.URL, "--json")
	got := o.summary(t)
	if want := []badLines{{"refused: invalid_payload: Too deep", 2, "41, 100"}}; !slices.Equal(got.BadLines, want) || len(s.kept) != 98 {
		t.Errorf("%+v; %d kept", got, len(s.kept))
	}
}

func TestUnusableLinesAreShownByNumberAndNeverByContent(t *testing.T) {
	s := newFakeServer(t)
	var log strings.Builder
	for range 30 {
		log.WriteString("203.0.113.77 nonsense secret-content\n")
	}
	log.WriteString(hit("/a"))
	args := combinedArgs(s)
	o := runImport(t, log.String(), slices.Delete(args, len(args)-1, len(args))...)
	if o.code != 0 || strings.Contains(o.stdout+o.stderr, "203.0.113") || strings.Contains(o.stdout+o.stderr, "secret") {
		t.Errorf("%+v", o)
	}
	if got := strings.Count(o.stderr, "\n"); got != shownMax+1 {
		t.Errorf("%d lines on standard error, want %d:\n%s", got, shownMax+1, o.stderr)
	}
	want := "31 lines read, 1 event sent\n  unusable: 30 lines (no time in brackets): 1-30\n"
	if o.stdout != want {
		t.Errorf("got %q, want %q", o.stdout, want)
	}
}

func TestWhatStopsAnImportHasItsStatus(t *testing.T) {
	s := newFakeServer(t)
	good := combinedArgs(s)
	for name, c := range map[string]struct {
		args []string
		code int
		text string
	}{
		"no format":      {[]string{"--site", "https://a.example", "x"}, 2, "--format"},
		"no site":        {[]string{"--format", "combined", "x"}, 2, "--site"},
		"site with path": {[]string{"--format", "combined", "--site", "https://a.example/b", "x"}, 2, "--site"},
		"site of events": {[]string{"--format", "ndjson", "--site", "https://a.example", "x"}, 2, "--site"},
		"no server":      {[]string{"--format", "ndjson", "--server", "nowhere", "x"}, 2, "--server"},
		"two files":      {append(good, "a", "b"), 2, "one file"},
		"no such file":   {append(good, "/nonexistent/log"), 1, "no such file"},
		"folder":         {append(good, t.TempDir()), 1, "is a folder"},
	} {
		if o := runCommand(t, c.args...); o.code != c.code || !strings.Contains(o.err.Error(), c.text) {
			t.Errorf("%s: %+v", name, o)
		}
	}
	t.Setenv(keyVariable, "sk_live_01234567_wrong")
	o := runImport(t, hit("/a"), good...)
	if o.code != 1 || !strings.Contains(o.err.Error(), "401: invalid_api_key") || o.summary(t).Complete {
		t.Errorf("wrong key: %+v", o)
	}
}

// realLog is a log that was written by a web server, if it lies beside the repository; the made-up
// one otherwise.
func realLog(t *testing.T) string {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	for _, name := range []string{filepath.Join(root, "..", "shared", "data", "access-2015-05.log.gz"), filepath.Join(root, "bench", "testdata", "sample.log")} {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		defer file.Close()
		lines, err := newLineReader(file)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(lines.in); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	t.Fatal("there is no log to import")
	return ""
}

// The same rules in another language, over whole lines: page views and their days. A quote within a field has
// a backslash before it, and ends no field.
const awkCheck = `
BEGIN { FS = "\"" }
{ gsub(/\\"/, "%22") }
NF >= 7 {
	split($2, request, " "); split($3, numbers, " ")
	if (request[1] != "GET" || numbers[1] !~ /^(2[0-9][0-9]|304)$/) next
	path = request[2]; sub(/[?#].*/, "", path); sub(/.*\//, "", path)
	if (path ~ /\./ && tolower(path) !~ /\.(html|htm|php)?$/) next
	match($1, /\[[^:]*/); days[substr($1, RSTART + 1, RLENGTH - 1)]++
}
END { for (day in days) print day, days[day] }`

func TestPageViewsOfARealLogAgreeWithAwk(t *testing.T) {
	if _, err := exec.LookPath("awk"); err != nil {
		t.Skip("there is no awk to compare with")
	}
	log := realLog(t)
	s := newFakeServer(t)
	o := runImport(t, log, combinedArgs(s)...)
	got := map[string]int{}
	for _, e := range s.kept {
		got[e["timestamp"].(string)[:10]]++
	}
	awk := exec.Command("awk", awkCheck)
	awk.Stdin = strings.NewReader(log)
	out, err := awk.Output()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for row := range strings.Lines(string(out)) {
		var day string
		var count int
		if _, err := fmt.Sscan(row, &day, &count); err != nil {
			t.Fatalf("%q: %v", row, err)
		}
		date, err := time.Parse("02/Jan/2006", day)
		if err != nil {
			t.Fatal(err)
		}
		total += count
		if key := date.Format(time.DateOnly); got[key] != count {
			t.Errorf("%s: %d page views, awk counts %d", key, got[key], count)
		}
	}
	if sum := o.summary(t); o.code != 0 || total == 0 || sum.Events != total || len(s.kept) != total {
		t.Errorf("awk counts %d; kept %d; %s", total, len(s.kept), o.stdout)
	}
	t.Logf("%s", o.stdout)
}
