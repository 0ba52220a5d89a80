package ingest

import (
	"fmt"
	"net/netip"
	"strings"

	"millimetric/index/event"
	"millimetric/ingest/classify"
	"millimetric/ingest/privacy"
)

const (
	dayMS      = 24 * 60 * 60 * 1000
	halfHourMS = 30 * 60 * 1000
)

// enricher adds to the drafts of one request what the server knows. The events of a batch share
// most of it, so it remembers: a salt per day, and what the last address and the last device came to.
type enricher struct {
	pipeline *Pipeline
	caller   *Caller
	now      event.Time
	salts    map[int64][32]byte // by day; asked for once each
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

// device is what an agent and a referrer came to.
type device struct {
	text, referrer string
	known          bool
	agent          privacy.Agent
}

// enrich makes the event. The source is read from the URLs as they were sent, because what is
// stripped from them may tell it; they are stripped before they get into the event.
func (en *enricher) enrich(d *draft) (event.Event, error) {
	at := en.now
	if d.timed {
		at = d.time
	}
	// A server's own connection says nothing about the visitor.
	addr, agent := en.caller.Addr.Unmap(), en.caller.Agent
	if en.caller.Server {
		addr, agent = d.addr, d.agent
	}
	where, err := en.placeOf(addr, int64(at)/dayMS)
	if err != nil {
		return event.Event{}, err
	}
	visitor, err := en.visitorOf(d, addr, agent, int64(at)/dayMS)
	if err != nil {
		return event.Event{}, err
	}
	touch := classify.Classify(classify.Input{
		URL: d.url, Referrer: d.referrer, InternalHosts: en.caller.Site.InternalHosts,
	})
	machine := en.deviceOf(agent, d.referrer)
	url, path := strippedPlace(d)
	e := event.Event{
		Time: at,
		Name: d.name, ID: d.id, AnonymousID: visitor, UserID: d.userID,
		SessionID: d.sessionID, SessionDerived: d.sessionID == "",
		URL: url, Path: path, Referrer: privacy.StripURL(d.referrer),
		Source: label(touch.Source), Medium: label(touch.Medium), Campaign: label(touch.Campaign),
		SourceConfidence: touch.Confidence, SourceRule: touch.Rule,
		Country: where.country, IPHash: where.hash,
		Device: machine.Device, Browser: machine.Browser, OS: machine.OS, Bot: machine.Bot,
	}
	own(&e, d)
	return e, nil
}

// label cleans what comes from a utm parameter. Mailing tools put e-mail addresses there: what the
// URL may not keep must not come back as its source. And unescaping can make the one character that
// no text of an event may hold.
func label(text string) string {
	if strings.IndexByte(text, '@') >= 0 {
		text = privacy.StripURL(text)
	}
	return strings.ReplaceAll(text, "\x00", "\uFFFD")
}

// strippedPlace returns the URL and the path, that of the URL where none was sent, without personal
// data.
func strippedPlace(d *draft) (url, path string) {
	url = privacy.StripURL(d.url)
	if d.path != "" || d.url == "" {
		return url, privacy.StripURL(d.path)
	}
	path = d.page.Path
	if path == "" {
		path = "/"
	}
	if url == d.url {
		return url, path // nothing was in the URL, so nothing is in its path
	}
	return url, privacy.StripURL(path)
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
	case addr.IsValid() && (en.caller.Server || site.Cookieless):
		salt, err := en.saltOf(day)
		if err != nil {
			return "", err
		}
		return privacy.DayVisitor(salt, addr, agent), nil
	}
	return privacy.RandomVisitor(), nil
}

// placeOf returns the country and the hash of an address, both missing where it is.
func (en *enricher) placeOf(addr netip.Addr, day int64) (place, error) {
	if !addr.IsValid() {
		return place{}, nil
	}
	if en.place.addr == addr && en.place.day == day {
		return en.place, nil
	}
	salt, err := en.saltOf(day)
	if err != nil {
		return place{}, err
	}
	en.place = place{addr: addr, day: day, country: privacy.Country(addr), hash: privacy.IPHash(salt, addr)}
	return en.place, nil
}

// saltOf returns the salt of a day of event time.
func (en *enricher) saltOf(day int64) ([32]byte, error) {
	if salt, ok := en.salts[day]; ok {
		return salt, nil
	}
	salt, err := en.pipeline.salts.Salt(en.caller.Site.Project, day, en.caller.Import)
	if err != nil {
		return salt, fmt.Errorf("read salt of day %d: %w", day, err)
	}
	if en.salts == nil {
		en.salts = map[int64][32]byte{}
	}
	en.salts[day] = salt
	return salt, nil
}

// deviceOf returns what an agent says about the device, and why it is held to be a machine's if it
// is. A server that passes no agent on has said nothing; a browser that sends none is no browser.
func (en *enricher) deviceOf(agent, referrer string) privacy.Agent {
	if agent == "" && en.caller.Server {
		return privacy.Agent{}
	}
	if en.device.known && en.device.text == agent && en.device.referrer == referrer {
		return en.device.agent
	}
	found := en.pipeline.agents.Parse(agent)
	if found.Bot == "" && referrer != "" {
		if u, ok := event.SplitURL(referrer); ok && privacy.SpamReferrer(u.Host) {
			found.Bot = privacy.BotReferrerSpam
		}
	}
	en.device = device{text: agent, referrer: referrer, known: true, agent: found}
	return found
}
