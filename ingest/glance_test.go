package ingest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millimetric/index/event"
)

// newRequest is a request over a body of its own.
func (w world) newRequest(caller *Caller, what call, body string) *request {
	r := &reader{visits: newVisitMemo()}
	r.open([]byte(body))
	now := event.TimeOf(testNow)
	return &request{
		reader: r, many: what == batch,
		form:     form{server: caller.Server, identify: what == identify, now: now, place: placeNone},
		enricher: enricher{pipeline: w.Pipeline, reader: r, caller: caller, many: what == batch, now: now},
	}
}

// show prints events; ids that are random are the same.
func show(events []event.Event) string {
	var lines strings.Builder
	for _, e := range events {
		if strings.HasPrefix(e.AnonymousID, "r_") {
			if e.SessionDerived {
				e.SessionID = strings.TrimPrefix(e.SessionID, e.AnonymousID)
			}
			e.AnonymousID = "random"
		}
		fmt.Fprintf(&lines, "%+v\n", e)
	}
	return lines.String()
}

// checkGlance holds the quick pass against the strict walk: what it accepts, the walk accepts with
// the same events. It reports whether it accepted.
func checkGlance(t *testing.T, w world, body string) (accepted bool) {
	t.Helper()
	for _, what := range []call{track, batch, identify} {
		for _, caller := range []Caller{browser(), server()} {
			quick := w.newRequest(&caller, what, body)
			if !quick.glance() {
				continue
			}
			accepted = true
			strict := w.newRequest(&caller, what, body)
			if err := strict.walk(); err != nil || strict.form.failed() {
				t.Fatalf("%q: the glance accepts what the walk refuses: %v %v", body, err, strict.form.fields)
			}
			if got, want := show(quick.events), show(strict.events); got != want {
				t.Fatalf("%q\nthe glance reads\n%s\nthe walk\n%s", body, got, want)
			}
		}
	}
	return accepted
}

// FuzzGlance begins with the bodies of the case files.
func FuzzGlance(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add(body)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) { checkGlance(t, w, body) })
}

// bodies are those of all case files, and pieces of JSON that scanners get wrong.
func bodies(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range strings.Split(string(text), "\n\n") {
			input, _, _ := strings.Cut(one, "\n----")
			for strings.HasPrefix(input, "#") {
				_, input, _ = strings.Cut(input, "\n")
			}
			_, body, _ := strings.Cut(input, "\n")
			all = append(all, body)
		}
	}
	for _, v := range pieces {
		all = append(all, `{"event":"a","properties":{"k":`+v+`}}`, `{"event":"a","x":`+v+`}`, `{"event":`+v+`}`,
			`{"events":[{"event":"a","properties":`+v+`}]}`, `{"anonymous_id":"v","user_id":`+v+`}`, `{"events":`+v+`}`)
	}
	return all
}

var pieces = []string{
	`0`, `-0`, `-`, `01`, `-01`, `1.`, `.5`, `1.0`, `1e`, `1e+`, `1E-7`, `1e5x`, `+1`, `0x1`, `1 2`, `NaN`, `Infinity`, `1e99999`,
	`""`, `"`, `"\"`, `"\""`, `"\\"`, `"\/"`, `"\x"`, `"\u"`, `"\u12"`, `"\u0041"`, `"\uD83D\uDE00"`, `"\ud83d"`, `"\udE00"`, `"\uD7ff"`, `"\u0000"`, `"\u00zz"`,
	"\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"tab\tin\"", "\"\xff\"", "\"\xc3\"", "\"\xc3\xa9\"", "\"\xed\xa0\x80\"", "\"\xf0\x9f\x98\x80\"", "\"\xef\xbf\xbd\"", "\"\xc0\x80\"",
	`true`, `tru`, `trues`, `false`, `null`, `nul`, `nullx`, `True`, "t\x00",
	`[]`, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `[`, `]`, `{}`, `{"a":1}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":1}}`, `{]`, `[}`,
	`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1},"b":{"b":1}}`, `{"":1,"":2}`, `{"ab":1,"ba":2,"ab":3}`, `[{"a":1,"a":1}]`,
	` [ 1 , 2 ] `, "{ \"a\"\t:\r\n1 }", `{"x y":" z "}`, strings.Repeat(`[`, 20) + strings.Repeat(`]`, 20), strings.Repeat(`[`, 14) + strings.Repeat(`]`, 14),
	`"12345678"`, `"1234567\u0038"`, `"1234567` + "\xc3\xa9" + `9"`, `"12345678` + "\n" + `"`, "\"\x80\"", "\"1234567\x1f\"", "\"aaaaaaa!\x20\x21\x22",
}

func TestTheGlanceReadsWhatTheWalkReads(t *testing.T) {
	w := newWorld(t)
	accepted := 0
	for _, body := range bodies(t) {
		for _, around := range []string{"%s", " \n%s\t ", "%s,", "%s}", "\xef\xbb\xbf%s", "%s\x00"} {
			if checkGlance(t, w, strings.Replace(around, "%s", body, 1)) {
				accepted++
			}
		}
		for end := range min(len(body), 300) { // cut off anywhere
			checkGlance(t, w, body[:end])
		}
	}
	if accepted < 200 {
		t.Errorf("only %d bodies were accepted: the glance proves nothing", accepted)
	}
}

// What clients send every day must not take the slow way.
func TestOrdinaryBodiesNeedNoSecondLook(t *testing.T) {
	w := newWorld(t)
	caller := server()
	for what, list := range map[call][]string{
		track: {
			benchEvent(1), `{"event":"a"}`, "{\n  \"event\": \"a\",\n  \"properties\": {\"list\": [1, 2.5, -3e2, null, true, {\"a\": {}}]}\n}\n",
			`{"event":"Käse \"x\"","url":"https:\/\/shop.example\/a","properties":{"t":"\u00e9\n"},"new_field":[{"a":1}],"ip":"81.2.69.142","user_agent":"x"}`,
		},
		batch:    {string(benchBatch(1000)), `{"sent_at":"2026-05-01","events":[{"event":"a"},{"event":"b"}],"context":{"library":"x"}}`},
		identify: {`{"anonymous_id":"a","user_id":"u","traits":{"plan":"pro"}}`},
	} {
		for _, body := range list {
			if q := w.newRequest(&caller, what, body); !q.glance() {
				t.Errorf("%.60s takes the slow way", body)
			}
		}
	}
}
