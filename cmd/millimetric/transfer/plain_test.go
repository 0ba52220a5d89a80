package transfer

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"millimetric/engine"
	"millimetric/index/event"
)

// plain is a project as it should be, kept and asked as slowly and plainly as can be: a list of the events
// that are kept, and who was erased when. What it knows of the rules, it has from the page that says what
// erasing means.
type plain struct {
	events []event.Event // by position, without those of erased persons
	floor  event.Time    // the retention window begins there
	last   event.Seq
	late   map[plainWho]event.Time // what is dated before isn't kept
}

// plainWho is somebody who was erased: a user, a visitor with all events, or a visitor with those that name
// no user.
type plainWho struct{ kind, id string }

func (p *plain) append(events []event.Event) {
	for _, e := range events {
		if p.isLate(&e) {
			continue
		}
		p.last++
		e.Seq = p.last
		p.events = append(p.events, e)
	}
}

func (p *plain) isLate(e *event.Event) bool {
	if e.UserID != "" && e.Time < p.late[plainWho{"user", e.UserID}] {
		return true
	}
	return e.Time < p.late[plainWho{"visitor", e.AnonymousID}] || e.UserID == "" && e.Time < p.late[plainWho{"device", e.AnonymousID}]
}

// first returns the user of a visitor's first link, "" where it has none.
func (p *plain) first(visitor string) (user string) {
	var link event.Event
	for _, e := range p.events {
		if e.AnonymousID == visitor && e.UserID != "" && e.Time >= p.floor && (user == "" || e.Before(&link)) {
			link, user = e, e.UserID
		}
	}
	return user
}

func (p *plain) isOf(e *event.Event, who engine.Person) bool {
	switch {
	case who.UserID == "":
		return e.AnonymousID == who.AnonymousID
	case e.UserID != "":
		return e.UserID == who.UserID
	}
	return p.first(e.AnonymousID) == who.UserID
}

// of returns the events that are somebody's, in the order of events.
func (p *plain) of(who engine.Person) (found []event.Event) {
	for _, e := range p.events {
		if e.Time >= p.floor && p.isOf(&e, who) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b event.Event) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq)) })
	return found
}

// erase takes somebody's events. What comes later and is dated before at isn't kept; of visitors whose events
// belonged to the user, nor is what names no user and is dated before devices.
func (p *plain) erase(who engine.Person, at, devices event.Time) {
	if who.UserID == "" {
		p.late[plainWho{"visitor", who.AnonymousID}] = at
	} else {
		p.late[plainWho{"user", who.UserID}] = at
		for _, e := range p.events {
			if p.first(e.AnonymousID) == who.UserID {
				p.late[plainWho{"device", e.AnonymousID}] = devices
			}
		}
	}
	theirs := map[event.Seq]bool{}
	for _, e := range p.events {
		theirs[e.Seq] = p.isOf(&e, who)
	}
	p.events = slices.DeleteFunc(p.events, func(e event.Event) bool { return theirs[e.Seq] })
}

// plainEvent and plainThing are lines of an answer.
type plainEvent struct {
	Kind             string  `json:"kind"`
	Timestamp        string  `json:"timestamp"`
	Name             string  `json:"event_name"`
	ID               *string `json:"event_id"`
	AnonymousID      string  `json:"anonymous_id"`
	UserID           *string `json:"user_id"`
	SessionID        string  `json:"session_id"`
	Source           string  `json:"source"`
	Medium           string  `json:"medium"`
	Campaign         *string `json:"campaign"`
	SourceConfidence string  `json:"source_confidence"`
	SourceRule       string  `json:"source_rule_id"`
	Referrer         *string `json:"referrer"`
	URL              *string `json:"url"`
	Path             *string `json:"path"`
	Country          string  `json:"country"`
	Device           string  `json:"device_type"`
	Browser          string  `json:"browser"`
	OS               string  `json:"os"`
	Properties       string  `json:"properties"`
	Bot              *string `json:"bot"`
	IPHash           *string `json:"ip_hash"`
	SessionDerived   bool    `json:"session_derived"`
	Seq              uint64  `json:"seq"`
}

type plainThing struct {
	Kind        string `json:"kind"`
	AnonymousID string `json:"anonymous_id,omitzero"`
	UserID      string `json:"user_id,omitzero"`
	SessionID   string `json:"session_id,omitzero"`
	Source      string `json:"source,omitzero"`
	Medium      string `json:"medium,omitzero"`
	Campaign    string `json:"campaign,omitzero"`
	Path        string `json:"path,omitzero"`
	Country     string `json:"country,omitzero"`
	Device      string `json:"device_type,omitzero"`
	Browser     string `json:"browser,omitzero"`
	OS          string `json:"os,omitzero"`
	First       string `json:"first"`
	Last        string `json:"last"`
	Events      int    `json:"events"`
	Linked      *bool  `json:"linked,omitzero"`
}

type plainEnd struct {
	Kind    string `json:"kind"`
	AsOf    uint64 `json:"as_of,string"`
	Events  int    `json:"events"`
	Links   int    `json:"links"`
	Devices int    `json:"devices"`
	Visits  int    `json:"visits"`
	Whole   bool   `json:"sums_whole"`
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// subject is the answer about somebody.
func (p *plain) subject(t *testing.T, who engine.Person) string {
	t.Helper()
	var out strings.Builder
	line := func(value any) {
		text, err := jsonv2.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	events := p.of(who)
	for _, e := range events {
		line(plainEvent{
			Kind: "event", Timestamp: stamp(e.Time), Name: e.Name, ID: orNull(e.ID), AnonymousID: e.AnonymousID, UserID: orNull(e.UserID), SessionID: e.SessionID,
			Source: e.Source, Medium: e.Medium, Campaign: orNull(e.Campaign), SourceConfidence: e.SourceConfidence, SourceRule: e.SourceRule,
			Referrer: orNull(e.Referrer), URL: orNull(e.URL), Path: orNull(e.Path), Country: e.Country, Device: e.Device, Browser: e.Browser, OS: e.OS,
			Properties: e.Properties, Bot: orNull(e.Bot), IPHash: orNull(e.IPHash), SessionDerived: e.SessionDerived, Seq: uint64(e.Seq),
		})
	}
	end := plainEnd{Kind: "end", AsOf: uint64(p.last), Events: len(events), Whole: true}
	for _, kind := range []struct {
		name  string
		count *int
		same  func(e event.Event) (plainThing, bool)
	}{
		{"link", &end.Links, func(e event.Event) (plainThing, bool) {
			return plainThing{AnonymousID: e.AnonymousID, UserID: e.UserID}, e.UserID != ""
		}},
		{"device", &end.Devices, func(e event.Event) (plainThing, bool) { return plainThing{AnonymousID: e.AnonymousID}, true }},
		{"visit", &end.Visits, func(e event.Event) (plainThing, bool) {
			return plainThing{AnonymousID: e.AnonymousID, SessionID: e.SessionID}, true
		}},
	} {
		things := p.things(events, kind.same)
		for _, thing := range things {
			thing.Kind = kind.name
			if kind.name == "device" {
				linked := who.UserID == "" || p.first(thing.AnonymousID) == who.UserID
				thing.Linked = &linked
			}
			line(thing)
		}
		*kind.count = len(things)
	}
	line(end)
	return out.String()
}

// things sums up events that are the same thing's, sorted by what names it.
func (p *plain) things(events []event.Event, same func(event.Event) (plainThing, bool)) (all []plainThing) {
	for _, e := range events {
		key, counts := same(e)
		if !counts {
			continue
		}
		at := slices.IndexFunc(all, func(o plainThing) bool {
			return o.AnonymousID == key.AnonymousID && o.UserID == key.UserID && o.SessionID == key.SessionID
		})
		if at < 0 {
			at = len(all)
			key.First = stamp(e.Time)
			if key.SessionID != "" {
				key.Source, key.Medium, key.Campaign, key.Path = e.Source, e.Medium, e.Campaign, e.Path
				key.Country, key.Device, key.Browser, key.OS = e.Country, e.Device, e.Browser, e.OS
			}
			all = append(all, key)
		}
		all[at].Last = stamp(e.Time)
		all[at].Events++
	}
	slices.SortFunc(all, func(a, b plainThing) int {
		return cmp.Or(strings.Compare(a.AnonymousID, b.AnonymousID), strings.Compare(a.UserID, b.UserID), strings.Compare(a.SessionID, b.SessionID))
	})
	return all
}

func stamp(at event.Time) string { return at.Std().UTC().Format("2006-01-02T15:04:05.000Z") }
