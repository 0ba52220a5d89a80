package index

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
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

// walked is the plain twin of finding the values of an object by its shape.
func walked(object string) (values []extent, rest string, whole bool) {
	copied := 0
	whole = walkObject(object, func(_ string, start, end int) bool {
		values, rest, copied = append(values, extent{start, end}), rest+object[copied:start], end
		return true
	})
	return values, rest + object[copied:], whole
}

// An object fits a shape exactly where both are the same without their values.
func FuzzShapesFitWhatHasThem(f *testing.F) {
	f.Add(`{"a":1,"b":"x"}`, `{"a":{"b":2},"b":"}"}`)
	f.Add(`{}`, `{"a":1}`)
	f.Add(`{"a":1,"a":[]}`, `{"a":true,"a":null}`)
	f.Add(`{"a":1}`, `{"a":1,"b":2}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		var o objects
		s, _ := o.find(a)
		values, rest, whole := walked(b)
		if s == nil {
			return
		}
		if fits := o.fits(s, b); fits != (whole && rest == s.text) || fits && !slices.Equal(o.values, values) {
			t.Fatalf("%q in the shape of %q: %v, %v; walked %v, %q", b, a, fits, o.values, values, rest)
		}
	})
}

// The standard library is the oracle for objects that are compact JSON.
func FuzzMembersAreThoseOfJSON(f *testing.F) {
	f.Add(`{"a":1.50,"b":"x","c":[1,{"d":"]"}],"\u0061":true,"":null,"e":-0e+5,"f":"\\"}`)
	f.Fuzz(func(t *testing.T, object string) {
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(object)) != nil || compact.String() != object || !strings.HasPrefix(object, "{") {
			return
		}
		var want []string
		decoder := json.NewDecoder(strings.NewReader(object))
		if _, err := decoder.Token(); err != nil {
			t.Fatal(err)
		}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return // names that are no UTF-8 are no business of ours
			}
			var value json.RawMessage
			if err := decoder.Decode(&value); err != nil {
				return
			}
			want = append(want, name.(string)+"="+string(value))
		}
		var got []string
		if !walkObject(object, func(name string, start, end int) bool {
			got = append(got, strings.ToValidUTF8(name, "\ufffd")+"="+object[start:end])
			return true
		}) || len(got) != len(want) {
			t.Fatalf("%s: %q, want %q", object, got, want)
		}
		for i := range got {
			if got[i] != want[i] && !strings.ContainsRune(want[i], 0xfffd) {
				t.Fatalf("%s: %q, want %q", object, got[i], want[i])
			}
		}
	})
}
