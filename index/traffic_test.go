package index

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// traffic makes events that look like those of a shop: a visitor per 12 events with power-law
// activity, 20 names, sessions with a referrer at their beginning, about 350 bytes of JSON each.
type traffic struct {
	random   *rand.Rand
	names    []weighted
	pages    []string
	sites    []string
	visitors int
}

type weighted struct {
	text  string
	share float64
}

func newTraffic(seed uint64, visitors int) *traffic {
	t := &traffic{random: rand.New(rand.NewPCG(seed, 0x7261)), visitors: visitors}
	t.names = []weighted{{"$pageview", 69}, {"view_item", 11}, {"search", 5}, {"add_to_cart", 2.7}, {"checkout", 0.9}, {"purchase", 0.37}}
	for i := range 14 {
		t.names = append(t.names, weighted{fmt.Sprintf("custom_event_%d", i), 0.8})
	}
	for i := range 5000 {
		t.pages = append(t.pages, fmt.Sprintf("/%s/%s-%d", pick(t.random, "products", "blog", "docs", "category"), pick(t.random, "red", "blue", "great", "small"), i))
	}
	for i := range 200 {
		t.sites = append(t.sites, fmt.Sprintf("https://partner-%d.example/articles/%d", i, i*37))
	}
	return t
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (t *traffic) name() string {
	at := t.random.Float64() * 100
	for _, n := range t.names {
		if at -= n.share; at < 0 {
			return n.text
		}
	}
	return "$pageview"
}

// skewed returns a number below n, small ones much more often.
func (t *traffic) skewed(n int) int {
	f := t.random.Float64()
	return int(f * f * f * float64(n))
}

func hexDigits(r *rand.Rand) string { return fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()) }

func uuid(r *rand.Rand) string {
	h := hexDigits(r)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// day makes rows of one UTC day.
func (t *traffic) day(count int, ids bool) []Row {
	r := t.random
	var events []*event.Event
	var ordinals []uint32
	for visitor := 0; len(events) < count; visitor++ {
		// Activity falls off as a power: most visitors have a few events, some have hundreds.
		own := int(2.2 / (1e-3 + r.Float64()))
		person := t.visitor(visitor)
		at := eventtest.Start - 12*3600*1000 + event.Time(r.Int64N(20*3600*1000))
		for own > 0 && len(events) < count {
			n := min(own, 1+r.IntN(8))
			own -= n
			at = t.session(&events, person, at, n, ids)
			at += event.Time(r.Int64N(3 * 3600 * 1000))
		}
		for len(ordinals) < len(events) {
			ordinals = append(ordinals, uint32(visitor*3))
		}
	}
	return inOrderOfArrival(r, events, ordinals)
}

func (t *traffic) visitor(n int) event.Event {
	r := t.random
	e := event.Event{AnonymousID: uuid(r), IPHash: hexDigits(r)}
	e.Country = fmt.Sprintf("%c%c", 'A'+t.skewed(20), 'A'+t.skewed(3))
	e.Device, e.Browser, e.OS = pick(r, "desktop", "mobile", "mobile", "tablet"), pick(r, "chrome", "chrome", "safari", "firefox", "edge"), pick(r, "windows", "ios", "android", "macos", "linux")
	if r.IntN(20) == 0 {
		e.Bot = "crawler"
	}
	if r.Float64() < 0.15 {
		e.UserID = fmt.Sprintf("user-%d", n)
	}
	return e
}

func (t *traffic) session(events *[]*event.Event, person event.Event, at event.Time, n int, ids bool) event.Time {
	r := t.random
	session := ""
	if r.IntN(4) != 0 {
		session = fmt.Sprintf("%x-%x", int64(at), r.Uint32())
	}
	touch := pick(r, [5]string{"direct", "direct", "", "high", "direct"}, [5]string{"google", "organic", "", "medium", "ref_search"},
		[5]string{"google", "paid", fmt.Sprintf("campaign-%d", t.skewed(30)), "high", "gclid"}, [5]string{"newsletter", "email", fmt.Sprintf("week-%d", t.skewed(10)), "high", "utm"},
		[5]string{fmt.Sprintf("partner-%d.example", t.skewed(50)), "referral", "", "low", "referral"})
	referrer := pick(r, "", "https://www.google.com/", t.sites[t.skewed(len(t.sites))])
	for i := range n {
		e := person
		e.Time, e.Name = at, t.name()
		if e.SessionID = session; session == "" {
			e.SessionID, e.SessionDerived = derivedSession(e.AnonymousID, at), true
		}
		e.Path = t.pages[t.skewed(len(t.pages))]
		e.URL = "https://www.shop.example" + e.Path
		e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule = "internal", "direct", "", "high", "internal"
		e.Referrer = "https://www.shop.example/"
		if i == 0 {
			e.Source, e.Medium, e.Campaign, e.SourceConfidence, e.SourceRule = touch[0], touch[1], touch[2], touch[3], touch[4]
			e.Referrer = referrer
			if e.Campaign != "" {
				e.URL += "?utm_source=" + e.Source + "&utm_campaign=" + e.Campaign
			}
		}
		e.Properties = t.properties(e.Name)
		if ids {
			e.ID = uuid(r)
		}
		*events = append(*events, &e)
		at += event.Time(1000 + r.ExpFloat64()*40_000)
	}
	return at
}

func (t *traffic) properties(name string) string {
	r := t.random
	base := fmt.Sprintf(`"lang":%q,"screen":"%dx%d"`, pick(r, "de", "en", "en", "fr"), pick(r, 1920, 1440, 390), pick(r, 1080, 900, 844))
	switch name {
	case "purchase", "checkout", "add_to_cart":
		return fmt.Sprintf(`{%s,"amount_cents":%d,"currency":"EUR","plan":%q}`, base, 100+t.skewed(40000), pick(r, "free", "pro", "team"))
	case "search":
		return fmt.Sprintf(`{%s,"query":"%s %s","hits":%d}`, base, pick(r, "red", "blue"), pick(r, "shoe", "hat", "shirt"), t.skewed(300))
	case "$pageview":
		return fmt.Sprintf(`{%s,"load_ms":%d}`, base, 80+t.skewed(4000))
	}
	return fmt.Sprintf(`{%s,"item":"sku-%d","price":%d.%02d}`, base, t.skewed(3000), t.skewed(300), r.IntN(100))
}

// inOrderOfArrival gives positions: by time, but one event in a hundred comes late.
func inOrderOfArrival(r *rand.Rand, events []*event.Event, ordinals []uint32) []Row {
	rows := make([]Row, len(events))
	arrival, order := make([]event.Time, len(events)), make([]int, len(events))
	for i, e := range events {
		rows[i] = Row{e, ordinals[i]}
		arrival[i], order[i] = e.Time, i
		if r.IntN(100) == 0 {
			arrival[i] += event.Time(30_000 + r.Int64N(48*3600*1000))
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(arrival[a], arrival[b]) })
	for seq, i := range order {
		events[i].Seq = event.Seq(seq + 1000)
	}
	return rows
}
