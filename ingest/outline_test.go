package ingest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzOutline holds the outline and the compacting of valid values against encoding/json.
func FuzzOutline(f *testing.F) {
	f.Add(` { "a" : [ 1 , "x y\" \\" , { } ] , "b:}" : null } `)
	f.Add(`[[[]],{"a":{"b":{}}}]`)
	f.Add(`{"a":"\\","b":"\\\" { "}`)
	f.Fuzz(func(t *testing.T, text string) {
		got := outlineOf([]byte(text))
		if got.bytes > len(text) {
			t.Fatalf("%q: %d bytes", text, got.bytes)
		}
		if first := strings.TrimLeft(text, " \t\r\n"); first == "" || first[0] != '{' && first[0] != '[' || !json.Valid([]byte(text)) {
			return
		}
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(text)); err != nil {
			t.Fatal(err)
		}
		compact := appendCompact(nil, text)
		depth, members := shapeOf(t, text)
		if depth > depthMax || members > membersMax {
			return // the outline stops early there
		}
		if string(compact) != want.String() || got != (outline{want.Len(), depth, members}) {
			t.Fatalf("%q: %+v, %q; want %d bytes, depth %d, %d members", text, got, string(compact), want.Len(), depth, members)
		}
	})
}

// shapeOf is the plain twin of outlineOf: it counts the tokens of encoding/json.
func shapeOf(t *testing.T, text string) (depthMax, members int) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var open []json.Delim
	var items []int // tokens right inside of each open bracket; an object has two for each member
	count := func() {
		if n := len(open); n > 0 {
			items[n-1]++
			if open[n-1] == '{' && items[n-1]%2 == 1 {
				members++
			}
		}
	}
	for decoder.More() || len(open) > 0 {
		token, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch delim, ok := token.(json.Delim); {
		case ok && (delim == '{' || delim == '['):
			count()
			open, items = append(open, delim), append(items, 0)
			depthMax = max(depthMax, len(open))
		case ok:
			open, items = open[:len(open)-1], items[:len(items)-1]
		default:
			count()
		}
	}
	return depthMax, members
}

// Brackets that don't match may end the outline's walk early. The decoder must not get past that
// place, or it would meet nesting that nobody bounded.
func TestTheDecoderStopsWhereTheOutlineEndsEarly(t *testing.T) {
	deep := strings.Repeat("[", depthMax+5)
	for _, text := range []string{`[}` + deep, `{]` + deep, `{"a":[1}}` + deep, `[1}` + deep, `{"a"]` + deep} {
		var r reader
		r.open([]byte(text))
		r.rewind()
		o := outlineOf([]byte(text))
		_, err := r.value()
		if err == nil || o.depth > 2 || r.decoder.InputOffset() > 10 {
			t.Errorf("%.12s: %v, %+v, read to %d", text, err, o, r.decoder.InputOffset())
		}
	}
}
