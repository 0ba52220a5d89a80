package querytest

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// TestModelAndFunnelsAgree asks random funnels about random histories that are dense: few actors,
// few names, many equal times.
func TestModelAndFunnelsAgree(t *testing.T) {
	agree(t, 4000, randomFunnel, func(answer string) bool {
		first, _, _ := strings.Cut(answer, `"step_conversion"`)
		return !strings.Contains(first, `"actors":0`)
	})
}

// TestModelAndRetentionsAgree does the same for retentions.
func TestModelAndRetentionsAgree(t *testing.T) {
	agree(t, 3000, randomRetention, func(answer string) bool { return strings.Contains(answer, `"size":`) })
}

// agree asks questions of both twins. says tells whether an answer is about anything.
func agree(t *testing.T, rounds int, ask func(*rand.Rand, int) string, says func(string) bool) {
	const questions = 4
	if testing.Short() {
		rounds /= 30
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d questions", seed, rounds*questions)
	walk := NewWalk()
	answered := 0
	for i := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		events := denseActors(r)
		model := Model{Events: events, Walk: walk}
		sources := sourcesOf(r, &model)
		for range questions {
			question := ask(r, len(events))
			q, err := parse(question)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, readable(question), err)
			}
			q.Settings().Explain = false // the model has no costs
			q.Settings().Now = eventtest.Start + event.Time(r.IntN(40*24)-24)*3600_000 + event.Time(r.IntN(3)-1)
			want := model.Answer(q)
			for name, source := range sources {
				if got := answer(source, q); got != want {
					t.Fatalf("seed %d, round %d, floor %d: %s\nnow %s\n%s\nquery, %s: %s\nmodel: %s", seed, i, model.Floor, readable(question), q.Settings().Now.Std(), shown(events), name, got, want)
				}
			}
			if says(want) {
				answered++
			}
		}
	}
	all := rounds * questions
	least := all / 3
	if testing.Short() {
		least = 1 // chance decides about few
	}
	if answered < least {
		t.Errorf("seed %d: only %d of %d answers are about anything", seed, answered, all)
	}
}

func shown(events []event.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%d %s %s %s user=%s session=%s source=%s url=%s bot=%s %s\n",
			e.Seq, e.Time.Std().Format(time.RFC3339Nano), e.AnonymousID, e.Name, e.UserID, e.SessionID, e.Source, e.URL, e.Bot, e.Properties)
	}
	return b.String()
}

// denseActors makes up to 40 events of up to four visitors, in steps of minutes, hours or days.
func denseActors(r *rand.Rand) []event.Event {
	gen := eventtest.New(r.Uint64(), 1+r.IntN(4), 1)
	events := gen.Events(r.IntN(40))
	unit := one(r, []event.Time{1, 60_000, 600_000, 1_200_000, 3600_000, 24 * 3600_000})
	at := eventtest.Start
	for i := range events {
		e := &events[i]
		e.Seq = event.Seq(i + 1)
		if r.IntN(3) != 0 {
			at += unit * event.Time(r.IntN(4))
		}
		e.Time = at
		if r.IntN(12) == 0 {
			e.Time -= unit * event.Time(r.IntN(5))
		}
		if e.SessionDerived {
			e.SessionID = fmt.Sprint(e.AnonymousID, "-", int64(e.Time)/1800_000)
		}
		e.Name = one(r, []string{"a", "b", "c", "d", "e", "$pageview"})
		e.Properties = one(r, []string{"{}", `{"x":1}`, `{"x":1.0}`, `{"x":2}`, `{"x":"1"}`, `{"x":null}`, `{"x":[1]}`, `{"x":` + oddValue(r) + `}`})
		if r.IntN(3) == 0 {
			e.URL, e.Path, e.Referrer = "", "", ""
		}
	}
	return events
}

// shared sets the parameters that all questions about actors have.
func shared(r *rand.Rand, events int) (url.Values, func(name string, values ...string)) {
	from := eventtest.Start + event.Time(r.IntN(6*24)-2*24)*3600_000
	to := from + event.Time(1+r.IntN(20*24))*3600_000
	if r.IntN(2) == 0 {
		from, to = eventtest.Start-3600_000, eventtest.Start+400*24*3600_000
	}
	params := url.Values{"from": {from.Std().Format(time.RFC3339Nano)}, "to": {to.Std().Format(time.RFC3339Nano)}}
	sometimes := func(name string, values ...string) {
		if r.IntN(2) == 0 {
			params.Set(name, one(r, values))
		}
	}
	sometimes("tz", zones...)
	sometimes("include_bots", "true", "false")
	sometimes("actor", "visitor", "user", "person", "session")
	if r.IntN(4) == 0 {
		params.Set("as_of", fmt.Sprint(r.IntN(events+1)))
	}
	if r.IntN(4) == 0 {
		params.Set("filters", one(r, []string{
			`[{"field":"path","op":"exists","value":true}]`, `[{"not":{"field":"properties.x","op":"eq","value":1}}]`,
			`[{"field":"os","op":"ne","value":"ios"}]`, `[]`, `[{"field":"session_id","op":"eq","value":"s1"}]`,
		}))
	}
	return params, sometimes
}

// randomStep is a step as JSON, without its last brace.
func randomStep(r *rand.Rand) string {
	leaf := func() string {
		text := fmt.Sprintf(`"event":%q`, one(r, []string{"a", "b", "c", "d", "e"}))
		if r.IntN(4) == 0 {
			text += `,"filters":[` + one(r, []string{
				`{"field":"properties.x","op":"eq","value":1}`, `{"field":"user_id","op":"exists","value":false}`, `{"field":"device_type","op":"ne","value":"mobile"}`,
			}) + `]`
		}
		return text
	}
	if r.IntN(4) == 0 {
		return `{"any_of":[{` + leaf() + `},{` + leaf() + `}]`
	}
	return "{" + leaf()
}

func randomFunnel(r *rand.Rand, events int) string {
	params, sometimes := shared(r, events)
	order := one(r, []string{"ordered", "ordered", "ordered", "strict", "any"})
	params.Set("order", order)
	units := []string{"1s", "30m", "1h", "2h", "1d", "3d", "2w"}
	steps := make([]string, 2+r.IntN(4))
	for i := range steps {
		steps[i] = randomStep(r)
		if i > 0 && order != "any" && r.IntN(4) == 0 {
			steps[i] += fmt.Sprintf(`,"within":%q`, one(r, units))
		}
		steps[i] += "}"
	}
	params.Set("steps", "["+strings.Join(steps, ",")+"]")
	sometimes("window", units...)
	sometimes("breakdown", "country", "properties.x", "first_touch.source", "first_touch.session_id", "first_touch.entry_path", "first_touch.entry_path", "first_touch.properties.x",
		"first_touch.referrer_host", "host", "first_touch.user_id", "user_id")
	sometimes("maturity", "mature", "all")
	sometimes("limit", "1", "2", "1000")
	sometimes("compare", "previous_period")
	if r.IntN(3) == 0 {
		params.Set("list", fmt.Sprintf(`{"reached":%d}`, 1+r.IntN(len(steps))))
		if r.IntN(2) == 0 {
			params.Set("list", fmt.Sprintf(`{"dropped":%d}`, 1+r.IntN(len(steps)-1)))
		}
	}
	if order == "any" {
		return "funnel?" + params.Encode()
	}
	sometimes("hold", "properties.x", "session_id", "country", "user_id,properties.x")
	if r.IntN(3) == 0 {
		exclude := make([]string, 1+r.IntN(2))
		for i := range exclude {
			exclude[i] = randomStep(r)
			if r.IntN(2) == 0 {
				after := 1 + r.IntN(len(steps)-1)
				exclude[i] += fmt.Sprintf(`,"after":%d,"before":%d`, after, after+1+r.IntN(len(steps)-after))
			}
			exclude[i] += "}"
		}
		params.Set("exclude", "["+strings.Join(exclude, ",")+"]")
	}
	return "funnel?" + params.Encode()
}

func randomRetention(r *rand.Rand, events int) string {
	params, sometimes := shared(r, events)
	params.Set("birth", randomStep(r)+"}")
	params.Set("return", randomStep(r)+"}")
	sometimes("return", "a", "b")
	sometimes("period", "day", "week", "month")
	params.Set("periods", one(r, []string{"1", "2", "3", "5", "9"}))
	sometimes("mode", "exact", "unbounded")
	sometimes("birth_in", "range", "ever")
	if to, _ := time.Parse(time.RFC3339Nano, params.Get("to")); to.Before(eventtest.Start.Std().AddDate(0, 2, 0)) {
		sometimes("compare", "previous_period") // the model walks all buckets of a range
	}
	return "retention?" + params.Encode()
}
