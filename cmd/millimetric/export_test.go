package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// mintExporter makes a read key that may export.
func (r *running) mintExporter() string {
	r.t.Helper()
	var made struct{ Key string }
	r.do("POST", r.fill("/v1/admin/projects/{project}/keys"), `{"kind":"rk","name":"lake","scopes":["export"]}`, 201, &made)
	return made.Key
}

// sendMany sends so many events.
func (r *running) sendMany(n int) {
	r.t.Helper()
	for sent := 0; sent < n; {
		var events []string
		for ; len(events) < 1000 && sent < n; sent++ {
			events = append(events, fmt.Sprintf(`{"event":"view","anonymous_id":"v%d","event_id":"e%d","timestamp":"2026-05-01T%02d:00:00Z","properties":{"n":%d,"text":"%s"}}`,
				sent%97, sent, sent*7%12, sent, strings.Repeat("x", 100)))
		}
		if res, body := r.call("POST", "/v1/batch", bearer(r.words["sk"]), strings.NewReader(`{"events":[`+strings.Join(events, ",")+`]}`)); res.StatusCode != 202 {
			r.t.Fatal(res.StatusCode, body)
		}
	}
}

const theYear = "/v1/export?from=2026-01-01&to=2027-01-01"

func seqs(t *testing.T, lines string) (all []uint64, last string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var row struct {
			Seq       uint64
			Timestamp string
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, row.Seq)
		last = fmt.Sprintf("%s,%d", row.Timestamp, row.Seq)
	}
	return all, last
}

func TestAnExportNeedsTheScope(t *testing.T) {
	r := startServer(t)
	if res, body := r.call("GET", theYear, bearer(r.mintExporter()), nil); res.StatusCode != 200 || body != "" {
		t.Errorf("with the scope: %d %s", res.StatusCode, body)
	}
	if res, body := r.call("GET", theYear, bearer(r.words["rk"]), nil); res.StatusCode != 403 || body != `{"error":"insufficient_scope"}` {
		t.Errorf("without it: %d %s", res.StatusCode, body)
	}
}

func TestAnExportGoesOnByCursorAndAfterARow(t *testing.T) {
	r := startServer(t)
	r.sendMany(1200)
	key := bearer(r.mintExporter())
	_, whole := r.call("GET", theYear, key, nil)
	want, _ := seqs(t, whole)
	if len(want) != 1200 {
		t.Fatalf("%d rows", len(want))
	}
	// By cursor, and what comes in meanwhile isn't in it.
	res, part := r.call("GET", theYear+"&limit=500", key, nil)
	got, last := seqs(t, part)
	asOf := res.Header.Get("Millimetric-As-Of")
	r.sendMany(1201)
	for next := res.Trailer.Get("Millimetric-Next"); next != ""; next = res.Trailer.Get("Millimetric-Next") {
		res, part = r.call("GET", "/v1/export?cursor="+next, key, nil)
		more, _ := seqs(t, part)
		got = append(got, more...)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("by cursor %d rows, want %d", len(got), len(want))
	}
	// By the last row that was received.
	_, part = r.call("GET", theYear+"&as_of="+asOf+"&after="+url.QueryEscape(last), key, nil)
	if rest, _ := seqs(t, part); fmt.Sprint(rest) != fmt.Sprint(want[500:]) {
		t.Errorf("after a row %d rows, want %d", len(rest), len(want)-500)
	}
	// Only what came since.
	_, part = r.call("GET", theYear+"&since="+asOf, key, nil)
	if rest, _ := seqs(t, part); len(rest) != 1 || rest[0] != 1201 {
		t.Errorf("since the export came %v", rest)
	}
	for _, bad := range []string{"&after=17", "&after=2026-05-01T00:00:00Z,0", "&since=-1", "&limit=0", "&as_of=99999", "&actor=user", "&format=svg"} {
		if res, body := r.call("GET", theYear+bad, key, nil); res.StatusCode != 400 || !strings.Contains(body, `"invalid_params"`) {
			t.Errorf("%s: %d %s", bad, res.StatusCode, body)
		}
	}
}

func TestAClientThatHangsUpFreesThePlaceOfItsExport(t *testing.T) {
	r := startServer(t)
	r.sendMany(9000)
	key := r.mintExporter()
	for range 12 { // thrice as many as may be under way
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+theYear, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = bearer(key)
		// Past the tests' transport, which reads all of an answer.
		transport := &http.Transport{}
		for waited := time.Now(); ; {
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode == 503 && time.Since(waited) < 20*time.Second {
				res.Body.Close()
				time.Sleep(10 * time.Millisecond)
				continue
			}
			if _, err := io.CopyN(io.Discard, bufio.NewReader(res.Body), 100); res.StatusCode != 200 || err != nil {
				t.Fatalf("%d: %v", res.StatusCode, err)
			}
			res.Body.Close()
			break
		}
		transport.CloseIdleConnections()
	}
}

func TestASubjectIsAllThatIsKeptOnAPerson(t *testing.T) {
	r := startServer(t)
	for _, body := range []string{
		`{"event":"view","anonymous_id":"a1"}`, `{"event":"view","anonymous_id":"a1","user_id":"ann"}`,
		`{"event":"view","anonymous_id":"a2","user_id":"ann"}`, `{"event":"view","anonymous_id":"a1","user_id":"bob"}`, `{"event":"view","anonymous_id":"other"}`,
	} {
		if res, answer := r.call("POST", "/v1/track", bearer(r.words["sk"]), strings.NewReader(body)); res.StatusCode != 202 {
			t.Fatal(answer)
		}
	}
	_, body := r.call("GET", "/v1/subject?user_id=ann", bearer(r.words["sk"]), nil)
	for _, want := range []string{`"seq":1}`, `"seq":2}`, `"seq":3}`, `{"kind":"device","anonymous_id":"a2"`,
		`{"kind":"link","anonymous_id":"a1","user_id":"ann"`, `{"kind":"end","as_of":"5","events":3,"links":2,"devices":2,"visits":2,"sums_whole":true}`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing from\n%s", want, body)
		}
	}
	if strings.Contains(body, "bob") || strings.Contains(body, "other") {
		t.Errorf("others are in it:\n%s", body)
	}
	_, body = r.call("POST", "/v1/subject", bearer(r.words["ak"]), strings.NewReader(r.fill(`{"anonymous_id":"a1","project_id":"{project}","format":"csv"}`)))
	if strings.Count(body, "\nevent,") != 3 || strings.Count(body, "\nlink,") != 2 || !strings.Contains(body, "\nend,,,3,") {
		t.Errorf("of a visitor:\n%s", body)
	}
	for _, bad := range []string{"", "?user_id=", "?user_id=a&anonymous_id=b", "?user=a", "?user_id=a&format=parquet"} {
		if res, body := r.call("GET", "/v1/subject"+bad, bearer(r.words["sk"]), nil); res.StatusCode != 400 || !strings.Contains(body, `"invalid_params"`) {
			t.Errorf("%s: %d %s", bad, res.StatusCode, body)
		}
	}
	for _, e := range r.auditRows() {
		if e.Action == "subject" && strings.Contains(string(e.Detail), "ann") {
			t.Errorf("the audit log names the person: %s", e.Detail)
		}
	}
}
