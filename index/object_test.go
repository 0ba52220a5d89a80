package index

import (
	"testing"

	"millimetric/index/event"
)

// Whatever the objects are, what is cut out of them must come back.
func FuzzPropertiesComeBack(f *testing.F) {
	f.Add(`{"a":1.50,"b":"x"}`, `{"b":"\u0078","a":2}`, `{"a":1,"a":2,"c":[{"a":3}]}`)
	f.Add(`{"":null}`, `{"a":,"b":1}`, `{"a":-0,"\u0061":true}`)
	f.Add(`{"a.b":1e400}`, `{"a":{"b":"}"}}`, `{}`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var rows []Row
		for i, object := range []string{a, b, c, a, b, c, a, a, a} {
			rows = append(rows, Row{&event.Event{Seq: event.Seq(i + 1), Properties: object}, 0})
		}
		s, err := Open(Build(rows, BuildOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		reader, err := s.Reader()
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if got, err := reader.Properties(uint32(i)); err != nil || got != rows[i].Event.Properties {
				t.Fatalf("row %d: %q, %v; want %q", i, got, err, rows[i].Event.Properties)
			}
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
