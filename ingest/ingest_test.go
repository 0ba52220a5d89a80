package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millimetric/index/event"
)

func TestNothingIsAppendedWhenOneEventIsBad(t *testing.T) {
	good := strings.Repeat(`{"event":"a","anonymous_id":"v"},`, 20)
	for _, bad := range []string{`{}`, `{"event":""}`, `7`, `{"event":"a","event":"b"}`, `{"event":"a","url":"x"}`, `{"event":"a"`, "{\"event\":\"\xff\"}"} {
		for _, body := range []string{
			`{"events":[` + good + bad + `]}`,
			`{"events":[` + bad + `,` + good[:len(good)-1] + `]}`,
			`{"events":[` + good + bad + `,` + good[:len(good)-1] + `]}`,
		} {
			w := newWorld(t)
			err := w.send(browser(), "batch", body)
			if !errors.Is(err, event.ErrInput) || w.kept.calls != 0 {
				t.Errorf("%s: error %v, %d appends", bad, err, w.kept.calls)
			}
		}
	}
}

func TestAnsweredEventsSurviveTheirBody(t *testing.T) {
	const text = `{"events":[{"event":"first","event_id":"evt_1","anonymous_id":"ann","user_id":"u","session_id":"s",` +
		`"url":"https://shop.example/a?utm_source=Src&utm_medium=Med&utm_campaign=Camp","path":"/p","referrer":"https://ref.example/r","properties":{"k":"v"}},` +
		`{"event":"second","anonymous_id":"bob","properties":{ "k" : 2 }}]}`
	w := newWorld(t)
	if err := w.send(browser(), "batch", text); err != nil { // send overwrites the body
		t.Fatal(err)
	}
	// Another request through the same pooled reader must not change them either.
	if err := w.send(browser(), "batch", strings.NewReplacer("first", "other", "ann", "xxx", "utm", "xxx").Replace(text)); err != nil {
		t.Fatal(err)
	}
	first, second := w.kept.events[0], w.kept.events[1]
	got := strings.Join([]string{
		first.Name, first.ID, first.AnonymousID, first.UserID, first.SessionID, first.URL, first.Path, first.Referrer,
		first.Source, first.Medium, first.Campaign, first.Properties, second.Name, second.AnonymousID, second.SessionID, second.Properties,
	}, "|")
	want := "first|evt_1|ann|u|s|https://shop.example/a?utm_source=Src&utm_medium=Med&utm_campaign=Camp|/p|https://ref.example/r|" +
		`src|med|Camp|{"k":"v"}|second|bob|bob-987576|{"k":2}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAddressAndAgentAreInNoEvent(t *testing.T) {
	fromServer := fmt.Sprintf(`{"events":[{"event":"a","ip":%q,"user_agent":%q},{"event":"a","ip":%q,"user_agent":%q,"anonymous_id":"v"},{"event":"a","ip":%q}]}`,
		addrHome, agentPhone, addrOther, agentChrome, addrHome)
	cookieless := browser()
	cookieless.Site.Cookieless = true
	for name, send := range map[string]func(world) error{
		"server":     func(w world) error { return w.send(server(), "batch", fromServer) },
		"browser":    func(w world) error { return w.send(browser(), "batch", fromServer) },
		"cookieless": func(w world) error { return w.send(cookieless, "track", `{"event":"a"}`) },
		"identify":   func(w world) error { return w.send(browser(), "identify", `{"anonymous_id":"v","user_id":"u"}`) },
	} {
		w := newWorld(t)
		if err := send(w); err != nil {
			t.Fatal(name, err)
		}
		stored := fmt.Sprintf("%+v", w.kept.events)
		for _, secret := range []string{addrHome, addrOther, "81.2.69", "4860", agentChrome, agentPhone, "Mozilla", "AppleWebKit"} {
			if strings.Contains(stored, secret) {
				t.Errorf("%s: %q is in %s", name, secret, stored)
			}
		}
		if !strings.Contains(stored, "IPHash:") || w.kept.events[0].IPHash == "" {
			t.Errorf("%s: no hash, so the test proves nothing: %s", name, stored)
		}
	}
}

func TestLimitsHoldToTheCharacter(t *testing.T) {
	for _, c := range []struct {
		verb, field string
		max         int
	}{
		{"track", "event", event.NameMax}, {"track", "event_id", event.IDMax}, {"track", "anonymous_id", event.AnonymousIDMax},
		{"track", "user_id", event.UserIDMax}, {"track", "session_id", event.SessionIDMax}, {"track", "path", event.PathMax},
		{"track", "referrer", event.ReferrerMax}, {"track", "url", event.URLMax},
		{"identify", "anonymous_id", event.AnonymousIDMax}, {"identify", "user_id", event.UserIDMax}, {"identify", "event_id", event.IDMax},
	} {
		// Two bytes and three for a character, so that bytes can't pass for characters.
		for _, letter := range []string{"x", "é", "語"} {
			value := strings.Repeat(letter, c.max)
			if c.field == "url" {
				value = "https://h.example/" + strings.Repeat(letter, c.max-len("https://h.example/"))
			}
			send := func(value string) error {
				members := map[string]string{"event": "a", "anonymous_id": "v", "user_id": "u"}
				members[c.field] = value
				var parts []string
				for key, text := range members {
					parts = append(parts, fmt.Sprintf("%q:%q", key, text))
				}
				return newWorld(t).send(server(), c.verb, "{"+strings.Join(parts, ",")+"}")
			}
			if err := send(value); err != nil {
				t.Errorf("%s %s of %d %s: %v", c.verb, c.field, c.max, letter, err)
			}
			wantField(t, send(value+letter), c.field, fmt.Sprintf("String must contain at most %d character(s)", c.max))
		}
	}
}

func wantField(t *testing.T, err error, field, message string) {
	t.Helper()
	var known *event.Error
	if !errors.As(err, &known) || known.Code != event.CodeInvalidPayload || len(known.Fields) != 1 || !slices.Equal(known.Fields[field], []string{message}) {
		t.Errorf("got %v, want %s: %s", err, field, message)
	}
}

func wantNote(t *testing.T, err error, prefix string) {
	t.Helper()
	var known *event.Error
	if !errors.As(err, &known) || known.Code != event.CodeInvalidPayload || len(known.Notes) != 1 || !strings.HasPrefix(known.Notes[0], prefix) {
		t.Errorf("got %v, want %q", err, prefix)
	}
}

func TestPropertiesEndAtTheirBytesWhiteSpaceAside(t *testing.T) {
	body := func(verb string, bytes int) string {
		field := map[string]string{"track": "properties", "identify": "traits"}[verb]
		return `{"event":"a","anonymous_id":"v","user_id":"u","` + field + `": { "k" : "` + strings.Repeat("x", bytes-len(`{"k":""}`)) + `" } }`
	}
	for verb, field := range map[string]string{"track": "properties", "identify": "traits"} {
		w := newWorld(t)
		if err := w.send(browser(), verb, body(verb, event.PropertiesBytesMax)); err != nil {
			t.Fatal(err)
		}
		if got := len(w.kept.events[0].Properties); got != event.PropertiesBytesMax {
			t.Errorf("%d bytes kept", got)
		}
		wantField(t, w.send(browser(), verb, body(verb, event.PropertiesBytesMax+1)), field, msgBytes)
		wantField(t, w.send(browser(), verb, body(verb, 8<<20)), field, msgBytes)
	}
}

func TestPropertiesEndAtTheirDepth(t *testing.T) {
	nested := func(depth int) string {
		return `{"event":"a","anonymous_id":"v","properties":` + strings.Repeat(`{"a":`, depth-1) + `{}` + strings.Repeat("}", depth)
	}
	if err := newWorld(t).send(browser(), "track", nested(event.PropertiesDepthMax)); err != nil {
		t.Error(err)
	}
	wantField(t, newWorld(t).send(browser(), "track", nested(event.PropertiesDepthMax+1)), "properties", msgDepth)
	wantField(t, newWorld(t).send(browser(), "track", nested(depthMax)), "properties", msgDepth)
	wantNote(t, newWorld(t).send(browser(), "track", nested(depthMax+1)), "JSON too deep")
}

func TestHostileBodiesAreRefusedBeforeTheyCostMemory(t *testing.T) {
	var keys, inner strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&keys, `,"k%d":0`, i)
	}
	inner.WriteString(`{"x":0` + keys.String() + `}`)
	for name, body := range map[string]string{
		"JSON too deep at": `{"event":"a","later":` + strings.Repeat("[", 8<<20),
		"JSON too deep":    strings.Repeat("[", 8<<20),
		"Too many keys":    `{"event":"a"` + keys.String() + `}`,
		"Too many keys at": `{"event":"a","later":[` + inner.String() + `]}`,
		"Too many":         `{"event":"a","properties":` + inner.String() + `}`,
	} {
		w := newWorld(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := w.send(browser(), "track", body)
		runtime.ReadMemStats(&after)
		wantNote(t, err, name)
		// send makes one copy of the body, the reader another; the rest is the decoder's.
		grown := after.TotalAlloc - before.TotalAlloc
		if limit := uint64(2*len(body) + 4<<20); grown > limit {
			t.Errorf("%s: %d bytes for a body of %d", name, grown, len(body))
		}
	}
}

func TestBatchesEndAtTheirCount(t *testing.T) {
	batch := func(count int) string {
		return `{"events":[` + strings.Repeat(`{"event":"a"},`, count-1) + `{"event":"a"}]}`
	}
	w := newWorld(t)
	count, err := w.Batch(context.Background(), browser(), []byte(batch(event.BatchEventsMax)))
	if err != nil || count != event.BatchEventsMax || len(w.kept.events) != count || w.kept.calls != 1 {
		t.Errorf("%d, %v, %d events in %d calls", count, err, len(w.kept.events), w.kept.calls)
	}
	const tooMany = "Array must contain at most 1000 element(s)"
	wantField(t, newWorld(t).send(browser(), "batch", batch(event.BatchEventsMax+1)), "events", tooMany)
	wantField(t, newWorld(t).send(browser(), "batch", `{"events":[`+batch(event.BatchEventsMax)[11:len(batch(event.BatchEventsMax))-2]+`,7]}`), "events", tooMany)
}

func TestAnAnswerNamesNoMoreThanFiftyMistakes(t *testing.T) {
	err := newWorld(t).send(browser(), "batch", `{"events":[`+strings.Repeat(`{},`, 999)+`{}]}`)
	var known *event.Error
	if !errors.As(err, &known) || len(known.Fields) != fieldErrorsMax || known.Fields["events.49.event"] == nil {
		t.Errorf("got %v", err)
	}
}

func TestBadUTF8IsRefusedEverywhere(t *testing.T) {
	for _, body := range []string{
		"{\"event\":\"\xff\"}", "{\"event\":\"a\",\"properties\":{\"\xc3\":1}}", "{\"event\":\"a\",\"later\":[\"\xed\xa0\x80\"]}", "{\"\xff\":1,\"event\":\"a\"}",
	} {
		wantNote(t, newWorld(t).send(browser(), "track", body), "Malformed JSON at byte ")
	}
}

func TestEachDayNeedsItsSaltOnce(t *testing.T) {
	w := newWorld(t)
	caller := server()
	caller.Import = "lease"
	body := `{"events":[` + strings.Repeat(`{"event":"a","timestamp":"2026-04-30T10:00:00Z","ip":"1.2.3.4"},{"event":"a","timestamp":"2026-04-29T10:00:00Z","ip":"1.2.3.5"},`, 50) + `{"event":"a"}]}`
	if err := w.send(caller, "batch", body); err != nil {
		t.Fatal(err)
	}
	if want := []saltCall{{7, 20573, "lease"}, {7, 20572, "lease"}}; !slices.Equal(w.salts.calls, want) {
		t.Errorf("got %v, want %v", w.salts.calls, want)
	}
	if w.kept.events[0].IPHash == w.kept.events[1].IPHash || w.kept.events[0].IPHash != w.kept.events[2].IPHash {
		t.Error("a hash must join within its day")
	}
}

func TestErrorsOfOthersComeBackWithTheirKind(t *testing.T) {
	w := newWorld(t)
	w.kept.err = &event.Error{Kind: event.ErrLimit, Code: event.CodeDiskLow}
	for verb, body := range map[string]string{"track": `{"event":"a"}`, "batch": `{"events":[{"event":"a"}]}`, "identify": `{"anonymous_id":"a","user_id":"u"}`} {
		if err := w.send(browser(), verb, body); !errors.Is(err, event.ErrLimit) {
			t.Errorf("%s: %v", verb, err)
		}
	}
	w = newWorld(t)
	w.salts.err = errors.New("no keyring")
	if err := w.send(browser(), "track", `{"event":"a"}`); !errors.Is(err, w.salts.err) || errors.Is(err, event.ErrInput) || w.kept.calls != 0 {
		t.Errorf("%v, %d appends", err, w.kept.calls)
	}
}

func TestAppendsCarryProjectAndContext(t *testing.T) {
	w := newWorld(t)
	type mark struct{}
	ctx := context.WithValue(context.Background(), mark{}, "mine")
	id, err := w.Track(ctx, browser(), []byte(`{"event":"a","event_id":"evt_1"}`))
	if err != nil || id != "evt_1" || w.kept.project != 7 || w.kept.ctx.Value(mark{}) != "mine" {
		t.Errorf("%q, %v, project %d", id, err, w.kept.project)
	}
}

func TestAPipelineNeedsAllItsParts(t *testing.T) {
	if _, err := New(Options{Appender: nowhere{}, Now: func() time.Time { return testNow }}); err == nil {
		t.Error("no salts, no error")
	}
}

func TestRandomVisitorsDiffer(t *testing.T) {
	w := newWorld(t)
	if err := w.send(browser(), "batch", `{"events":[{"event":"a"},{"event":"a"}]}`); err != nil {
		t.Fatal(err)
	}
	if w.kept.events[0].AnonymousID == w.kept.events[1].AnonymousID {
		t.Error("two browsers are one visitor")
	}
	caller := browser()
	caller.Addr = netip.Addr{}
	if err := w.send(caller, "track", `{"event":"a"}`); err != nil || w.kept.events[2].IPHash != "" {
		t.Errorf("%v: a hash of no address", err)
	}
}

// sums is an Appender that checks each event against its twin fields, from many goroutines.
type sums struct{ seen, mixed atomic.Int64 }

func (s *sums) Append(_ context.Context, _ event.Project, events []event.Event) error {
	for _, e := range events {
		s.seen.Add(1)
		if e.Name != e.UserID || e.Name != e.AnonymousID || e.Properties != `{"n":"`+e.Name+`"}` {
			s.mixed.Add(1)
		}
	}
	return nil
}

func TestConcurrentRequestsDoNotMix(t *testing.T) {
	var appender sums
	p, err := New(Options{Appender: &appender, Salts: oneSalt{}, Now: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	const senders, requests = 8, 100
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for i := range requests {
				name := fmt.Sprintf("%d-%s", sender, strings.Repeat("x", i%50))
				one := fmt.Sprintf(`{"event":%q,"user_id":%q,"anonymous_id":%q,"properties":{"n":%q}}`, name, name, name, name)
				if _, err := p.Batch(context.Background(), browser(), []byte(`{"events":[`+one+`,`+one+`]}`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if appender.seen.Load() != 2*senders*requests || appender.mixed.Load() != 0 {
		t.Errorf("%d events, %d of them mixed", appender.seen.Load(), appender.mixed.Load())
	}
}

type oneSalt struct{}

func (oneSalt) Salt(event.Project, int64, string) ([32]byte, error) { return [32]byte{1}, nil }
