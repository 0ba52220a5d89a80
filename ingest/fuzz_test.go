package ingest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"millimetric/index/event"
	"millimetric/ingest/privacy"
)

// FuzzTrack and FuzzBatch hold whatever comes in against the rules: a refusal is an error of the
// client's, and what is accepted keeps within every limit.
func FuzzTrack(f *testing.F) { fuzz(f, "track") }

func FuzzBatch(f *testing.F) { fuzz(f, "batch") }

func fuzz(f *testing.F, verb string) {
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, caller := range []Caller{browser(), server()} {
			w.kept.events, w.kept.calls = nil, 0
			err := w.send(caller, verb, body)
			if err != nil {
				checkRefusal(t, err, body)
				if w.kept.calls != 0 {
					t.Fatal("appended in spite of the error")
				}
				continue
			}
			if !json.Valid([]byte(body)) || !utf8.ValidString(body) {
				t.Fatal("accepted what is no JSON")
			}
			if n := len(w.kept.events); n == 0 || n > event.BatchEventsMax {
				t.Fatalf("%d events", n)
			}
			for i := range w.kept.events {
				checkLimits(t, &w.kept.events[i])
			}
		}
	})
}

func checkRefusal(t *testing.T, err error, body string) {
	t.Helper()
	var known *event.Error
	if !errors.As(err, &known) || known.Kind != event.ErrInput || len(known.Fields)+len(known.Notes) == 0 {
		t.Fatalf("a refusal of no use to the client: %v", err)
	}
	if len(known.Fields) > 0 && !json.Valid([]byte(body)) {
		t.Fatalf("fields of what is no JSON: %v", err)
	}
	// The standard library is laxer in two things only: bytes that are no UTF-8, and escapes of half
	// a surrogate pair.
	if len(known.Notes) > 0 && strings.HasPrefix(known.Notes[0], "Malformed") && json.Valid([]byte(body)) &&
		utf8.ValidString(body) && !strings.Contains(strings.ToLower(body), `\ud`) {
		t.Fatalf("refused what is JSON: %v", err)
	}
}

func checkLimits(t *testing.T, e *event.Event) {
	t.Helper()
	// What is stripped from a URL may leave a mark in its place, hence the room.
	const mark = 256
	for _, c := range []struct {
		name, text string
		min, max   int
	}{
		{"event", e.Name, 1, event.NameMax}, {"event_id", e.ID, 0, event.IDMax}, {"anonymous_id", e.AnonymousID, 1, event.AnonymousIDMax},
		{"user_id", e.UserID, 0, event.UserIDMax}, {"session_id", e.SessionID, 1, event.SessionIDMax + 24},
		{"url", e.URL, 0, event.URLMax + mark}, {"path", e.Path, 0, event.PathMax + mark}, {"referrer", e.Referrer, 0, event.ReferrerMax + mark},
		{"source", e.Source, 1, event.URLMax}, {"medium", e.Medium, 1, event.URLMax}, {"campaign", e.Campaign, 0, event.URLMax}, {"rule", e.SourceRule, 1, 40},
	} {
		n := utf8.RuneCountInString(c.text)
		if n < c.min || n > c.max || !utf8.ValidString(c.text) || strings.ContainsRune(c.text, 0) {
			t.Fatalf("%s: %q", c.name, c.text)
		}
	}
	if e.Time < event.TimeMin || e.Time > event.TimeOf(testNow.Add(event.AheadMax)) {
		t.Fatalf("time %v", e.Time.Std())
	}
	if e.URL != "" {
		if u, ok := event.SplitURL(e.URL); !ok || !u.IsWeb() {
			t.Fatalf("url %q", e.URL)
		}
	}
	for _, text := range []string{e.URL, e.Path, e.Referrer} {
		if again := privacy.StripURL(text); again != text {
			t.Fatalf("%q still holds personal data: %q", text, again)
		}
	}
	checkProperties(t, e.Properties)
}

// checkProperties holds the hand-made compacting against the standard library's.
func checkProperties(t *testing.T, properties string) {
	t.Helper()
	if len(properties) > event.PropertiesBytesMax || properties[0] != '{' || !json.Valid([]byte(properties)) {
		t.Fatalf("properties %q", properties)
	}
	if got := outlineOf([]byte(properties)); got.bytes != len(properties) {
		t.Fatalf("properties %q are not compact", properties)
	}
}
