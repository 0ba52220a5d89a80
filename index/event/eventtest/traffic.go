package eventtest

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"

	"millimetric/index/event"
)

// Traffic makes page views and purchases as a busy shop sends them, for measuring: about 350 bytes of
// JSON each, with an id of its own, and one visitor in twelve new. It makes them fast, as it runs
// beside what is measured. The zero value is of no use; call NewTraffic.
type Traffic struct {
	random *rand.Rand
	clock  event.Time
	each   int // events of a millisecond
	made   int
	recent [recentVisits]visit
	visits int // of recent that are filled
	body   [128]byte
}

// recentVisits is among how many visits the events go on.
const recentVisits = 4096

type visit struct{ visitor, session, key uint64 }

// NewTraffic returns a source of events from a moment on, of which so many share a millisecond.
func NewTraffic(seed uint64, from event.Time, each int) *Traffic {
	return &Traffic{random: rand.New(rand.NewPCG(seed, 0x74726166666963)), clock: from, each: max(each, 1)}
}

// hit is one event on its way.
type hit struct {
	visit
	time event.Time
	roll uint64 // decides on all else
}

func (t *Traffic) next() hit {
	r := t.random
	if t.made%t.each == 0 {
		t.clock++
	}
	t.made++
	roll := r.Uint64()
	if t.visits == 0 || roll%12 == 0 {
		v := visit{r.Uint64(), r.Uint64(), r.Uint64()}
		if t.visits < recentVisits {
			t.recent[t.visits] = v
			t.visits++
		} else {
			t.recent[r.Uint32()%recentVisits] = v
		}
		return hit{v, t.clock, roll >> 32}
	}
	// The product of two even rolls favours some visits: most have few events, some have many.
	at := uint64(t.visits) * (roll >> 8 & 0xfff) / 0x1000 * (roll >> 20 & 0xfff) / 0x1000
	return hit{t.recent[at], t.clock, roll >> 32}
}

var trafficReferrers = []string{
	"", "", "https://www.google.com/", "https://www.google.com/", "https://t.co/x1", "https://news.example.org/a",
	"https://shop.example/products/7", "https://www.facebook.com/",
}

var trafficTags = []string{"", "", "", "", "", "", "", "", "", "", "", "?utm_source=newsletter&utm_medium=email", "?utm_source=google&utm_medium=cpc&utm_campaign=spring"}

// AppendBatch appends the JSON of a batch of n events to dst.
func (t *Traffic) AppendBatch(dst []byte, n int) []byte {
	dst = append(dst, `{"events":[`...)
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = t.AppendJSON(dst)
	}
	return append(dst, `]}`...)
}

// AppendJSON appends the JSON of the next event to dst.
func (t *Traffic) AppendJSON(dst []byte) []byte {
	h := t.next()
	name := "$pageview"
	if h.roll%16 == 0 {
		name = "add_to_cart"
	}
	dst = append(append(dst, `{"event":"`...), name...)
	dst = t.appendEventID(append(dst, `","event_id":"`...), h)
	dst = append(dst, `","timestamp":"`...)
	dst = h.time.Std().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = appendUUID(append(dst, `","anonymous_id":"`...), h.visitor, h.key)
	dst = append(dst, `","session_id":"s-`...)
	dst = strconv.AppendUint(dst, h.session>>24, 36)
	dst = append(dst, `","url":"`...)
	dst = h.appendURL(dst)
	if referrer := trafficReferrers[h.roll>>4%8]; referrer != "" {
		dst = append(append(dst, `","referrer":"`...), referrer...)
	}
	dst = append(dst, `","properties":`...)
	return append(h.appendProperties(dst), '}')
}

func (h hit) appendURL(dst []byte) []byte {
	dst = append(dst, "https://shop.example/products/"...)
	// The product of rolls favours some pages: few are seen all the time, many now and then.
	dst = strconv.AppendUint(dst, (h.roll>>7%16+1)*(h.roll>>11%4+1)*(h.roll>>13%4+1), 10)
	return append(dst, trafficTags[h.roll>>20%64%uint64(len(trafficTags))]...)
}

func (h hit) appendProperties(dst []byte) []byte {
	dst = append(dst, `{"plan":"`...)
	dst = append(append(dst, [...]string{"free", "pro", "team"}[h.roll>>18%3]...), `","price_cents":`...)
	dst = strconv.AppendUint(dst, h.roll>>10%10_000, 10)
	return append(dst, `,"lang":"en-GB","in_stock":true}`...)
}

// appendUUID appends the text of a UUID.
func appendUUID(dst []byte, a, b uint64) []byte {
	var plain [16]byte
	for i := range 8 {
		plain[i], plain[8+i] = byte(a>>(8*(7-i))), byte(b>>(8*(7-i)))
	}
	plain[6], plain[8] = plain[6]&0x0f|0x70, plain[8]&0x3f|0x80
	for i, part := range [][]byte{plain[:4], plain[4:6], plain[6:8], plain[8:10], plain[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// Event makes the next event as the collector would have finished it.
func (t *Traffic) Event() event.Event {
	h := t.next()
	touch := touches[h.roll>>16%uint64(len(touches))]
	e := event.Event{
		Time: h.time, Name: "$pageview", SessionID: "s-" + strconv.FormatUint(h.session>>24, 36),
		Referrer: trafficReferrers[h.roll>>4%8],
		Source:   touch[0], Medium: touch[1], SourceConfidence: touch[2], SourceRule: touch[3],
		Country: countries[h.visitor%5], Device: devices[h.visitor>>8%4], Browser: browsers[h.visitor>>16%5], OS: systems[h.visitor>>24%5],
	}
	e.URL = string(h.appendURL(t.body[:0]))
	e.Path, _, _ = strings.Cut(e.URL[len("https://shop.example"):], "?")
	e.ID = string(t.appendEventID(t.body[:0], h))
	e.AnonymousID = string(appendUUID(t.body[:0], h.visitor, h.key))
	e.Properties = string(h.appendProperties(t.body[:0]))
	return e
}

// appendEventID appends an id that no other event has.
func (t *Traffic) appendEventID(dst []byte, h hit) []byte {
	return appendUUID(dst, h.roll<<32|uint64(t.made)&0xffffffff, h.key^uint64(t.made)*0x9e3779b97f4a7c15)
}

// Events makes the next n events.
func (t *Traffic) Events(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = t.Event()
	}
	return events
}
