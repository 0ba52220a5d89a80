package chart

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millimetric/index/event"
	"millimetric/query/querytest"
)

var rewrite = flag.Bool("rewrite", false, "replace the expected pictures by those that the code draws now")

const (
	before = " compare=previous_period from=2026-03-16 to=2026-03-30"
	whole  = " from=2026-03-02 to=2026-04-20"
)

// questions are asked of the site, each for one picture of testdata.
var questions = map[string]string{
	"funnel":           "funnel step=$pageview step=signup step=purchase breakdown=country" + before,
	"series":           "stats metric=uniques interval=day" + before,
	"lines":            "stats group_by=source interval=week" + whole,
	"bars":             "stats group_by=path" + before,
	"retention":        "retention birth=$pageview return=$pageview period=week periods=6 from=2026-03-02 to=2026-05-20",
	"retentioncompare": "retention birth=$pageview return=signup period=week periods=3" + before,
	"paths":            "paths start=$pageview events=$pageview,signup steps=3" + before,
	"pathsbackwards":   "paths end=signup steps=2" + whole,
	"attribution":      "attribution conversion=purchase models=first,last,linear group_by=source value=properties.amount" + before,
	"sessions":         "sessions group_by=entry_path" + whole,
	"sources":          "sources breakdown=source" + whole,
	"nothing":          "funnel step=a step=b" + whole,
}

func TestPicturesOfEveryQuestion(t *testing.T) {
	site := querytest.Slice(querytest.Site())
	for name, line := range questions {
		svg := draw(t, site, line)
		checkPicture(t, line, svg)
		file := filepath.Join("testdata", name+".svg")
		if *rewrite {
			if err := os.WriteFile(file, svg, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(svg, want) {
			t.Errorf("%s: the picture of %s is another one; look at it, then run with -rewrite", name, line)
		}
	}
}

func TestEveryQuestionHasAPictureOfNothing(t *testing.T) {
	lines := []string{"live window=1h", "stats" + whole, "stats interval=hour" + before, "stats metric=avg(x) interval=day" + whole, "stats interval=day group_by=source" + before}
	for _, line := range questions {
		lines = append(lines, line)
	}
	for _, line := range lines {
		checkPicture(t, line, draw(t, querytest.Slice{}, line))
	}
}

func TestSingleRowsHaveNoPicture(t *testing.T) {
	for _, line := range []string{"query" + whole, "sessions list=true" + whole} {
		if _, ok, err := Draw(querytest.Ask(t, querytest.Slice{}, line)); ok || err != nil {
			t.Errorf("%s: drawn %v, %v", line, ok, err)
		}
	}
}

// hostile are texts that strangers may send wherever a label is drawn.
var hostile = []string{
	`</text><script>alert(1)</script>`, `" onload="alert(1)`, `' onclick='x`, `]]><![CDATA[<script/>`, `&#x3c;script&#x3e;`, `<!ENTITY x "y">`,
	"\x00\x01\x1b[31m", "\u202egnp.exe", "\ufffe\uffff", "a\nb\tc", "http://evil.example/?a=1&b=2", strings.Repeat("日本語", 60), strings.Repeat("W", 300), " ", "%s%n",
}

func TestTextOfStrangersIsOnlyText(t *testing.T) {
	var events []event.Event
	for i, text := range hostile {
		for k, name := range []string{event.EventPageview, "signup", text} {
			events = append(events, event.Event{
				Seq: event.Seq(3*i + k + 1), Time: querytest.Now - event.Time(100*(3*len(hostile)-3*i-k)), Name: name, AnonymousID: fmt.Sprint("v", i),
				SessionID: text + fmt.Sprint(i), Path: text, URL: "https://x.example/", Source: text, Medium: text, Country: text, UserID: text, Properties: `{"p":` + strconv.Quote("x") + `}`,
			})
		}
	}
	const range2026 = " from=2026-04-20 to=2026-05-03"
	for _, line := range []string{
		"stats group_by=path" + range2026, "stats group_by=path,source,event_name interval=day" + range2026, "sources" + range2026, "live window=1h",
		"funnel step=$pageview step=signup breakdown=source compare=previous_period" + range2026, "paths start=$pageview events=$pageview,signup" + range2026,
		"sessions group_by=entry_path,country" + range2026, "attribution conversion=signup models=first,participation group_by=source,medium" + range2026,
		"retention birth=$pageview return=signup" + range2026,
	} {
		checkPicture(t, line, draw(t, events, line))
	}
	// Names of steps come from whoever asks; the picture may be shown to others.
	for _, text := range hostile {
		name, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		step := func(of string) string { return fmt.Sprintf(`{"event":%q,"name":%s}`, of, name) }
		for _, line := range []string{
			"funnel steps=[" + step("$pageview") + "," + step("signup") + "," + step("x") + "] breakdown=country compare=previous_period",
			"retention birth=" + step("$pageview") + " return=" + step("signup"), "attribution conversion=" + step("signup"),
			"paths start=" + step("$pageview"), "stats event=" + string(name),
		} {
			checkPicture(t, line, draw(t, events, line+range2026))
		}
	}
}

func draw(t *testing.T, source querytest.Slice, line string) []byte {
	t.Helper()
	svg, ok, err := Draw(querytest.Ask(t, source, line))
	if err != nil || !ok {
		t.Fatalf("%s: %v, %v", line, ok, err)
	}
	return svg
}

// elements are all that a picture is made of, with the attributes that they may have. Nothing in it can run
// or load anything.
var elements = map[string][]string{
	"svg":    {"xmlns", "viewBox", "width", "height", "role", "aria-labelledby"},
	"title":  {"id"},
	"desc":   {"id"},
	"style":  {},
	"g":      {},
	"rect":   {"x", "y", "width", "height", "rx", "class", "fill-opacity", "stroke-dasharray", "stroke-opacity"},
	"line":   {"x1", "y1", "x2", "y2", "class", "stroke-width", "stroke-dasharray"},
	"path":   {"d", "class", "fill", "fill-opacity", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap"},
	"circle": {"cx", "cy", "r", "class", "stroke-width", "fill-opacity", "stroke-opacity"},
	"text":   {"x", "y", "class", "font-size", "font-weight", "text-anchor"},
}

// checkPicture holds that a picture is well-formed, made of harmless elements, has a text alternative,
// and lies within its page.
func checkPicture(t *testing.T, line string, svg []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	p := page{t: t, line: line}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			p.open(token)
		case xml.CharData:
			p.chars(string(token))
		case xml.EndElement:
			p.inside = ""
		default:
			t.Errorf("%s: holds %T", line, token)
		}
	}
	if p.title == "" || len(p.desc) < 20 {
		t.Errorf("%s: the text alternative is %q, %q", line, p.title, p.desc)
	}
}

// page follows the elements of a picture.
type page struct {
	t             *testing.T
	line          string
	width, height float64
	inside        string
	attrs         map[string]string
	title, desc   string
}

func (p *page) open(e xml.StartElement) {
	allowed, known := elements[e.Name.Local]
	if !known {
		p.t.Errorf("%s: there is a <%s>", p.line, e.Name.Local)
	}
	p.inside, p.attrs = e.Name.Local, map[string]string{}
	for _, a := range e.Attr {
		if !slices.Contains(allowed, a.Name.Local) {
			p.t.Errorf("%s: <%s> has %s", p.line, e.Name.Local, a.Name.Local)
		}
		p.attrs[a.Name.Local] = a.Value
	}
	switch p.inside {
	case "svg":
		p.width, p.height = p.px("width"), p.px("height")
		if p.attrs["role"] != "img" {
			p.t.Errorf("%s: role %q", p.line, p.attrs["role"])
		}
	case "rect":
		p.within(p.px("x"), p.px("y"), p.px("x")+p.px("width"), p.px("y")+p.px("height"))
	case "circle":
		p.within(p.px("cx"), p.px("cy"), p.px("cx"), p.px("cy"))
	case "line":
		p.within(p.px("x1"), p.px("y1"), p.px("x2"), p.px("y2"))
	}
}

func (p *page) px(name string) float64 {
	if p.attrs[name] == "" {
		return 0
	}
	x, err := strconv.ParseFloat(p.attrs[name], 64)
	if err != nil {
		p.t.Errorf("%s: %s is %q", p.line, name, p.attrs[name])
	}
	return x
}

func (p *page) within(x1, y1, x2, y2 float64) {
	if x1 < 0 || y1 < 0 || x2 > p.width+.1 || y2 > p.height+.1 {
		p.t.Errorf("%s: a <%s> at %v,%v to %v,%v lies beyond the page of %v,%v", p.line, p.inside, x1, y1, x2, y2, p.width, p.height)
	}
}

func (p *page) chars(text string) {
	switch p.inside {
	case "title":
		if p.attrs["id"] != "" {
			p.title = text
		}
	case "desc":
		p.desc = text
	case "text":
		x, y := p.px("x"), p.px("y")
		long := width(text, p.px("font-size")) / (100 + sparePercent) * 100
		switch p.attrs["text-anchor"] {
		case atEnd:
			x -= long
		case atMiddle:
			x -= long / 2
		}
		p.within(x, y-p.px("font-size")*0.8, x+long, y+2)
	}
}

func TestTextsAreCutInTheirMiddle(t *testing.T) {
	const text = "/docs/getting-started/installing-on-a-machine-of-your-own"
	for _, room := range []float64{20, 60, 150, 300} {
		got := fit(text, 12, room)
		head, tail, cut := strings.Cut(got, ellipsis)
		if !cut || width(got, 12) > room || !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail) {
			t.Errorf("%v: %q of %v", room, got, width(got, 12))
		}
	}
	if got := fit(text, 12, 1000); got != text {
		t.Errorf("what fits became %q", got)
	}
}

func TestNumbersAreWrittenForReading(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "999": "999", "1000": "1,000", "1234567.5": "1,234,567.5", "0.123456": "0.12", "-1234": "−1,234", "1e3": "1,000", "12345678901234567890": "12,345,678,901,234,567,890",
	} {
		if got := grouped(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[float64]string{0: "0s", 1.25: "1.2s", 59: "59s", 61: "1m 1s", 3600: "1h", 5400: "1h 30m", 90061: "1d 1h"} {
		if got := span(in); got != want {
			t.Errorf("%v: %s, want %s", in, got, want)
		}
	}
	for _, c := range []struct {
		now, then float64
		want      string
	}{{1, 1, "±0%"}, {2, 0, "new"}, {0, 0, "±0%"}, {15, 10, "+50%"}, {5, 10, "−50%"}, {500, 10, "×50"}} {
		if got, _ := change(c.now, c.then); got != c.want {
			t.Errorf("%v after %v: %s, want %s", c.now, c.then, got, c.want)
		}
	}
}

func TestTicksAreRoundAndHoldAll(t *testing.T) {
	for _, c := range [][2]float64{{0, 0}, {0, 1}, {0, 7}, {0, 99}, {0, 101}, {0, 123456789}, {-30, 70}, {0, 0.003}, {-5, 0}} {
		ticks := ticksOf(c[0], c[1])
		if len(ticks) < 2 || len(ticks) > 8 || ticks[0] > c[0] || ticks[len(ticks)-1] < c[1] {
			t.Errorf("%v: %v", c, ticks)
		}
	}
}

func TestAPictureSaysHowManyGroupsWereCut(t *testing.T) {
	site := querytest.Slice(querytest.Site())
	for _, line := range []string{
		"stats group_by=path limit=1", "stats group_by=path interval=week limit=1", "sources breakdown=source limit=1", "sessions group_by=exit_path limit=1",
		"attribution conversion=purchase group_by=source limit=1", "funnel step=$pageview step=signup breakdown=country limit=1",
	} {
		if svg := draw(t, site, line+whole); !bytes.Contains(svg, []byte(" more groups · as of ")) {
			t.Errorf("%s: %s", line, svg)
		}
		if svg := draw(t, site, strings.Replace(line, "limit=1", "limit=100", 1)+whole); bytes.Contains(svg, []byte("more group")) {
			t.Errorf("%s, uncut: %s", line, svg)
		}
	}
}

// TestThePeriodBeforeEndsWhereItHasNoBucket compares May with April, which has no 31st.
func TestThePeriodBeforeEndsWhereItHasNoBucket(t *testing.T) {
	svg := string(draw(t, querytest.Slice(querytest.Site()), "stats interval=day fill=zero compare=previous_period from=2026-05-01 to=2026-06-01"))
	for _, want := range []string{"30 May: 0, before 0", "31 May: 0, before –"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in %s", want, svg)
		}
	}
}

func TestPointsNeedTwoShares(t *testing.T) {
	for _, c := range []struct{ now, then, want string }{{"0.5", "0.25", "+25.0"}, {"0", "0.25", "−25.0"}, {"0.2", "0.2", "±0"}, {"", "0.25", ""}, {"0.25", "", ""}} {
		if got := points(number(c.now), number(c.then)); got != c.want {
			t.Errorf("%s after %s: %q, want %q", c.now, c.then, got, c.want)
		}
	}
}
