// Package eventtest makes events for tests and benchmarks: the same seed gives the same events.
//
// It is no model of anyone's traffic; it is shaped like traffic (few names, power-law visitors,
// some late, some equal in time, some identified, some bots) so that tests meet the hard cases
// often. It starts no goroutines and writes nothing to disk.
package eventtest

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"millimetric/index/event"
)

// Gen makes events. The zero value is of no use; call New.
type Gen struct {
	random   *rand.Rand
	visitors int
	clock    event.Time
	step     int
	made     int
}

// Start is the time of the first events that a Gen makes: 2026-03-27T12:00:00Z, two days before
// Europe's clocks change.
const Start event.Time = 1774612800000

// New returns a generator of events by about the given number of visitors, step milliseconds
// apart on average.
func New(seed uint64, visitors, step int) *Gen {
	return &Gen{
		random:   rand.New(rand.NewPCG(seed, 0x6d696c6c69)),
		visitors: max(visitors, 1), clock: Start, step: max(step, 1),
	}
}

var (
	names     = []string{"$pageview", "$pageview", "$pageview", "$pageview", "view_item", "add_to_cart", "signup", "purchase"}
	paths     = []string{"/", "/pricing", "/docs", "/docs/api", "/blog/one", "/blog/two", "/über", "/cart"}
	countries = []string{"DE", "US", "US", "IN", "BR", ""}
	devices   = []string{"desktop", "mobile", "mobile", "tablet", ""}
	browsers  = []string{"chrome", "chrome", "safari", "firefox", "edge", ""}
	systems   = []string{"windows", "ios", "android", "macos", "linux", ""}
	touches   = [][4]string{
		{"direct", "direct", "high", "direct"}, {"google", "organic", "medium", "ref_search"},
		{"google", "paid", "high", "gclid"}, {"facebook", "social", "medium", "ref_facebook"},
		{"example.org", "referral", "low", "referral"}, {"internal", "direct", "high", "internal"},
	}
)

// Event makes the next event; it has no Seq yet. About one in sixteen is late by up to two days,
// one in eight has the time of the event before it, one in seven carries a user, one in twenty is
// a bot's.
func (g *Gen) Event() event.Event {
	r := g.random
	g.made++
	if r.IntN(8) != 0 {
		g.clock += event.Time(1 + r.IntN(2*g.step))
	}
	e := event.Event{Time: g.clock, Name: pick(r, names), Properties: g.properties()}
	if r.IntN(16) == 0 {
		e.Time -= event.Time(30_000 + r.IntN(48*3600*1000))
	}
	visitor := int(float64(g.visitors) * r.Float64() * r.Float64())
	e.AnonymousID = "v" + strconv.Itoa(visitor)
	if r.IntN(7) == 0 {
		e.UserID = "u" + strconv.Itoa(visitor/3+r.IntN(2))
	}
	if r.IntN(3) == 0 {
		e.SessionID = "s" + strconv.Itoa(r.IntN(4))
	} else {
		e.SessionID, e.SessionDerived = e.AnonymousID+"-"+strconv.FormatInt(int64(e.Time)/1000/1800, 10), true
	}
	g.dress(&e)
	return e
}

// dress fills in what the collector would have found out.
func (g *Gen) dress(e *event.Event) {
	r := g.random
	if r.IntN(5) != 0 {
		e.Path = pick(r, paths)
		e.URL = "https://shop.example" + e.Path
	}
	if r.IntN(4) == 0 {
		e.Referrer = "https://www.google.com/"
	}
	touch := pick(r, touches)
	e.Source, e.Medium, e.SourceConfidence, e.SourceRule = touch[0], touch[1], touch[2], touch[3]
	if r.IntN(4) == 0 {
		e.Campaign = "c" + strconv.Itoa(r.IntN(3))
	}
	e.Country, e.Device = pick(r, countries), pick(r, devices)
	e.Browser, e.OS = pick(r, browsers), pick(r, systems)
	if r.IntN(20) == 0 {
		e.Bot = "crawler"
	}
	if r.IntN(4) == 0 {
		e.ID = fmt.Sprintf("evt-%d-%d", g.made, r.IntN(1<<30))
	}
}

// properties makes a small JSON object, at times an empty one.
func (g *Gen) properties() string {
	r := g.random
	switch r.IntN(6) {
	case 0:
		return fmt.Sprintf(`{"amount_cents":%d,"currency":"EUR"}`, r.IntN(20000))
	case 1:
		return fmt.Sprintf(`{"plan":%q,"seats":%d.50,"trial":%t}`, pick(r, []string{"free", "pro", "team"}), r.IntN(9), r.IntN(2) == 0)
	case 2:
		return fmt.Sprintf(`{"tags":["a","b%d"],"nested":{"deep":%d},"nothing":null}`, r.IntN(3), r.IntN(5))
	}
	return "{}"
}

// Events makes the next n events.
func (g *Gen) Events(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = g.Event()
	}
	return events
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }
