package history

import (
	"bytes"
	"time"
)

// Replay sends a stretch of history again and again, each time as other events of other visitors that
// happen now. That costs the sender a tenth of what it takes to make new events, so that on one machine
// with the server it doesn't measure itself.
//
// One in twelve visitors is new, as in the history: each round has its own visitors, who come back
// within it.
type Replay struct {
	bodies []replayBody
	round  uint64 // chance that makes this round's ids and visitors
	next   int
	Bytes  int // of an event, on average
}

type replayBody struct {
	text   []byte
	events []replayEvent
}

// replayEvent is where an event has what changes.
type replayEvent struct {
	id, visitor, stamp int
	session            int // 0 where none is sent
	who                uint64
	visit              uint64
}

// The places that change are found by the names before them, and have one length.
const (
	uuidDigits    = 36
	sessionDigits = 8 // the last of a session's name, which has no more
)

// NewReplay takes the events of a history into bodies of size events, singly where size is 0.
func NewReplay(h *History, size int, seed uint64) *Replay {
	r := &Replay{round: mix(seed)}
	total, count := 0, 0
	batches := Batches(h)
	for {
		text, n := batches.Append(nil, max(size, 1))
		if n == 0 {
			break
		}
		if size == 0 {
			text = text[len(`{"events":[`) : len(text)-len(`]}`)]
		}
		r.bodies = append(r.bodies, replayBody{text: text, events: places(text)})
		total, count = total+len(text), count+n
	}
	r.Bytes = total / max(count, 1)
	return r
}

// places finds what changes in the events of a body.
func places(text []byte) []replayEvent {
	var list []replayEvent
	const first = `{"event":"`
	for at := bytes.Index(text, []byte(first)); at >= 0; {
		end := bytes.Index(text[at+1:], []byte(first))
		part := text[at:]
		if end >= 0 {
			part = text[at : at+1+end]
		}
		find := func(name string) int {
			i := bytes.Index(part, []byte(`"`+name+`":"`))
			if i < 0 {
				return 0
			}
			return at + i + len(name) + 4
		}
		e := replayEvent{id: find("event_id"), visitor: find("anonymous_id"), stamp: find("timestamp"), session: find("session_id")}
		e.who = hash(text[e.visitor : e.visitor+uuidDigits])
		if e.session > 0 {
			e.visit = hash(text[e.session : e.session+sessionDigits])
		}
		list = append(list, e)
		if end < 0 {
			break
		}
		at += 1 + end
	}
	return list
}

func hash(text []byte) uint64 {
	sum := uint64(14695981039346656037)
	for _, c := range text {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return mix(sum)
}

// Next makes the next body, valid until the one after it is made, and says how many events it has.
func (r *Replay) Next(now time.Time) ([]byte, int) {
	if r.next == len(r.bodies) {
		r.next, r.round = 0, mix(r.round)
	}
	b := &r.bodies[r.next]
	r.next++
	stamp := now.UTC().AppendFormat(make([]byte, 0, 64), timeLayout)
	var id [16]byte
	for i := range b.events {
		e := &b.events[i]
		place := uint64(r.next)<<20 | uint64(i)
		putBits(&id, mix(r.round^place), mix(r.round+place*3+1))
		appendUUID(b.text[e.id:e.id], id)
		putBits(&id, mix(r.round^e.who), mix(r.round+e.who*3+1))
		appendUUID(b.text[e.visitor:e.visitor], id)
		copy(b.text[e.stamp:], stamp)
		if e.session > 0 {
			visit := mix(r.round ^ e.visit)
			for k := range sessionDigits {
				b.text[e.session+k] = digits[visit>>(4*k)&15]
			}
		}
	}
	return b.text, len(b.events)
}
