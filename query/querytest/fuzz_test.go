package querytest

import (
	"net/url"
	"regexp"
	"testing"

	"millimetric/index/event"
	"millimetric/query"
)

// FuzzFilters reads any text as filters: it is refused, or both twins answer it alike.
func FuzzFilters(f *testing.F) {
	f.Add(`[{"field":"properties.x","op":"eq","value":1.0}]`)
	f.Add(`[{"or":[{"field":"path","op":"in","value":["/",""]},{"not":{"field":"properties.a.b","op":"gt","value":"x"}}]}]`)
	f.Add(`[{"field":"timestamp","op":"lt","value":"2026-03-01"}]`)
	var events []event.Event
	for i, properties := range []string{`{}`, `{"x":1}`, `{"x":"a"}`, `{"a":{"b":[true,"y"]}}`, `{"a.b":null,"x":[]}`} {
		events = append(events, event.Event{
			Seq: event.Seq(i + 1), Time: 1772323200000 + event.Time(i), Name: "e", AnonymousID: "v", SessionID: "s", Path: "/", Properties: properties,
		})
	}
	model := Model{Events: events, Walk: NewWalk()}
	sources := map[string]query.Source{"live": Slice(events), "sealed": NewSealed(events, 3), "sealed otherwise": NewSealed(events, 7)}
	// The model spells such a number out, digit by digit.
	long := regexp.MustCompile(`[0-9][eE][+-]?[0-9]{4}`)
	f.Fuzz(func(t *testing.T, filters string) {
		q, err := parse("query?from=2026-01-01&to=2027-01-01&filters=" + url.QueryEscape(filters))
		if err != nil || long.MatchString(filters) {
			return
		}
		want := model.Answer(q)
		for name, source := range sources {
			if got := answer(source, q); got != want {
				t.Errorf("%s\nquery, %s: %s\nmodel: %s", filters, name, got, want)
			}
		}
	})
}
