package main

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sent is one event as it was sent. Its visitor and its properties say its id once more, so that a
// row that mixes two events is seen.
type sent struct {
	Event       string         `json:"event"`
	ID          string         `json:"event_id,omitempty"`
	AnonymousID string         `json:"anonymous_id"`
	Timestamp   string         `json:"timestamp"`
	Properties  map[string]any `json:"properties"`
}

// ledger is what clients know of one window of time: which events they sent, how often, and which of
// them were acknowledged. It lives outside of the server, so no crash of that touches it.
type ledger struct {
	from, to time.Time
	noIDs    bool // events carry no event_id: the control
	noise    int  // random letters in each event, which no compression makes small

	mu      sync.Mutex
	acked   map[string]bool // by id, of all that were sent
	sends   int             // events sent, repeats included
	pending [][]sent        // batches whose outcome nobody knows
}

func newLedger(from time.Time) *ledger {
	return &ledger{from: from, to: from.Add(time.Minute), acked: map[string]bool{}}
}

// batch makes new events.
func (l *ledger) batch(random *rand.Rand, n int) []sent {
	events := make([]sent, n)
	for i := range events {
		id := string(letters(nil, random))
		at := l.from.Add(time.Duration(random.IntN(60_000)) * time.Millisecond)
		noise := make([]byte, 0, l.noise)
		for len(noise) < l.noise {
			noise = letters(noise, random)
		}
		events[i] = sent{
			Event: "first", ID: id, AnonymousID: "v-" + id, Timestamp: at.UTC().Format("2006-01-02T15:04:05.000Z"),
			Properties: map[string]any{"id": id, "noise": string(noise)},
		}
	}
	return events
}

// letters appends sixteen random letters. Digits could look like the number of somebody's card, which isn't kept.
func letters(dst []byte, random *rand.Rand) []byte {
	for bits, n := random.Uint64(), 0; n < 16; n++ {
		dst = append(dst, 'a'+byte(bits>>(4*n)&15))
	}
	return dst
}

// again is the same events once more. What is sent for a second time under an id doesn't count: its
// name would show that it did.
func again(events []sent) []sent {
	repeated := append([]sent{}, events...)
	for i := range repeated {
		repeated[i].Event = "again"
	}
	return repeated
}

// send sends events and notes what came of it. It reports whether they were acknowledged.
func (l *ledger) send(s *server, key string, events []sent) bool {
	l.mu.Lock()
	l.sends += len(events)
	for _, e := range events {
		if _, known := l.acked[e.ID]; !known {
			l.acked[e.ID] = false
		}
	}
	l.mu.Unlock()
	out := events
	if l.noIDs {
		out = append([]sent{}, events...)
		for i := range out {
			out[i].ID = ""
		}
	}
	var a answer
	if len(out) == 1 {
		a = s.ask("POST", "/v1/track", key, out[0])
	} else {
		a = s.ask("POST", "/v1/batch", key, map[string]any{"events": out})
	}
	if a.status != http.StatusAccepted {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		l.acked[e.ID] = true
	}
	return true
}

func (l *ledger) leave(events []sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = append(l.pending, events)
}

// tally is what a comparison of a ledger and a server found.
type tally struct {
	acked   int // events acknowledged
	lost    int // of these, not there
	double  int // events there more than once
	strange int // events there that nobody sent, or not as they were sent
	unacked int // events there that weren't acknowledged
}

// compare holds rows against the ledger.
func (l *ledger) compare(rows []row) (t tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string]int{}
	for _, r := range rows {
		id := r.ID
		if l.noIDs && len(r.AnonymousID) > 2 {
			id = r.AnonymousID[2:]
		}
		found[id]++
		acked, known := l.acked[id]
		switch {
		case !known || r.AnonymousID != "v-"+id || !strings.HasPrefix(r.Properties, `{"id":"`+id+`"`) || r.Name != "first":
			t.strange++
		case found[id] == 1 && !acked:
			t.unacked++
		}
	}
	for id, n := range found {
		if _, known := l.acked[id]; known {
			t.double += n - 1
		}
	}
	for id, acked := range l.acked {
		if acked {
			t.acked++
			if found[id] == 0 {
				t.lost++
			}
		}
	}
	return t
}
