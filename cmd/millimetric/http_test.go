package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected answers of case files from what the server does")

// A case file holds requests and their answers:
//
//	# what the case shows
//	POST /v1/track
//	Authorization: Bearer {sk}
//
//	{"event":"signup"}
//	----
//	202
//	Content-Type: application/json
//
//	{"ok":true,"event_id":null}
//	====
//
// {words} stand for the keys and ids of the run. Of the answer's headers, those that stand there are
// compared; "-Name" says that a header must be missing. The cases of one file share one server.
type httpCase struct {
	note    string
	request string
	answer  string
}

const (
	answerMark = "\n----\n"
	caseMark   = "\n====\n"
)

func readCases(t *testing.T, file string) []httpCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []httpCase
	for part := range strings.SplitSeq(strings.TrimSuffix(string(text), caseMark), caseMark) {
		var c httpCase
		for strings.HasPrefix(part, "#") || strings.HasPrefix(part, "\n") {
			line, rest, _ := strings.Cut(part, "\n")
			c.note += line + "\n"
			part = rest
		}
		request, answer, ok := strings.Cut(part, answerMark)
		if !ok {
			t.Fatalf("%s: a case without an answer: %s", file, part)
		}
		c.request, c.answer = request, answer
		cases = append(cases, c)
	}
	return cases
}

func TestHTTPCases(t *testing.T) {
	files, err := filepath.Glob("testdata/http/*.txt")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d case files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			r := startServer(t)
			var out strings.Builder
			for _, c := range readCases(t, file) {
				got := r.ask(c)
				if got != c.answer && !*rewrite {
					t.Errorf("%s%s\ngot:\n%s\nwant:\n%s", c.note, c.request, got, c.answer)
				}
				out.WriteString(c.note + c.request + answerMark + got + caseMark)
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// ask sends a case's request and gives the answer in the form of the case's own.
func (r *running) ask(c httpCase) string {
	r.t.Helper()
	head, body, _ := strings.Cut(c.request, "\n\n")
	lines := strings.Split(head, "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	header := http.Header{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		header.Add(name, r.fill(value))
	}
	res, text := r.call(method, r.fill(path), header, strings.NewReader(r.fill(body)))
	out := strconv.Itoa(res.StatusCode)
	wantHead, _, _ := strings.Cut(c.answer, "\n\n")
	for _, line := range strings.Split(wantHead, "\n")[1:] {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "-"), ":")
		if value := strings.Join(res.Header.Values(name), ", "); value != "" {
			out += "\n" + name + ": " + value
		} else {
			out += "\n-" + name
		}
	}
	return out + "\n\n" + r.unfill(text)
}

// unfill puts {words} back, for answers that name ids.
func (r *running) unfill(text string) string {
	for _, word := range []string{"project", "blog"} {
		text = strings.ReplaceAll(text, r.words[word], "{"+word+"}")
	}
	return text
}

// TestEveryCodeOfTheServerHasACase keeps the case files complete.
func TestEveryCodeOfTheServerHasACase(t *testing.T) {
	files, err := filepath.Glob("testdata/http/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	pattern := regexp.MustCompile(`"error":"([a-z_]+)"`)
	for _, file := range files {
		for _, c := range readCases(t, file) {
			if m := pattern.FindStringSubmatch(c.answer); m != nil {
				seen[m[1]] = true
			}
		}
	}
	for _, code := range []string{
		"missing_bearer_token", "malformed_api_key", "invalid_api_key", "key_kind_mismatch", "origin_not_allowed", "insufficient_scope",
		"invalid_payload", "invalid_params", "invalid_group_by", "not_found", "method_not_allowed", "unsupported_media_type", "project_archived",
	} {
		if !seen[code] {
			t.Errorf("no case shows %s", code)
		}
	}
}

func TestABodyOverTheLimitIsRefusedHoweverItIsPacked(t *testing.T) {
	r := startServer(t)
	const limit = 16 << 20
	plain := []byte(`{"event":"x"}` + strings.Repeat(" ", limit))
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	gzipped := bearer(r.words["sk"])
	gzipped.Set("Content-Encoding", "gzip")
	for _, c := range []struct {
		name   string
		header http.Header
		body   []byte
	}{
		{"plain", bearer(r.words["sk"]), plain},
		{"gzip", gzipped, packed.Bytes()},
		{"gzip that doesn't say so", bearer(r.words["sk"]), packed.Bytes()},
	} {
		res, body := r.call("POST", "/v1/track", c.header, bytes.NewReader(c.body))
		if res.StatusCode != 413 || !strings.HasPrefix(body, `{"error":"payload_too_large"`) {
			t.Errorf("%s: %d %s", c.name, res.StatusCode, body)
		}
	}
	res, body := r.call("POST", "/v1/track", bearer(r.words["sk"]), bytes.NewReader(plain[:limit]))
	if res.StatusCode != 202 {
		t.Errorf("at the limit: %d %s", res.StatusCode, body)
	}
}

func TestABodyTooDeepIsRefused(t *testing.T) {
	r := startServer(t)
	for _, depth := range []int{100, 100_000} {
		body := `{"event":"x","properties":` + strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth) + "}"
		res, text := r.call("POST", "/v1/track", bearer(r.words["sk"]), strings.NewReader(body))
		if res.StatusCode != 400 || !strings.HasPrefix(text, `{"error":"invalid_payload"`) {
			t.Errorf("depth %d: %d %s", depth, res.StatusCode, text)
		}
	}
}

func TestABatchWithOneBadEventStoresNothing(t *testing.T) {
	r := startServer(t)
	events := slices.Repeat([]string{`{"event":"x"}`}, 50)
	events[37] = `{"event":"x","url":"nowhere"}`
	res, body := r.call("POST", "/v1/batch", bearer(r.words["sk"]), strings.NewReader(`{"events":[`+strings.Join(events, ",")+`]}`))
	if res.StatusCode != 400 || !strings.Contains(body, `"events.37.url":[`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if n := r.folder.engine.Snapshot(r.folder.book.ProjectNamed(r.folder.book.Accounts()[0].ID, r.words["project"], "").Number).AsOf(); n != 0 {
		t.Errorf("%d events of a refused batch were stored", n)
	}
}

func TestRepeatsWithOneIDAreStoredOnce(t *testing.T) {
	r := startServer(t)
	for range 3 {
		res, body := r.call("POST", "/v1/batch", bearer(r.words["sk"]), strings.NewReader(`{"events":[{"event":"x","event_id":"a"},{"event":"x","event_id":"a"},{"event":"x","event_id":"b"}]}`))
		if res.StatusCode != 202 || body != `{"ok":true,"count":3}` {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
	}
	_, body := r.call("GET", "/v1/stats?from=2026-05-01&to=2026-05-02", bearer(r.words["rk"]), nil)
	if !strings.Contains(body, `"value":2}`) {
		t.Errorf("%s", body)
	}
}

func TestCountriesComeFromTheClientNotFromItsProxies(t *testing.T) {
	proxies, err := parseProxies([]string{"127.0.0.0/8", "10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		trusted bool
		forward []string
		want    string
	}{
		{true, []string{"198.51.100.7"}, "198.51.100.7"},
		{true, []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{true, []string{"203.0.113.9", "198.51.100.7, 10.0.0.1"}, "198.51.100.7"},
		{true, []string{"198.51.100.7:4711, 10.0.0.1"}, "198.51.100.7"},
		{true, []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{true, []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{true, []string{"198.51.100.7, unknown"}, "invalid IP"},
		{true, nil, "invalid IP"},
		{true, []string{"10.0.0.1, 10.0.0.1"}, "10.0.0.1"},
		{false, []string{"198.51.100.7"}, "127.0.0.1"},
	} {
		s := &server{}
		if c.trusted {
			s.proxies = proxies
		}
		if got := fmt.Sprint(s.clientAddr(requestFrom(t, "127.0.0.1:5", c.forward))); got != c.want {
			t.Errorf("%v: %s, want %s", c.forward, got, c.want)
		}
	}
}

func TestAnImportEndsItsOwnLeaseOnly(t *testing.T) {
	r := startServer(t)
	send := func(word, lease string) {
		t.Helper()
		header := bearer(r.words[word])
		header.Set(headerImport, lease)
		res, body := r.call("POST", "/v1/track", header, strings.NewReader(`{"event":"x","ip":"198.51.100.7","timestamp":"2026-04-20T00:00:00Z"}`))
		if res.StatusCode != 202 {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
	}
	send("sk", "log-1")
	send("blog_sk", "log-1")
	if got := r.folder.ring.Leases(); len(got) != 2 {
		t.Fatalf("leases: %v", got)
	}
	send("blog_sk", "log-1; end")
	if got := r.folder.ring.Leases(); len(got) != 1 || got[0] != "1/log-1" {
		t.Errorf("leases: %v", got)
	}
}
