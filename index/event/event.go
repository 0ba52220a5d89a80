// Package event is the vocabulary of the house: what an event is, how events are ordered, which
// columns they have, what their limits are, and the kinds of error that callers branch on.
//
// It holds nouns and rules, no mechanism: it stores nothing, asks nothing of the network and knows
// no clock. It starts no goroutines, writes nothing to disk, and imports only the standard library,
// so every other package may speak its words.
package event

import "time"

// Project numbers a project inside one store. Numbers start at 1 and are never reused; 0 is no
// project. Clients know a project by its id (a string) instead.
type Project uint32

// Seq is the position of an event in its project's log. Positions start at 1; 0 comes before the
// first event. A Seq is also a moment: "as of n" means the events with positions up to n.
type Seq uint64

// Time is a moment in milliseconds since 1970-01-01T00:00:00Z.
type Time int64

// TimeOf cuts t to the millisecond (towards the past).
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Std returns t as a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Event is one event as it is kept. Empty strings mean "missing"; there is no other null.
// An Event is immutable once it has a Seq: readers share it without locks.
type Event struct {
	Seq  Seq  // given by the engine; 0 before
	Time Time // when it happened

	Name        string
	ID          string // the client's event_id, its idempotency key; may be missing
	AnonymousID string // the visitor; never missing
	UserID      string
	SessionID   string // never missing

	// SessionDerived says that SessionID was made from the visitor and the half-hour, not sent.
	SessionDerived bool

	URL      string // personal data already stripped
	Path     string
	Referrer string // personal data already stripped

	Source           string
	Medium           string
	Campaign         string
	SourceConfidence string // high, medium or low
	SourceRule       string // which rule of the classifier fired

	Country string // ISO 3166 alpha-2, upper case
	Device  string // desktop, mobile or tablet
	Browser string
	OS      string

	// IPHash is the HMAC of the address under the day's salt, 32 hex digits; missing where no
	// address was known. It joins within one UTC day and never across days.
	IPHash string

	// Bot is the reason why the event is held to come from a machine; missing for people.
	Bot string

	// Properties is a JSON object, white space removed, its numbers as they were written. Never
	// missing: "{}" where none were sent.
	Properties string
}

// Before reports whether e comes before f: by time, then by position in the log.
func (e *Event) Before(f *Event) bool {
	if e.Time != f.Time {
		return e.Time < f.Time
	}
	return e.Seq < f.Seq
}

// Link says that one event carried both a visitor and a user.
type Link struct {
	AnonymousID string
	UserID      string
	Time        Time
	Seq         Seq
}

// Before reports whether l comes before m in the order of events.
func (l Link) Before(m Link) bool {
	if l.Time != m.Time {
		return l.Time < m.Time
	}
	return l.Seq < m.Seq
}

// EventIdentify is the name under which a call to identify is kept.
const EventIdentify = "$identify"

// EventPageview is the name of a page view; entry and exit pages are read from these.
const EventPageview = "$pageview"
