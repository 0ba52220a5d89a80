package querytest

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/query"
)

// part is a source of which only some events are there; positions and links are those of the whole.
type part struct {
	Slice
	whole Slice
}

func (p part) AsOf() event.Seq { return p.whole.AsOf() }

func (p part) Links(yield func(event.Link) bool) error { return p.whole.Links(yield) }

// What lies outside of a window must not show in any answer: each must be that of a source in which it
// never was.
func TestAWindowAnswersAsIfThereWasNothingElse(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d rounds", seed, rounds)
	asks := []func(*rand.Rand, int) string{randomQuestion, randomVisitQuestion, randomFunnel, randomRetention, randomPaths}
	cut := 0
	for i := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		events := history(r)
		if i%2 == 0 {
			events = denseVisits(r)
		}
		if len(events) == 0 {
			continue
		}
		some := func() event.Time { return events[r.IntN(len(events))].Time + event.Time(r.IntN(2)) }
		from, to := some(), some()
		if r.IntN(3) == 0 {
			from = event.TimeMin
		} else if r.IntN(3) == 0 {
			to = event.TimeMax + 1
		}
		within := part{whole: events}
		for _, e := range events {
			if e.Time >= from && e.Time < to {
				within.Slice = append(within.Slice, e)
			}
		}
		question := asks[i%len(asks)](r, len(events))
		q, err := parse(question)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, readable(question), err)
		}
		want := unexplained(answer(within, q))
		for name, source := range map[string]query.Source{"live": Slice(events), "sealed": NewSealed(events, r.Uint64())} {
			if got := unexplained(answer(query.Within(source, from, to), q)); got != want {
				t.Fatalf("seed %d, round %d, %d to %d, %s: %s\nwindow: %s\nwanted: %s", seed, i, from, to, name, readable(question), got, want)
			}
			if whole := unexplained(answer(source, q)); whole != want && name == "live" {
				cut++
			}
		}
	}
	if cut < rounds/10 {
		t.Errorf("seed %d: the window showed in %d answers only", seed, cut)
	}
	if nested := query.Within(query.Within(Slice{}, 10, 20), 5, 15); nested.Floor() != 10 || !strings.Contains(unexplained(answer(nested, mustParse(t, "stats?from=2026-01-01&to=2026-01-02"))), `"value":0`) {
		t.Errorf("a window in a window begins at %d", nested.Floor())
	}
}

func mustParse(t *testing.T, question string) query.Question {
	t.Helper()
	q, err := parse(question)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
