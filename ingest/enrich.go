package ingest

import (
	"fmt"
	"net/netip"

	"millimetric/index/event"
	"millimetric/ingest/privacy"
)

const (
	dayMS      = 24 * 60 * 60 * 1000
	halfHourMS = 30 * 60 * 1000
)

// enricher adds to the drafts of one request what the server knows. The events of a batch share
// most of it, so it remembers: a salt per day, and what addresses and the last agent came to.
type enricher struct {
	pipeline *Pipeline
	reader   *reader
	caller   *Caller
	many     bool // a batch
	now      event.Time
	salts    map[int64][32]byte // by day, where there are several; asked for once each
	salt     [32]byte           // of the last day, where salted
	day      int64
	salted   bool
	place    place
	device   device
}

// place is what an address came to on a day.
type place struct {
	addr    netip.Addr
	day     int64
	country string
	hash    string
}

// placeMemo holds the places of one request, since in a batch the visitors of a moment come again
// and again. An address has one slot, by its last byte, and loses it to the next one.
type placeMemo struct {
	slots [256]place
	used  bool
}

func (m *placeMemo) slot(addr netip.Addr) *place {
	m.used = true
	bytes := addr.As16()
	return &m.slots[bytes[15]]
}

// forget forgets all places: no address may outlive its request.
func (m *placeMemo) forget() {
	if m.used {
		*m = placeMemo{}
	}
}

// device is what an agent came to.
type device struct {
	text  string
	known bool
	agent privacy.Agent
}

// enrich fills in the event.
func (en *enricher) enrich(e *event.Event, d *draft) error {
	at := en.now
	if d.timed {
		at = d.time
	}
	// A server's own connection says nothing about the visitor.
	addr, agent := en.caller.Addr.Unmap(), en.caller.Agent
	if en.caller.Server {
		addr, agent = d.addr, d.agent
	}
	day := int64(at) / dayMS
	if err := en.placeOf(addr, day); err != nil {
		return err
	}
	visitor, err := en.visitorOf(d, addr, agent, day)
	if err != nil {
		return err
	}
	v, owned := en.visitOf(d)
	machine := en.deviceOf(agent, v.spam)
	en.stripProperties(d)
	*e = event.Event{
		Time: at,
		Name: d.name, ID: d.id, AnonymousID: visitor, UserID: d.userID,
		SessionID: d.sessionID, SessionDerived: d.sessionID == "",
		URL: v.url, Path: v.path, Referrer: v.referrer,
		Source: v.source, Medium: v.medium, Campaign: v.campaign,
		SourceConfidence: v.confidence, SourceRule: v.rule,
		Country: en.place.country, IPHash: en.place.hash,
		Device: machine.Device, Browser: machine.Browser, OS: machine.OS, Bot: machine.Bot,
	}
	if en.caller.Private {
		forgetVisitor(e)
	}
	en.reader.owner.own(e, d, owned)
	return nil
}

// visitOf returns the visit of a draft; owned says that it shares no memory with the draft. One that is private
// isn't remembered: the memo would hold what the event may not.
func (en *enricher) visitOf(d *draft) (v *visit, owned bool) {
	if d.visit != nil {
		return &d.visit.visit, true
	}
	var made visit
	if en.caller.Private {
		made = newVisit(&en.caller.Site, d)
	} else {
		made, owned = en.reader.visits.visitOf(&en.caller.Site, d)
	}
	return &made, owned
}

// stripProperties takes out of the properties what they must not keep.
func (en *enricher) stripProperties(d *draft) {
	if d.propertiesBytes <= len("{}") {
		return
	}
	clean := en.reader.properties.Strip(d.properties, privacy.PropertyOptions{
		Allowed: en.caller.Site.AllowedProperties, Person: d.name == event.EventIdentify, Private: en.caller.Private,
	})
	if len(clean) == len(d.properties) && clean == d.properties {
		return
	}
	d.properties = clean
	d.propertiesBytes = outlineOf([]byte(clean)).bytes
}

// visitorOf returns the visitor that was sent, else one that the server makes:
//
//  1. of a known user: the same for the same user, so that a server that knows only its users does
//     not see each of their events as another visitor;
//  2. of a known address, where a server speaks for a visitor or the site keeps no ids: the same
//     for one UTC day of the event's time;
//  3. else one that occurs once. Without an address, a visitor of the day would be all the world.
func (en *enricher) visitorOf(d *draft, addr netip.Addr, agent string, day int64) (string, error) {
	site := &en.caller.Site
	switch {
	case d.anonymousID != "":
		return d.anonymousID, nil
	case d.userID != "":
		return privacy.UserVisitor(site.Key, d.userID), nil
	case addr.IsValid() && (en.caller.Server || site.Cookieless) && !en.caller.Private:
		salt, err := en.saltOf(day)
		if err != nil {
			return "", err
		}
		return privacy.DayVisitor(salt, addr, agent), nil
	}
	return privacy.RandomVisitor(), nil
}

// placeOf sets place to the country and the hash of an address, both missing where it is.
func (en *enricher) placeOf(addr netip.Addr, day int64) error {
	if !addr.IsValid() {
		en.place = place{}
		return nil
	}
	if en.place.addr == addr && en.place.day == day {
		return nil
	}
	var slot *place
	if en.many {
		if slot = en.reader.places.slot(addr); slot.addr == addr && slot.day == day {
			en.place = *slot
			return nil
		}
	}
	salt, err := en.saltOf(day)
	if err != nil {
		return err
	}
	en.place = place{addr: addr, day: day, country: privacy.Country(addr), hash: privacy.IPHash(salt, addr)}
	if slot != nil {
		*slot = en.place
	}
	return nil
}

// saltOf returns the salt of a day of event time.
func (en *enricher) saltOf(day int64) ([32]byte, error) {
	if en.salted && en.day == day {
		return en.salt, nil
	}
	salt, ok := en.salts[day]
	if !ok {
		var err error
		if salt, err = en.pipeline.salts.Salt(en.caller.Site.Project, day, en.caller.Import); err != nil {
			return salt, fmt.Errorf("read salt of day %d: %w", day, err)
		}
	}
	if en.salted && en.salts == nil { // most requests are about one day and need no map
		en.salts = map[int64][32]byte{en.day: en.salt}
	}
	if en.salts != nil {
		en.salts[day] = salt
	}
	en.salt, en.day, en.salted = salt, day, true
	return salt, nil
}

// deviceOf returns what an agent says about the device, and why it is held to be a machine's if it
// is. A server that passes no agent on has said nothing; a browser that sends none is no browser.
func (en *enricher) deviceOf(agent string, spam bool) privacy.Agent {
	if agent == "" && en.caller.Server {
		return privacy.Agent{}
	}
	if !en.device.known || en.device.text != agent {
		en.device = device{text: agent, known: true, agent: en.pipeline.agents.Parse(agent)}
	}
	found := en.device.agent
	if found.Bot == "" && spam {
		found.Bot = privacy.BotReferrerSpam
	}
	return found
}
