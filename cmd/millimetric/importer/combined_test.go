package importer

import (
	"encoding/json"
	"strings"
	"testing"
)

const at = `[04/May/2026:07:00:00 +0200]`

func parseOne(text string, ended bool) (pageview, fate) {
	c := combined{ids: newIdentities(formatCombined), site: "https://shop.example"}
	body, f := c.event(line{number: 1, text: []byte(text), ended: ended})
	var view pageview
	if body != nil {
		if err := json.Unmarshal(body, &view); err != nil {
			panic(err)
		}
	}
	view.ID, view.Name = "", ""
	return view, f
}

func TestPageViewsAreReadFromLogLines(t *testing.T) {
	const when = "2026-05-04T07:00:00+02:00"
	for text, want := range map[string]pageview{
		`203.0.113.9 - - ` + at + ` "GET /a?x=1 HTTP/1.1" 200 12 "https://g.example/" "M 5.0"`:           {Timestamp: when, URL: "https://shop.example/a?x=1", Referrer: "https://g.example/", Address: "203.0.113.9", Agent: "M 5.0"},
		`2001:db8::1 - bob [x] smith ` + at + ` "GET / HTTP/2.0" 304 - "-" "-"`:                          {Timestamp: when, URL: "https://shop.example/", Address: "2001:db8::1"},
		`203.0.113.9 - - ` + at + ` "GET /q\"b\" HTTP/1.1" 200 12 "r\"s" "a \"b\" \\ c" "fwd" 0.1`:       {Timestamp: when, URL: `https://shop.example/q"b"`, Referrer: `r"s`, Address: "203.0.113.9", Agent: `a "b" \ c`},
		`203.0.113.9 - - ` + at + ` "GET http://else.example/x/y.HTML?q HTTP/1.1" 206 12 "-" "\x22\xff"`: {Timestamp: when, URL: "https://shop.example/x/y.HTML?q", Address: "203.0.113.9", Agent: "\"\uFFFD"},
		`203.0.113.9 - - ` + at + ` "GET http://else.example?q HTTP/1.1" 200 12 "-" "-"`:                 {Timestamp: when, URL: "https://shop.example/?q", Address: "203.0.113.9"},
		`host.example - - ` + at + ` "GET /a b\xe9/ü.php HTTP/1.0" 200 12 "-" "-"`:                       {Timestamp: when, URL: "https://shop.example/a%20b%E9/ü.php"},
		`203.0.113.9 - - ` + at + ` "GET /v1.2/page" 200 12 "-" "-"`:                                     {Timestamp: when, URL: "https://shop.example/v1.2/page", Address: "203.0.113.9"},
	} {
		got, f := parseOne(text, true)
		if f.bad != "" || f.skip != "" || got != want {
			t.Errorf("%s:\n got %+v, %+v\nwant %+v", text, got, f, want)
		}
	}
}

func TestOtherLinesAreCountedByReason(t *testing.T) {
	const ok = ` 200 12 "-" "-"`
	long := "/" + strings.Repeat("é", 2048)
	for text, want := range map[string]fate{
		``: {skip: skipBlank},
		`203.0.113.9 - - ` + at + ` "POST / HTTP/1.1"` + ok:                                           {skip: skipMethod},
		`203.0.113.9 - - ` + at + ` "-" 408 0 "-" "-"`:                                                {skip: skipMethod},
		`203.0.113.9 - - ` + at + ` "\x16\x03\x01" 400 0 "-" "-"`:                                     {skip: skipMethod},
		`203.0.113.9 - - ` + at + ` "GET /x.css HTTP/1.1" 404 0 "-" "-"`:                              {skip: skipStatus},
		`203.0.113.9 - - ` + at + ` "GET /x HTTP/1.1" 301 0 "-" "-"`:                                  {skip: skipStatus},
		`203.0.113.9 - - ` + at + ` "GET /x.css?a=/b HTTP/1.1"` + ok:                                  {skip: skipAsset},
		`203.0.113.9 - - ` + at + ` "GET * HTTP/1.1"` + ok:                                            {bad: badTarget},
		`203.0.113.9 - - ` + at + ` "GET ` + long + ` HTTP/1.1"` + ok:                                 {bad: badLongURL},
		`203.0.113.9 - - ` + at + ` "GET / HTTP/1.1" 200 12 "` + long + `" "-"`:                       {bad: badLongRef},
		`203.0.113.9 - - ` + at + ` "GET / HTTP/1.1" 200 12`:                                          {bad: badNoAgent},
		`203.0.113.9 - - ` + at + ` "GET / HTTP/1.1" 200 12 "-"`:                                      {bad: badNoAgent},
		`203.0.113.9 - - ` + at + ` "GET / HTTP/1.1" 200 12 "-" "unended`:                             {bad: badOpenQuote},
		`203.0.113.9 - - ` + at + ` "GET / HTTP/1.1" OK 12 "-" "-"`:                                   {bad: badNoStatus},
		`203.0.113.9 - - ` + at + ` GET / 200 12 "-" "-"`:                                             {bad: badNoRequest},
		`203.0.113.9 - - [04/Mai/2026:07:00:00 +0200] "GET / HTTP/1.1"` + ok:                          {bad: badNoTime},
		`{"time":"2026-05-04"}`:                                                                       {bad: badNoTime},
		`203.0.113.9 - - ` + at + ` "GET / HTTP/1.1" 200 12 "-" "\`:                                   {bad: badOpenQuote},
		`203.0.113.9 - - ` + at + ` "GET / HTTP/1.1" ` + strings.Repeat("2", 40) + ` 1 "-" "-"`:       {bad: badNoStatus},
		`203.0.113.9 - - ` + at + ` "GET / HTTP/1.1" 200 12 "-" "-"` + strings.Repeat(" trailing", 3): {},
	} {
		if _, got := parseOne(text, true); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

// A line that the end of the file cuts would become another event once the file has grown.
func TestALastLineThatMayBeCutOffIsLeftForTheNextRun(t *testing.T) {
	whole := `203.0.113.9 - - ` + at + ` "GET / HTTP/1.1" 200 12 "-" "agent"`
	for n := range len(whole) {
		if n == 0 {
			continue
		}
		if _, got := parseOne(whole[:n], false); got.bad != badCutOff {
			t.Errorf("%q: %+v", whole[:n], got)
		}
	}
	if _, got := parseOne(whole, false); got != (fate{}) {
		t.Errorf("the whole line: %+v", got)
	}
	if _, got := parseOne(whole+` 0.0`, false); got.bad != badCutOff {
		t.Errorf("with a field more, which may be cut: %+v", got)
	}
}

func TestLinesOfAnyLengthAreNumberedRightly(t *testing.T) {
	text := "one\r\n" + strings.Repeat("x", 3*lineBytesMax) + "\n\n" + strings.Repeat("y", lineBytesMax) + "\r\nlast"
	r, err := newLineReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	type shape struct {
		number, length int
		ended, long    bool
	}
	for _, want := range []shape{{1, 3, true, false}, {2, 0, true, true}, {3, 0, true, false}, {4, lineBytesMax, true, false}, {5, 4, false, false}} {
		l, err := r.next()
		got := shape{l.number, len(l.text), l.ended, l.long}
		if l.long {
			got.length = 0
		}
		if err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := r.next(); err == nil {
		t.Error("there is a line after the last")
	}
}

func FuzzLogLinesNeverPanic(f *testing.F) {
	f.Add(`203.0.113.9 - - ` + at + ` "GET /a?x=1 HTTP/1.1" 200 12 "https://g.example/" "M 5.0"`)
	f.Add(`203.0.113.9 - - ` + at + ` "GET http://e?\x" 200 12 "\" "\\\x2" "`)
	f.Fuzz(func(t *testing.T, text string) {
		view, got := parseOne(text, true)
		if got.bad == "" && got.skip == "" && !strings.HasPrefix(view.URL, "https://shop.example/") {
			t.Errorf("%q became %+v", text, view)
		}
	})
}
