package history

import (
	"fmt"
	"strconv"

	"millimetric/index/event"
)

// Event is one event, as sent and as kept. Empty strings are missing values.
type Event struct {
	Seq  uint64 // its place in the order of arrival, from 1
	Time event.Time
	// Tied says that it has the time of the event before it, which is of the same visitor: the two
	// must go into one request, lest another connection's request come between and turn them round.
	Tied bool

	Name       string
	ID         [16]byte
	Visitor    [16]byte
	User       string
	Session    string // empty where the client sends none; see SessionKept
	Page       string // path
	Query      string // of the URL, without its question mark
	Referrer   string
	Properties string

	traffic *traffic
	person  *person
	noID    bool // isn't sent
}

// host is the site that all events are of.
const host = "https://shop.example"

// URL is the address of the page.
func (e *Event) URL() string {
	if e.Query == "" {
		return host + e.Page
	}
	return host + e.Page + "?" + e.Query
}

// SessionKept is the session under which the server keeps the event.
func (e *Event) SessionKept() string {
	if e.Session != "" {
		return e.Session
	}
	return uuid(e.Visitor) + "-" + strconv.FormatInt(int64(e.Time)/1000/1800, 10)
}

// visit is one that is under way.
type visit struct {
	number  uint64
	at      event.Time // of its next event
	visitor uint32
	person  *person
	entry   *traffic
	click   uint64 // chance, for what differs between ads clicked
	left    int    // events to come
	seen    int    // events so far
	stage   stage
	item    int // what is looked at
}

// stage is how far a visit has come towards a purchase.
type stage int

const (
	browsing stage = iota
	viewed
	carted
	checking
)

// fill makes the event that the visit is at.
func (h *History) fill(v *visit) {
	e := &h.event
	*e = Event{Time: v.at, person: v.person, noID: h.shape.NoIDs}
	putBits(&e.ID, h.random.Uint64(), h.random.Uint64())
	putBits(&e.Visitor, mix(h.shape.Seed^uint64(v.visitor)), mix(h.shape.Seed+uint64(v.visitor)*3+1))
	if v.person.sendsSession {
		e.Session = strconv.FormatUint(v.number|1<<40, 36)
	}
	h.act(e, v)
	if h.member(v.visitor) {
		e.User = user(v.visitor)
	}
	e.traffic = h.world.inside
	if v.seen == 0 {
		e.traffic = v.entry
		e.Referrer, e.Query = v.entry.referrer, v.entry.query
		if v.entry.click != "" {
			e.Query = v.entry.click + "=" + strconv.FormatUint(v.click, 36) + strconv.FormatUint(mix(v.click), 36)
		}
	} else {
		e.Referrer = host + "/"
	}
	v.seen++
}

// act says what the visitor does: mostly looks at a page, now and then at an item, and of those who
// do, some fill a cart and some of them buy.
func (h *History) act(e *Event, v *visit) {
	r, w := h.random, h.world
	e.Page = w.pages[w.page.Uint64()]
	dice := r.IntN(1000)
	if v.person.joins && v.seen == 1 && !h.member(v.visitor) && dice < 500 {
		h.join(v.visitor)
		e.Name, e.Page, e.Properties = event.EventIdentify, "/login", w.plans[r.IntN(len(w.plans))]
		return
	}
	price := 190 + 100*(v.item*7919%480)
	switch {
	case v.stage == checking && dice < 150:
		v.stage = browsing
		items := 1 + r.IntN(4)
		e.Name, e.Page = "purchase", "/thanks"
		e.Properties = fmt.Sprintf(`{"amount_cents":%d,"currency":"EUR","items":%d,"item":"sku-%d"}`, price*items, items, v.item)
	case v.stage == carted && dice < 360:
		v.stage = checking
		e.Name, e.Page = "checkout", "/checkout"
		e.Properties = fmt.Sprintf(`{"amount_cents":%d,"step":%d}`, price, 1+r.IntN(3))
	case v.stage == viewed && dice < 240:
		v.stage = carted
		e.Name, e.Page = "add_to_cart", w.items[v.item]
		e.Properties = fmt.Sprintf(`{"amount_cents":%d,"item":"sku-%d","quantity":%d}`, price, v.item, 1+r.IntN(3))
	case v.seen > 0 && dice < 700 && dice >= 540:
		v.stage, v.item = max(v.stage, viewed), int(w.item.Uint64())
		e.Name, e.Page = "view_item", w.items[v.item]
		e.Properties = fmt.Sprintf(`{"item":"sku-%d","price_cents":%d,"category":%q}`, v.item, 190+100*(v.item*7919%480), categories[v.item%len(categories)])
	case v.seen > 0 && dice >= 840:
		e.Name = otherNames[dice%len(otherNames)]
		e.Properties = fmt.Sprintf(`{"target":"b%d","ms":%d}`, r.IntN(40), r.IntN(20_000))
	default:
		e.Name = event.EventPageview
		e.Properties = fmt.Sprintf(`{"lang":%q,"viewport":%q,"load_ms":%d,"title":"Page %s"}`, v.person.language, v.person.viewport, 80+r.IntN(900), e.Page)
	}
}
