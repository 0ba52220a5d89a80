package query

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/index"
	"millimetric/index/event"
)

// committed is a source of two events that knows when they were committed.
type committed struct{}

func (committed) AsOf() event.Seq { return 2 }

func (committed) Floor() event.Time { return event.TimeMin }

func (committed) Segments(_, _ event.Time) []*index.Segment { return nil }

func (committed) Live(from, to event.Time, yield func(*event.Event, uint32) bool) error {
	for seq := range event.Seq(2) {
		e := event.Event{Seq: seq + 1, Time: event.Time(seq) * 1000, Name: "a", AnonymousID: "v", SessionID: "s", Properties: "{}"}
		if e.Time >= from && e.Time < to && !yield(&e, 0) {
			break
		}
	}
	return nil
}

func (committed) Visitors() uint32 { return 1 }

func (committed) Links(func(event.Link) bool) error { return nil }

// CommittedAt says that position 1 came a minute after its event, and doesn't know of others.
func (committed) CommittedAt(position event.Seq) (event.Time, bool, error) {
	return 60_000, position == 1, nil
}

func TestTheClockOfAReplayIsWhenItsPositionWasCommitted(t *testing.T) {
	for _, c := range []struct {
		window string
		asOf   string
		now    event.Time
		mature bool
	}{
		{"1m", `"1"`, 0, true},          // committed a minute after the event
		{"61s", `"1"`, 3600_000, false}, // and no later, whatever the clock shows now
		{"1m", `"2"`, 59_999, false},    // not known: the clock of now
		{"1m", `"2"`, 60_000, true},
		{"1m", `null`, 59_999, false},
		{"1m", `null`, 60_000, true},
	} {
		form, err := FormOfJSON([]byte(`{"from":"1970-01-01","to":"1970-01-02","step":["a","b"],"maturity":"mature","window":"` + c.window + `","as_of":` + c.asOf + `}`))
		if err != nil {
			t.Fatal(err)
		}
		q, err := Parse("funnel", form)
		if err != nil {
			t.Fatal(err)
		}
		q.Settings().Now = c.now
		a, err := Run(context.Background(), committed{}, q)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(a.AppendJSON(nil)), `"actors":1,`); got != c.mature {
			t.Errorf("%+v: %s", c, a.AppendJSON(nil))
		}
	}
}

// The settings of an answer show the question as it was understood, so that it can be asked again.
func TestSettingsOfFunnelsAreAQuestionAgain(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"funnel", `{"from":"2026-01-01","to":"2026-01-02","step":["a","b"]}`,
			`"steps":[{"name":"a","event":"a","filters":[],"within":null},{"name":"b","event":"b","filters":[],"within":null}],` +
				`"window":"7d","order":"ordered","exclude":[],"hold":[],"breakdown":null,"maturity":"all","list":null,"compare":null,"limit":50`},
		{"funnel", `{"from":"2026-01-01","to":"2026-01-02","steps":[{"any_of":[{"event":"a"},{"event":"b"}]},` +
			`{"event":"c","within":"90m","filters":[{"or":[{"field":"properties.n","op":"in","value":[1.50,"x",true]},{"not":{"field":"path","op":"exists","value":false}}]}]}],` +
			`"exclude":[{"event":"x"}],"hold":["properties.o","session_id"],"breakdown":"first_touch.source","maturity":"mature","list":{"dropped":1},"window":"48h","order":"strict"}`,
			`"steps":[{"name":"a","any_of":[{"event":"a","filters":[]},{"event":"b","filters":[]}],"within":null},` +
				`{"name":"c","event":"c","filters":[{"or":[{"field":"properties.n","op":"in","value":[1.50,"x",true]},{"not":{"field":"path","op":"exists","value":false}}]}],"within":"90m"}],` +
				`"window":"2d","order":"strict","exclude":[{"name":"x","event":"x","filters":[],"after":1,"before":2}],"hold":["properties.o","session_id"],` +
				`"breakdown":"first_touch.source","maturity":"mature","list":{"dropped":1},"compare":null,"limit":50`},
		{"retention", `{"from":"2026-01-01","to":"2026-01-02","birth":"a","return":{"event":"b"}}`,
			`"birth":{"name":"a","event":"a","filters":[]},"return":{"name":"b","event":"b","filters":[]},"period":"day","periods":8,"mode":"exact","birth_in":"range","compare":null`},
	} {
		body := c.body
		for range 2 {
			form, err := FormOfJSON([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			q, err := Parse(c.name, form)
			if err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			got := string(Object(q.own()...).AppendJSON(nil))
			if got != "{"+c.want+"}" {
				t.Errorf("%s\ngot  %s\nwant {%s}", body, got, c.want)
			}
			body = `{"from":"2026-01-01","to":"2026-01-02",` + got[1:]
		}
	}
}

// One actor with very many attempts under way must not take the square of their number.
func TestManyAttemptsOfOneActorTakeOnePass(t *testing.T) {
	const events = 300_000
	marks := make([]funnelMark, 0, events)
	for i := range events {
		// The third step never comes, so every attempt stays under way until its window ends.
		marks = append(marks, funnelMark{time: event.Time(i), seq: event.Seq(i + 1), steps: 1 | 1<<(i%2), begins: true})
	}
	for _, order := range []Order{OrderOrdered, OrderStrict, OrderAny} {
		q := &Funnel{Steps: make([]FunnelStep, 3), Window: time.Hour, Order: order}
		flow := newFlow(q)
		trail := flow.best(marks)
		// Each mark makes at most one node per depth.
		if len(trail) != 2 || len(flow.nodes) > 3*events {
			t.Errorf("%s: depth %d, %d nodes", order, len(trail), len(flow.nodes))
		}
	}
}

func TestRanksAreThoseOfSortedValues(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		values := make([]int64, 1+r.IntN(300))
		most := 1 + r.Int64N(1000)
		for i := range values {
			values[i] = r.Int64N(most)
		}
		sorted := slices.Sorted(slices.Values(values))
		rank := nearestRank(len(values), 1+r.IntN(100))
		if got, want := ranked(values, rank), sorted[rank]; got != want || values[rank] != want {
			t.Fatalf("seed %d: rank %d of %v is %d, not %d", seed, rank, sorted, got, want)
		}
		if slices.Max(values[:rank+1]) > values[rank] || slices.Min(values[rank:]) < values[rank] {
			t.Fatalf("seed %d: rank %d of %v parts them as %v", seed, rank, sorted, values)
		}
	}
}
