package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"millimetric/index"
	"millimetric/index/event"
)

// losing is a source without events that has lost some, and remembers what it was asked.
type losing struct {
	because []Loss
	asked   []string
}

func (*losing) AsOf() event.Seq                                               { return 9 }
func (*losing) Floor() event.Time                                             { return 1000 }
func (*losing) Segments(_, _ event.Time) []*index.Segment                     { return nil }
func (*losing) Visitors() uint32                                              { return 0 }
func (*losing) Links(func(event.Link) bool) error                             { return nil }
func (*losing) Live(_, _ event.Time, _ func(*event.Event, uint32) bool) error { return nil }

func (l *losing) Lost(position event.Seq, from, to event.Time) ([]Loss, error) {
	l.asked = append(l.asked, fmt.Sprint(position, " ", from, " ", to))
	return l.because, nil
}

func TestAReplayThatIsNotExactSaysWhyAndNothingElse(t *testing.T) {
	const span = "from=1970-01-01T00:00:00.500Z&to=1970-01-01T00:00:02Z"
	everything := fmt.Sprint(event.TimeMin, " ", event.TimeMax+1)
	for _, c := range []struct{ question, reads string }{
		{"query?" + span, "500 2000"},
		{"stats?" + span, "500 2000"},
		{"stats?compare=previous_period&" + span, "-1000 2000"},
		{"stats?actor=person&" + span, everything},
		{"sources?" + span, "500 2000"},
		{"funnel?step=a&step=b&window=1s&" + span, "500 3000"},
		{"funnel?step=a&step=b&window=1s&breakdown=first_touch.source&" + span, fmt.Sprint(event.TimeMin, " 3000")},
		{"sessions?" + span, everything},
		{"attribution?conversion=a&" + span, fmt.Sprint(event.TimeMin, " 2000")},
		{"retention?birth=a&return=b&mode=unbounded&" + span, fmt.Sprint("500 ", event.TimeMax+1)},
		{"paths?start=a&scope=window&window=1s&" + span, "500 3000"},
	} {
		source := &losing{because: []Loss{LossErasure, LossReclassification}}
		got := runText(t, source, c.question+"&as_of=7")
		if want := []string{"7 " + c.reads}; !slices.Equal(source.asked, want) {
			t.Errorf("%s: asked for %q, want %q", c.question, source.asked, want)
		}
		if want := `"as_of":"7","replay":{"exact":false,"because":["erasure","reclassification"]}`; !strings.Contains(got, want) {
			t.Errorf("%s: %s", c.question, got)
		}
		if got := runText(t, &losing{}, c.question+"&as_of=7"); strings.Contains(got, `"replay"`) {
			t.Errorf("%s: nothing was lost: %s", c.question, got)
		}
		source = &losing{because: []Loss{LossRetention}}
		if got := runText(t, source, c.question); strings.Contains(got, `"replay"`) || source.asked != nil {
			t.Errorf("%s: is no replay: %s", c.question, got)
		}
	}
}

func runText(t *testing.T, source Source, question string) string {
	t.Helper()
	name, params, _ := strings.Cut(question, "?")
	form, err := FormOfParams(func(yield func(name, value string) bool) {
		for key, value := range event.Params(params) {
			if !yield(key, value) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	q, err := Parse(name, form)
	if err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	a, err := Run(context.Background(), source, q)
	if err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	return string(a.AppendJSON(nil))
}
