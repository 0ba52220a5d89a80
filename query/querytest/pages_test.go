package querytest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// TestPagesOfQuestionsAboutActorsArePartsOfTheWhole follows the cursors of funnels, attributions and
// visits. While pages are turned, events come in and the clock goes on: neither shows on a later page.
func TestPagesOfQuestionsAboutActorsArePartsOfTheWhole(t *testing.T) {
	rounds := 600
	if testing.Short() {
		rounds = 80
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	turned := map[string]int{}
	for i := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		b := &book{t: t, r: r, events: denseActors(r)}
		question := ""
		if i%3 == 0 {
			question = randomFunnel(r, len(b.events))
		} else {
			b.events = denseVisits(r)
			question = randomVisitQuestion(r, len(b.events))
		}
		b.where = fmt.Sprintf("seed %d, round %d", seed, i)
		b.now = eventtest.Start + event.Time(r.IntN(20*24))*3600_000
		name, params, _ := strings.Cut(question, "?")
		values, err := url.ParseQuery(params)
		if err != nil {
			t.Fatal(err)
		}
		values.Del("as_of")
		values.Del("interval") // a group has many rows then
		if name == "funnel" && !values.Has("breakdown") {
			values.Set("breakdown", "session_id")
			values.Del("filters")
		}
		if name == "sessions" && !values.Has("list") && !values.Has("group_by") {
			values.Set("group_by", "source,path")
		}
		values.Set("limit", "1000")
		whole := b.ask(name + "?" + values.Encode())
		values.Set("limit", strconv.Itoa(1+r.IntN(3)))
		pages, turns := b.pages(name, name+"?"+values.Encode())
		turned[name] += turns
		if fmt.Sprint(pages.rows, pages.listed) != fmt.Sprint(whole.rows, whole.listed) {
			t.Fatalf("%s: %s?%s\npages: %s\nwhole: %s", b.where, name, readable(values.Encode()), pages, whole)
		}
	}
	for _, name := range []string{"funnel", "attribution", "sessions"} {
		// In as few rounds as -short has, chance may turn no page of one of them.
		if !testing.Short() && turned[name] < max(1, rounds/60) {
			t.Errorf("seed %d: only %d pages of %s were turned", seed, turned[name], name)
		}
	}
}

// book is a history whose pages are turned.
type book struct {
	t      *testing.T
	r      *rand.Rand
	events []event.Event
	now    event.Time
	where  string
}

// ask asks both twins.
func (b *book) ask(question string) parts {
	b.t.Helper()
	q, err := parse(question)
	if err != nil {
		b.t.Fatalf("%s: %s: %v", b.where, readable(question), err)
	}
	q.Settings().Now = b.now
	got := unexplained(answer(NewSealed(b.events, b.r.Uint64()), q))
	if want := (Model{Events: b.events, Walk: NewWalk()}).Answer(q); got != want {
		b.t.Fatalf("%s: %s\nquery: %s\nmodel: %s", b.where, readable(question), got, want)
	}
	return partsOf(b.t, got)
}

// pages asks page after page, and goes on with history after each.
func (b *book) pages(name, question string) (pages parts, turned int) {
	for {
		page := b.ask(question)
		pages.rows, pages.listed = append(pages.rows, page.rows...), append(pages.listed, page.listed...)
		if page.next == "" {
			return pages, turned
		}
		question = name + "?cursor=" + page.next
		turned++
		late := b.events[b.r.IntN(len(b.events))]
		late.Seq = event.Seq(len(b.events) + 1)
		b.events = append(b.events, late)
		b.now += event.Time(b.r.IntN(48)) * 3600_000
	}
}

// parts are the rows of an answer, the actors that it lists, and how it goes on.
type parts struct {
	rows, listed []string
	next         string
}

func partsOf(t *testing.T, answer string) parts {
	t.Helper()
	var a struct {
		Rows, Groups, Actors []json.RawMessage
		Next                 string
	}
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		t.Fatal(err)
	}
	p := parts{next: a.Next}
	for _, row := range append(a.Rows, a.Groups...) {
		p.rows = append(p.rows, string(row))
	}
	for _, actor := range a.Actors {
		p.listed = append(p.listed, string(actor))
	}
	return p
}
