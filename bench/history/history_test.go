package history

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"
)

// shopEvent is an event as a client sends it.
type shopEvent struct {
	Event      string         `json:"event"`
	ID         string         `json:"event_id"`
	Time       time.Time      `json:"timestamp"`
	Visitor    string         `json:"anonymous_id"`
	User       string         `json:"user_id"`
	Session    string         `json:"session_id"`
	URL        string         `json:"url"`
	Referrer   string         `json:"referrer"`
	IP         string         `json:"ip"`
	Agent      string         `json:"user_agent"`
	Properties map[string]any `json:"properties"`
}

func take(t testing.TB, shape Shape) (events []shopEvent, rows [][]string, bytesSent int) {
	t.Helper()
	h, err := New(shape)
	if err != nil {
		t.Fatal(err)
	}
	for e := h.Next(); e != nil; e = h.Next() {
		var sent shopEvent
		text := e.AppendJSON(nil)
		if err := json.Unmarshal(text, &sent); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		row := strings.Split(strings.TrimSuffix(string(e.AppendRow(nil)), "\n"), "\t")
		if len(row) != len(Columns) {
			t.Fatalf("%d values for %d columns in %q", len(row), len(Columns), row)
		}
		events, rows, bytesSent = append(events, sent), append(rows, row), bytesSent+len(text)
	}
	return events, rows, bytesSent
}

func TestAHistoryIsShapedLikeAShops(t *testing.T) {
	const count = 60_000
	shape := Shape{Seed: 1, Events: count}
	events, rows, size := take(t, shape)
	if len(events) != count {
		t.Fatalf("%d events", len(events))
	}
	names, visitors, ids, users := map[string]int{}, map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}
	late, countries, derived := 0, map[string]int{}, 0
	newest := events[0].Time
	for i, e := range events {
		names[e.Event]++
		visitors[e.Visitor], ids[e.ID] = true, true
		countries[rows[i][16]]++
		if e.User != "" {
			if users[e.User] == nil {
				users[e.User] = map[string]bool{}
			}
			users[e.User][e.Visitor] = true
		}
		if e.Session == "" {
			derived++
		}
		if e.Time.Before(newest) {
			late++
		} else {
			newest = e.Time
		}
		if e.URL == "" || e.Referrer == "" && rows[i][11] == "internal" {
			t.Fatalf("%+v", e)
		}
	}
	between := func(what string, n, low, high int) {
		if n < low || n > high {
			t.Errorf("%s: %d, want %d to %d", what, n, low, high)
		}
	}
	between("different ids", len(ids), count, count)
	between("visitors", len(visitors), count/16, count/9)
	between("bytes of an event, all in", size/count, 400, 560)
	between("late", late, count/300, count/50)
	between("page views of 1000", names["$pageview"]*1000/count, 600, 760)
	between("carts of 10,000", names["add_to_cart"]*10_000/count, 100, 500)
	between("purchases of 10,000", names["purchase"]*10_000/count, 15, 80)
	between("names", len(names), 15, 24)
	between("countries", len(countries), 30, 250)
	between("users of 1000 visitors", len(users)*1000/len(visitors), 30, 200)
	between("events without a session of 1000", derived*1000/count, 20, 150)
	between("days from end", int(time.UnixMilli(int64(shape.To())).Sub(newest)/(24*time.Hour)), -1, 1)
	devices := 0
	for of := range maps.Values(users) {
		if len(of) > 1 {
			devices++
		}
	}
	between("users with two devices", devices, 3, len(users)/4)
}

func TestThePlainEventHasTheSizeOfATarget(t *testing.T) {
	events, _, size := take(t, Shape{Seed: 2, Events: 20_000, Plain: true})
	if each := size / len(events); each < 330 || each > 390 {
		t.Errorf("%d bytes, want about 350", each)
	}
	if e := events[0]; e.IP != "" || e.Agent != "" {
		t.Errorf("%+v", e)
	}
}

func TestTheSameShapeGivesTheSameEvents(t *testing.T) {
	all := func(seed uint64) []byte {
		h, err := New(Shape{Seed: seed, Events: 5000})
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		for e := h.Next(); e != nil; e = h.Next() {
			text = e.AppendRow(e.AppendJSON(text))
		}
		return text
	}
	if !bytes.Equal(all(7), all(7)) {
		t.Error("seed 7 gives two histories")
	}
	if bytes.Equal(all(7), all(8)) {
		t.Error("seeds 7 and 8 give one history")
	}
}

func TestBatchesHoldEveryEventOnceAndNoTieIsCut(t *testing.T) {
	for _, size := range []int{1, 10, 100, 1000} {
		h, err := New(Shape{Seed: 3, Events: 20_000})
		if err != nil {
			t.Fatal(err)
		}
		source, total := Batches(h), 0
		var last shopEvent
		cut, tied := 0, 0
		for {
			text, n := source.Append(nil, size)
			if n == 0 {
				break
			}
			var body struct{ Events []shopEvent }
			if err := json.Unmarshal(text, &body); err != nil || len(body.Events) != n || n > size {
				t.Fatalf("%d events of %d, %v", len(body.Events), n, err)
			}
			for i, e := range body.Events {
				if e.Visitor == last.Visitor && e.Time.Equal(last.Time) {
					tied++
					if i == 0 {
						cut++
					}
				}
				last = e
			}
			total += n
		}
		if total != 20_000 || tied < 50 || cut > 0 && size > tiedMost {
			t.Errorf("size %d: %d events, %d ties, %d of them cut", size, total, tied, cut)
		}
	}
}

func BenchmarkHistory(b *testing.B) {
	h, err := New(Shape{Seed: 1, Events: b.N})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var body []byte
	for e := h.Next(); e != nil; e = h.Next() {
		body = e.AppendJSON(body[:0])
	}
}

func TestAReplayIsOtherEventsOfOtherVisitorsEachRound(t *testing.T) {
	h, err := New(Shape{Seed: 4, Events: 4000, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	r := NewReplay(h, 100, 9)
	now := time.Date(2026, 10, 1, 12, 0, 0, 5e6, time.UTC)
	ids, rounds := map[string]bool{}, []map[string]int{{}, {}}
	for _, visitors := range rounds {
		count := 0
		for count < 4000 {
			text, n := r.Next(now)
			var body struct{ Events []shopEvent }
			if err := json.Unmarshal(text, &body); err != nil || len(body.Events) != n {
				t.Fatalf("%d of %d events, %v", len(body.Events), n, err)
			}
			for _, e := range body.Events {
				ids[e.ID] = true
				visitors[e.Visitor]++
				if !e.Time.Equal(now) {
					t.Fatalf("at %v", e.Time)
				}
			}
			count += n
		}
	}
	if len(ids) != 8000 {
		t.Errorf("%d ids of 8000 events", len(ids))
	}
	if n, m := len(rounds[0]), len(rounds[1]); n != m || n < 4000/16 || n > 4000/8 {
		t.Errorf("%d and %d visitors in rounds of 4000 events", n, m)
	}
	for v := range rounds[0] {
		if rounds[1][v] > 0 {
			t.Fatalf("%s is in both rounds", v)
		}
	}
	if r.Bytes < 330 || r.Bytes > 390 {
		t.Errorf("%d bytes per event", r.Bytes)
	}
}

func BenchmarkReplay(b *testing.B) {
	h, err := New(Shape{Seed: 4, Events: 100_000, Plain: true})
	if err != nil {
		b.Fatal(err)
	}
	r := NewReplay(h, 1000, 9)
	b.ResetTimer()
	for n := 0; n < b.N; {
		_, events := r.Next(time.Unix(0, 0))
		n += events
	}
}
