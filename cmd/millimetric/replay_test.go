package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millimetric/cmd/millimetric/auth"
	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// diary is a store of which every answer is kept, with the position that it is of, and asked again later.
type diary struct {
	t       *testing.T
	dir     string
	clock   atomic.Pointer[time.Time] // the store's goroutines look at it, too
	began   time.Time
	folder  *folder
	project event.Project
	gen     *eventtest.Gen
	pages   []page
}

// page is what was answered once.
type page struct {
	asOf     event.Seq
	question string
	answer   string
}

func (d *diary) now() time.Time { return *d.clock.Load() }

func (d *diary) set(now time.Time) { d.clock.Store(&now) }

func (d *diary) open() {
	d.t.Helper()
	f, err := openFolder(folderOptions{Dir: d.dir, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return d.now() }, Engine: engine.Options{
		FreeBytesMin: -1, FreePercentMin: -1, SealRows: 64, SegmentRows: 400,
		Elapsed: func() time.Duration { return d.now().Sub(testNow) + time.Since(d.began) },
	}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.folder = f
}

func (d *diary) close() {
	if err := d.folder.close(); err != nil {
		d.t.Error(err)
	}
}

// append adds events of around now, some of them late, at once.
func (d *diary) append(n int) {
	d.t.Helper()
	events := d.gen.Events(n)
	for i := range events {
		e := &events[i]
		e.ID = "" // positions are counted here
		e.Time = event.TimeOf(d.now()) - event.Time(i%7)*3_700_000
		if i%11 == 0 {
			e.Time -= 20 * 24 * 3_600_000
		}
	}
	if err := d.folder.engine.Append(d.t.Context(), d.project, events); err != nil {
		d.t.Fatal(err)
	}
}

// questions are all kinds, with what looks at the clock, at links, at the whole history and at other
// ranges.
func (d *diary) questions() []string {
	from, to := d.now().AddDate(0, 0, -9).Format(time.RFC3339), d.now().AddDate(0, 0, 2).Format(time.RFC3339)
	span := "&from=" + strings.ReplaceAll(from, "+", "%2B") + "&to=" + strings.ReplaceAll(to, "+", "%2B")
	return []string{
		"query?limit=5&explain=true" + span, "stats?explain=true&group_by=source,path&metric=uniques&limit=3&compare=previous_period&actor=person" + span,
		"stats?interval=day&fill=zero&tz=Europe/Berlin" + span, "stats?metric=p90(amount_cents)&event=purchase" + span, "sources?explain=true&limit=2" + span,
		"live?window=24h", "sessions?group_by=entry_path&limit=2&compare=previous_period" + span, "sessions?list=true&limit=3" + span,
		"funnel?step=$pageview&step=signup&window=2d&maturity=mature&breakdown=first_touch.source&limit=2" + span,
		"funnel?step=$pageview&step=purchase&actor=person&list=%7B%22reached%22%3A1%7D&limit=3&compare=previous_period" + span,
		"retention?birth=$pageview&return=$pageview&periods=4&birth_in=ever&compare=previous_period" + span, "paths?start=$pageview&steps=2&limit=3&compare=previous_period" + span,
		"attribution?conversion=purchase&models=first,time_decay,data_driven&limit=2&actor=person&compare=previous_period" + span,
	}
}

var costs = regexp.MustCompile(`,"cost":\{[^}]*\}`)

func (d *diary) ask(question string) string {
	d.t.Helper()
	source := d.folder.snapshot(d.project)
	defer source.Release()
	name, params, _ := strings.Cut(question, "?")
	form, err := query.FormOfParams(func(yield func(name, value string) bool) {
		for key, value := range event.Params(params) {
			if !yield(key, value) {
				return
			}
		}
	})
	if err != nil {
		d.t.Fatal(err)
	}
	q, err := query.Parse(name, form)
	if err != nil {
		d.t.Fatalf("%s: %v", question, err)
	}
	q.Settings().Now = event.TimeOf(d.now())
	a, err := query.Run(context.Background(), source, q)
	if err != nil {
		d.t.Fatalf("%s: %v", question, err)
	}
	return costs.ReplaceAllString(string(a.AppendJSON(nil)), "")
}

// write keeps today's answers. They are of the moment of the last commit.
func (d *diary) write() {
	d.t.Helper()
	source := d.folder.snapshot(d.project)
	asOf := source.AsOf()
	source.Release()
	for _, question := range d.questions() {
		d.pages = append(d.pages, page{asOf, question, d.ask(question)})
	}
}

// check asks all again.
func (d *diary) check(stage string) {
	d.t.Helper()
	for _, p := range d.pages {
		if again := d.ask(fmt.Sprintf("%s&as_of=%d", p.question, p.asOf)); again != p.answer {
			d.t.Fatalf("%s: %s as of %d\nthen: %s\nnow:  %s", stage, p.question, p.asOf, p.answer, again)
		}
	}
}

func newDiary(t *testing.T) *diary {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	d := &diary{t: t, dir: filepath.Join(t.TempDir(), "data"), began: time.Now(), gen: eventtest.New(rand.New(rand.NewPCG(seed, 1)).Uint64(), 30, 60_000)}
	d.set(testNow)
	d.open()
	if _, err := d.folder.addProject(t.Context(), auth.NewProject{Name: "shop"}); err != nil {
		t.Fatal(err)
	}
	d.project = d.folder.book.Projects(d.folder.book.Accounts()[0].ID)[0].Number
	return d
}

func (d *diary) compact() {
	d.t.Helper()
	if err := d.folder.engine.Compact(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// TestAReplayIsTheAnswerThatWasGivenThen writes answers down day by day while events, late ones and links
// among them, come in, and asks for them again while they are live, sealed, merged and reopened.
func TestAReplayIsTheAnswerThatWasGivenThen(t *testing.T) {
	d := newDiary(t)
	defer func() { d.close() }()
	d.append(40)
	for day := range 6 {
		d.append(20 + 15*day)
		d.write()
		d.set(d.now().Add(26 * time.Hour))
		d.append(10)
		d.check("live")
		if day%2 == 1 {
			d.compact()
			d.check("sealed")
		}
	}
	d.close()
	d.open()
	d.check("reopened")
	d.set(d.now().AddDate(0, 3, 0))
	d.append(100)
	d.compact()
	d.check("merged, months later")
}

// TestAReplaySaysWhatRetentionTook lets days pass under a window: a replay says that it isn't exact if it
// reads of days that were shown then and aren't now, and else says nothing.
func TestAReplaySaysWhatRetentionTook(t *testing.T) {
	d := newDiary(t)
	defer func() { d.close() }()
	if err := d.folder.engine.SetRetention(t.Context(), d.project, 30); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		d.append(30)
		d.set(d.now().AddDate(0, 0, 3))
	}
	d.append(5)
	d.write()
	then := d.pages[0].asOf
	d.check("the same day") // what retention took before then was not shown then
	day := func(back int) string { return testNow.AddDate(0, 0, back).Format(time.DateOnly) }
	count := func(from, to string) string {
		return d.ask(fmt.Sprintf("stats?from=%s&to=%s&as_of=%d", from, to, then))
	}
	const inexact = `"replay":{"exact":false,"because":["retention"]}`
	if got := count("2020-01-01", day(400)); strings.Contains(got, "replay") {
		t.Errorf("the same day, of all times: %s", got)
	}
	d.set(d.now().AddDate(0, 0, 5))
	for _, stage := range []string{"live", "sealed"} {
		if got := count("2020-01-01", day(400)); !strings.Contains(got, inexact) {
			t.Errorf("%s: days that are over since: %s", stage, got)
		}
		if got := count(day(20), day(400)); strings.Contains(got, "replay") {
			t.Errorf("%s: days that are kept: %s", stage, got)
		}
		if got := count("2020-01-01", day(-30)); strings.Contains(got, "replay") {
			t.Errorf("%s: days that were over then: %s", stage, got)
		}
		if got := d.ask(fmt.Sprintf("stats?from=%s&to=%s&as_of=%d&actor=person", day(20), day(400), then)); !strings.Contains(got, inexact) {
			t.Errorf("%s: links of days that are over: %s", stage, got)
		}
		if got := d.ask("stats?from=2020-01-01&to=" + day(400)); strings.Contains(got, "replay") {
			t.Errorf("%s: no replay: %s", stage, got)
		}
		d.compact()
	}
}

// TestAReplayFromBeforeAWindowWasSetIsNotExact goes by the administrators' door, which notes the change.
func TestAReplayFromBeforeAWindowWasSetIsNotExact(t *testing.T) {
	r := startServer(t)
	project := r.folder.book.Projects(r.folder.book.Accounts()[0].ID)[0]
	events := []event.Event{
		{Time: event.TimeOf(testNow.AddDate(0, 0, -50)), Name: "x", AnonymousID: "a", SessionID: "s", Properties: "{}"},
		{Time: event.TimeOf(testNow), Name: "x", AnonymousID: "a", SessionID: "s", Properties: "{}"},
	}
	if err := r.folder.engine.Append(t.Context(), project.Number, events); err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		_, answer := fetch(t, "GET", r.url+"/v1/stats?from=2020-01-01&to=2030-01-01&as_of=2&project_id="+project.ID, r.words["ak"], "")
		return answer
	}
	if got := ask(); !strings.Contains(got, `"value":2`) || strings.Contains(got, "replay") {
		t.Errorf("before: %s", got)
	}
	r.do("PATCH", "/v1/admin/projects/"+project.ID+"/settings", `{"retention_days":10}`, 200, nil)
	if got := ask(); !strings.Contains(got, `"value":1`) || !strings.Contains(got, `"because":["retention"]`) {
		t.Errorf("after: %s", got)
	}
}

// TestAReplayFromBeforeAWindowWasMadeLongerIsNotExact has a window destroy, and another one hide, what a longer
// one doesn't bring back, or shows again.
func TestAReplayFromBeforeAWindowWasMadeLongerIsNotExact(t *testing.T) {
	r := startServer(t)
	project := r.folder.book.Projects(r.folder.book.Accounts()[0].ID)[0]
	settings := "/v1/admin/projects/" + project.ID + "/settings"
	add := func(days ...int) {
		var events []event.Event
		for _, n := range days {
			events = append(events, event.Event{Time: event.TimeOf(testNow.AddDate(0, 0, -n)), Name: "x", AnonymousID: "a", SessionID: "s", Properties: "{}"})
		}
		if err := r.folder.engine.Append(t.Context(), project.Number, events); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what, from, want string, exact bool) {
		t.Helper()
		_, got := fetch(t, "GET", r.url+"/v1/stats?from="+from+"&to=2030-01-01&as_of=3&project_id="+project.ID, r.words["ak"], "")
		if !strings.Contains(got, want) || strings.Contains(got, `"because":["retention"]`) == exact {
			t.Errorf("%s: want %s, exact: %v, got %s", what, want, exact, got)
		}
	}
	recent := testNow.AddDate(0, 0, -9).Format(time.DateOnly)
	add(50, 15, 0)
	r.do("PATCH", settings, `{"retention_days":20}`, 200, nil)
	if err := r.folder.engine.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.do("PATCH", settings, `{"retention_days":0}`, 200, nil)
	check("one event is destroyed", "2020-01-01", `"value":2`, false)
	check("nothing so new was destroyed", recent, `"value":1`, true)
	r.do("PATCH", settings, `{"retention_days":10}`, 200, nil)
	check("another is hidden", "2020-01-01", `"value":1`, false)
	r.do("PATCH", settings, `{"retention_days":100}`, 200, nil)
	check("which is shown again, if it isn't destroyed yet", "2020-01-01", `"value":`, false)
	check("nothing so new was hidden", recent, `"value":1`, true)
}
