package querytest

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/query"
)

// Site is a small history of a site with pages, sign-ups and purchases from 2026-03-02 on, over four
// weeks: what tables and pictures are shown with. It is the same each time.
func Site() []event.Event {
	r := rand.New(rand.NewPCG(4, 2))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	origins := [][2]string{{"google", "organic"}, {"google", "organic"}, {"direct", "direct"}, {"newsletter", "email"}, {"bing", "paid"}}
	start := event.TimeOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	var events []event.Event
	for visitor := range 90 {
		at := start + event.Time(r.IntN(28*24*60))*60_000
		for visit := range 1 + r.IntN(3) {
			origin := origins[r.IntN(len(origins))]
			add := func(name, path string, more func(*event.Event)) {
				e := event.Event{
					Time: at, Name: name, AnonymousID: fmt.Sprint("v", visitor), SessionID: fmt.Sprint("v", visitor, "-", visit),
					Path: path, URL: "https://site.example" + path, Source: origin[0], Medium: origin[1], Country: pick("DE", "US", "FR", ""), Properties: "{}",
				}
				if more != nil {
					more(&e)
				}
				events = append(events, e)
				at += event.Time(1+r.IntN(240)) * 1000
				origin = [2]string{"internal", "direct"}
			}
			add(event.EventPageview, "/", nil)
			for range r.IntN(4) {
				add(event.EventPageview, pick("/", "/pricing", "/docs/getting-started/installing-on-a-machine-of-your-own", "/about"), nil)
			}
			if r.IntN(3) == 0 {
				add("signup", "/signup", func(e *event.Event) { e.UserID = fmt.Sprint("u", visitor) })
				if r.IntN(2) == 0 {
					add("purchase", "/paid", func(e *event.Event) { e.Properties = pick(`{"amount":9}`, `{"amount":29.5}`, `{"amount":-3}`) })
				}
			}
			at += event.Time(r.IntN(9*24*60)) * 60_000
		}
	}
	for i := range events {
		events[i].Seq = event.Seq(i + 1)
	}
	return events
}

// parse reads a question as it stands in a URL.
func parse(question string) (query.Question, error) {
	name, params, _ := strings.Cut(question, "?")
	form, err := query.FormOfParams(pairs(params))
	if err != nil {
		return nil, err
	}
	q, err := query.Parse(name, form)
	if err == nil {
		q.Settings().Now = Now
	}
	return q, err
}

func pairs(params string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for pair := range strings.SplitSeq(params, "&") {
			if pair == "" {
				continue
			}
			name, value, _ := strings.Cut(pair, "=")
			name, _ = url.QueryUnescape(name)
			value, _ = url.QueryUnescape(value)
			if !yield(name, value) {
				return
			}
		}
	}
}

// Ask asks a question, spelt as the cases have it, of a source at the moment Now.
func Ask(t *testing.T, source query.Source, line string) (query.Question, *query.Answer) {
	t.Helper()
	text, _ := questionOf("ask " + line)
	q, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	a, err := query.Run(context.Background(), source, q)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return q, a
}
