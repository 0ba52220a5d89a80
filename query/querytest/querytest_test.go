package querytest

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"millimetric/index/event"
	"millimetric/query"
)

// The flag is read by Run: it makes the model's answers the expected ones. Read them before they
// are believed.
var _ = flag.Bool("rewrite", false, "replace the expected answers of the case files")

func TestTheModelAnswersTheCorpus(t *testing.T) {
	walk := NewWalk()
	Run(t, "testdata", func(_ *testing.T, load []event.Event, question string) string {
		q, err := parse(question)
		if err != nil {
			return Refusal(err)
		}
		return Model{Events: load, Walk: walk}.Answer(q)
	})
}

func TestTheQueriesAnswerTheCorpus(t *testing.T) {
	if flag.Lookup("rewrite").Value.String() == "true" {
		t.Skip("the model's answers are being written")
	}
	Run(t, "testdata", func(_ *testing.T, load []event.Event, question string) string {
		q, err := parse(question)
		if err != nil {
			return Refusal(err)
		}
		return answer(Slice(load), q)
	})
}

func TestTheQueriesAnswerTheCorpusFromSegments(t *testing.T) {
	if flag.Lookup("rewrite").Value.String() == "true" {
		t.Skip("the model's answers are being written")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	sources := map[string]*Sealed{} // most questions share a load
	cuts := uint64(4)
	if testing.Short() {
		cuts = 1
	}
	for cut := range cuts {
		t.Run(fmt.Sprint("cut ", cut), func(t *testing.T) {
			Run(t, "testdata", func(t *testing.T, load []event.Event, question string) string {
				q, err := parse(question)
				if err != nil {
					return Refusal(err)
				}
				key := fmt.Sprint(strings.Split(t.Name(), "/")[:3], len(load))
				if sources[key] == nil {
					sources[key] = NewSealed(load, seed+cut)
				}
				return answer(sources[key], q)
			})
		})
	}
}

// memo is what all questions of the tests share: too small to keep all.
var memo = query.NewMemo(64 << 10)

// workers let each question have two helpers, however few rows it is about.
var workers = query.NewWorkers(3, 1)

// answer asks some questions three times: some things are kept from the second time on. Which ones the first
// answer tells, so that it is the same ones each time.
func answer(source query.Source, q query.Question) (text string) {
	q.Settings().Memo, q.Settings().Workers = memo, workers
	for times := 1; times > 0; times-- {
		a, err := query.Run(context.Background(), source, q)
		if err != nil {
			return Refusal(err)
		}
		again := string(a.AppendJSON(nil))
		if text == "" && len(again)%8 == 0 {
			times += 2
		}
		text = again
	}
	return text
}

func TestWordsAreCutOutsideOfStrings(t *testing.T) {
	got := words(`ask  stats filters=[{"value":"a b\" c"}] x="d e"`)
	want := []string{"ask", "stats", `filters=[{"value":"a b\" c"}]`, `x="d e"`}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(got) != len(want) {
		t.Errorf("got %q", got)
	}
}

func TestSharesAreRoundedHalfToEven(t *testing.T) {
	for _, c := range []struct {
		part, whole int
		want        string
	}{{0, 7, "0.0"}, {7, 7, "1.0"}, {1, 3, "0.3333"}, {2, 3, "0.6667"}, {1, 2, "0.5"}, {1, 20000, "0.0"}, {3, 20000, "0.0002"}, {1, 32, "0.0312"}, {3, 32, "0.0938"}} {
		if got := share(c.part, c.whole); got != c.want {
			t.Errorf("%d/%d: got %s, want %s", c.part, c.whole, got, c.want)
		}
		if got := string(query.Ratio(int64(c.part), int64(c.whole)).AppendJSON(nil)); got != c.want {
			t.Errorf("%d/%d: query has %s, want %s", c.part, c.whole, got, c.want)
		}
	}
}

// numbered gives events positions, in their order.
func numbered(events []event.Event) []event.Event {
	for i := range events {
		events[i].Seq = event.Seq(i + 1)
	}
	return events
}
