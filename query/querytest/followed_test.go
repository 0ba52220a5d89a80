package querytest

import (
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/query"
)

// placed are events of one visitor, each in the segment that its number names; live where that is -1.
type placed struct {
	minute  int
	seq     event.Seq
	name    string
	segment int
	address bool
}

// TestAVisitorIsFollowedThroughSegmentsInTheOrderOfHisEvents puts histories to both twins in which the order of segments,
// or what can be left out between two events, could be taken for more than it is.
func TestAVisitorIsFollowedThroughSegmentsInTheOrderOfHisEvents(t *testing.T) {
	const byTouch = "funnel?step=view&step=buy&step=pay&breakdown=first_touch.source&from=2026-03-01&to=2026-03-02"
	for what, events := range map[string][]placed{
		"a moment in two segments, the later event in the earlier one": {
			{0, 1, "other", 0, false}, {60, 3, "buy", 0, false}, {60, 2, "view", 1, false}, {61, 4, "pay", 1, false},
		},
		"a moment in two segments, in their order": {
			{0, 1, "view", 0, false}, {60, 2, "buy", 0, false}, {60, 3, "view", 1, false}, {61, 4, "pay", 1, false},
		},
		"segments that overlap": {
			{0, 1, "view", 0, true}, {9, 4, "pay", 0, false}, {3, 2, "buy", 1, false}, {12, 3, "view", 1, true},
		},
		"a touch after the first of two beginnings": {
			{0, 1, "view", 0, false}, {1, 2, "view", 0, true}, {2, 3, "pay", 0, false},
		},
		"a touch after the first of two beginnings, in another segment": {
			{0, 1, "view", 0, false}, {1, 2, "view", 1, true}, {2, 3, "pay", 1, false},
		},
		"a touch at the moment of the beginning, and before it": {
			{0, 1, "other", 0, true}, {0, 2, "view", 0, false}, {2, 3, "buy", 0, false},
		},
		"a touch at the moment of the beginning, and after it": {
			{0, 1, "view", 0, false}, {0, 2, "other", 0, true}, {2, 3, "buy", 0, false},
		},
		"two beginnings at the moment of the touch, which is the second": {
			{0, 1, "view", 0, false}, {0, 2, "view", 0, true}, {40, 3, "buy", 0, false},
		},
		"two beginnings at the moment of the touch, which comes after both": {
			{0, 1, "view", 0, false}, {0, 2, "view", 0, false}, {0, 3, "other", 0, true}, {40, 4, "buy", 0, false},
		},
		"two beginnings at the moment of the touch, in segments that overlap": {
			{0, 1, "view", 0, false}, {0, 3, "view", 1, true}, {0, 2, "view", 0, true}, {40, 4, "buy", 0, false}, {41, 5, "pay", 1, false},
		},
		"a live touch before the range": {
			{-60, 4, "other", -1, true}, {0, 1, "view", 0, true}, {1, 2, "buy", 0, false}, {2, 3, "view", 0, true},
		},
		"a second attempt that is quicker": {
			{0, 1, "view", 0, true}, {20, 2, "buy", 0, false}, {25, 3, "view", 0, false}, {26, 4, "buy", 0, false},
		},
		"a beginning between two events that could go on": {
			{0, 1, "view", 0, true}, {1, 2, "buy", 0, false}, {2, 3, "view", 0, true}, {3, 4, "view", 0, true},
			{4, 5, "buy", 1, false}, {5, 6, "pay", 1, false},
		},
	} {
		model := Model{Walk: NewWalk()}
		for _, p := range events {
			model.Events = append(model.Events, p.event())
		}
		source := &Sealed{Slice: model.Events, Least: event.TimeMin, ordinals: ordinalsOf(model.Events), last: Slice(model.Events).AsOf()}
		source.cut(0, func(i int) int { return events[i].segment })
		memo := query.NewMemo(1 << 20)
		for _, window := range []string{"7d", "10m"} { // what was found out about the steps with the one isn't good for the other
			sameAsModel(t, what, &model, source, memo, byTouch+"&window="+window)
		}
	}
}

func sameAsModel(t *testing.T, what string, model *Model, source query.Source, memo *query.Memo, question string) {
	t.Helper()
	q, err := parse(question)
	if err != nil {
		t.Fatal(err)
	}
	q.Settings().Explain = false // the model has no costs
	want := model.Answer(q)
	q.Settings().Memo = memo
	for range 3 { // first with tracks, then with what was found out about the steps
		if got, err := query.Run(t.Context(), source, q); err != nil || string(got.AppendJSON(nil)) != want {
			t.Errorf("%s, %s: %s (%v)\nmodel: %s", what, question, got.AppendJSON(nil), err, want)
		}
	}
}

func (p *placed) event() event.Event {
	const start = event.Time(1772323200_000) // 2026-03-01
	e := event.Event{
		Time: start + event.Time(p.minute)*event.Time(time.Minute.Milliseconds()), Seq: p.seq, Name: p.name,
		AnonymousID: "ann", SessionID: "s", Properties: "{}", Source: "direct", Medium: "direct",
	}
	if p.address {
		e.URL, e.Path, e.Source, e.Medium = "https://example.com/", "/", "google", "organic"
		if p.segment < 0 {
			e.Source, e.SessionID = "bing", "t"
		}
	}
	return e
}
