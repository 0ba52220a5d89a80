package querytest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/query"
)

// listed takes a listing in batches of random sizes, each from a source of its own.
func listed(t *testing.T, r *rand.Rand, source query.Source, list query.Listing) []event.Event {
	t.Helper()
	var all []event.Event
	for more := true; more; {
		batch, err := query.Next(context.Background(), source, list, 1+r.IntN(40))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range batch.Events {
			all = append(all, *e)
		}
		more = batch.More
	}
	return all
}

func sameEvents(t *testing.T, what string, got, want []event.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d events, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s: event %d is\n%+v, want\n%+v", what, i, got[i], want[i])
		}
	}
}

func formOf(t *testing.T, params url.Values) query.Form {
	t.Helper()
	form, err := query.FormOfParams(func(yield func(name, value string) bool) {
		for name := range params {
			if !yield(name, params.Get(name)) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return form
}

// chosenBy are the events of a model that a plain look at each of them finds, in the order of events.
func (m Model) chosenBy(asOf event.Seq, wanted func(event.Event) bool) (found []event.Event) {
	for _, e := range m.Events {
		if e.Seq <= asOf && e.Time >= m.Floor && wanted(e) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b event.Event) int {
		if a.Before(&b) {
			return -1
		}
		return 1
	})
	return found
}

// upTo is the model as it was at a position, without what is too old.
func (m Model) upTo(asOf event.Seq) Model {
	return Model{Events: m.chosenBy(asOf, func(event.Event) bool { return true }), Walk: m.Walk}
}

func TestAnExportIsTheEventsOfTheRangeInTheirOrder(t *testing.T) {
	seed := enginetest.Seed(t)
	for i := range enginetest.Figure(t, 30, 200, 1000) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		model := Model{Events: history(r)}
		for name, source := range sourcesOf(r, &model) {
			asOf := event.Seq(r.IntN(int(source.AsOf()) + 1))
			since := event.Seq(r.IntN(2) * r.IntN(int(source.AsOf())+1))
			params := url.Values{"from": {"2026-01-01"}, "to": {"2027-01-01"}, "as_of": {strconv.Itoa(int(asOf))}, "since": {strconv.Itoa(int(since))}}
			bots, only := r.IntN(2) == 0, ""
			if bots {
				params.Set("include_bots", "true")
			}
			if r.IntN(3) == 0 && len(model.Events) > 0 {
				only = model.Events[r.IntN(len(model.Events))].AnonymousID
				params.Set("anonymous_id", only)
			}
			list, err := query.ParseExport(formOf(t, params))
			if err != nil {
				t.Fatal(err)
			}
			want := model.chosenBy(asOf, func(e event.Event) bool {
				return e.Seq > since && e.Time >= list.From && e.Time < list.To && (bots || e.Bot == "") && (only == "" || e.AnonymousID == only)
			})
			sameEvents(t, fmt.Sprintf("seed %d, history %d, %s, %v", seed, i, name, params), listed(t, r, source, list), want)
		}
	}
}

// TestProofASubjectIsWhatAPlainLookAtAllEventsFinds asks for every user and visitor of random histories.
func TestProofASubjectIsWhatAPlainLookAtAllEventsFinds(t *testing.T) {
	seed, cases := enginetest.Seed(t), 0
	histories := enginetest.Figure(t, 20, 60, 300)
	for i := range histories {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		model := Model{Events: history(r)}
		for name, source := range sourcesOf(r, &model) {
			asOf := source.AsOf()
			if r.IntN(2) == 0 {
				asOf = event.Seq(r.IntN(int(asOf) + 1))
			}
			seen := model.upTo(asOf)
			who := map[string]func(event.Event) bool{"user_id=nobody": func(event.Event) bool { return false }}
			for _, e := range model.Events {
				who["anonymous_id="+url.QueryEscape(e.AnonymousID)] = func(o event.Event) bool { return o.AnonymousID == e.AnonymousID }
				if e.UserID != "" {
					who["user_id="+url.QueryEscape(e.UserID)] = func(o event.Event) bool { return seen.userOf(o) == e.UserID }
				}
			}
			for query := range who {
				subjectAgrees(t, r, source, seen, asOf, query, who[query], fmt.Sprintf("seed %d, history %d, %s", seed, i, name))
				cases++
			}
		}
	}
	enginetest.Say(t, "P6", "a subject's events equal a scan of all events: %d cases of %d histories, seed %d", cases, histories, seed)
	if cases < 200 {
		t.Errorf("only %d cases", cases)
	}
}

func subjectAgrees(t *testing.T, r *rand.Rand, source query.Source, seen Model, asOf event.Seq, params string, wanted func(event.Event) bool, what string) {
	t.Helper()
	values, err := url.ParseQuery(params)
	if err != nil {
		t.Fatal(err)
	}
	values.Set("as_of", strconv.FormatUint(uint64(asOf), 10))
	list, err := query.ParseSubject(formOf(t, values))
	if err != nil {
		t.Fatal(err)
	}
	sameEvents(t, what+", "+params, listed(t, r, source, list), seen.chosenBy(asOf, wanted))
}
