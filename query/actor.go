package query

import (
	"slices"

	"millimetric/index/event"
)

// actors gives numbers to those who act. Those of visitors are their ordinals, which are dense in the
// whole project; the others are dense in the question.
type actors struct {
	kind     Actor
	users    *numbering[string]
	userOf   codeMemo        // by code of a user: its number plus two, or one for no user
	names    *sessionNumbers // of sessions; one name may be used by several visitors
	sessions *numbering[uint64]
	memo     codeMemo          // by session of the segment at hand: its number plus one
	personOf map[uint32]uint32 // the person of each visitor met without a user
	links    map[string]event.Link
}

// actors prepares the numbering of the question's actors. For persons it reads the links of the
// whole history up to the position, bots' too: a link acts on events on both sides of it. What is too
// old to be shown links nobody, as if it had never been sent.
func (r *run) actors() (*actors, error) {
	a := &actors{
		kind: r.common.Actor, users: newNumbering[string](),
		names: newSessionNumbers(), sessions: newNumbering[uint64](),
	}
	if a.kind != ActorPerson {
		return a, nil
	}
	a.personOf, a.links = map[uint32]uint32{}, map[string]event.Link{}
	floor := linkFloor(r.source)
	r.reads(event.TimeMin, event.TimeMax+1)
	return a, r.source.Links(func(l event.Link) bool {
		if l.Seq > r.asOf || l.Time < floor {
			return true
		}
		if first, ok := a.links[l.AnonymousID]; !ok || l.Before(first) {
			a.links[l.AnonymousID] = l
		}
		return true
	})
}

// number returns the actor of an event; ok is false where it has none.
func (a *actors) number(e *scanRow) (number uint32, ok bool) {
	switch a.kind {
	case ActorUser:
		return a.user(e)
	case ActorPerson:
		return a.person(e), true
	case ActorSession:
		return a.session(e), true
	}
	return e.visitor, true
}

// noUser stands in the memo for a code that means no user.
const noUser = 1

func (a *actors) user(e *scanRow) (number uint32, ok bool) {
	if e.live != nil {
		if e.live.UserID == "" {
			return 0, false
		}
		return a.users.number(e.live.UserID), true
	}
	slot := a.userOf.slot(e.view.sealed, e.code(colUser))
	if *slot == 0 {
		*slot = noUser
		if user := e.user(); user != "" {
			*slot = a.users.number(user) + noUser + 1
		}
	}
	return *slot - noUser - 1, *slot != noUser
}

func (a *actors) session(e *scanRow) uint32 {
	if e.live != nil {
		return a.sessions.number(pair(e.visitor, a.names.number(e)))
	}
	slot := a.memo.slot(e.view.sealed, e.view.session(e.at))
	if *slot == 0 {
		*slot = a.sessions.number(pair(e.visitor, a.names.number(e))) + 1
	}
	return *slot - 1
}

// person numbers users evenly and visitors without a user oddly, so that a visitor and a user of
// the same name stay two persons.
func (a *actors) person(e *scanRow) uint32 {
	if user, ok := a.user(e); ok {
		return 2 * user
	}
	if number, ok := a.personOf[e.visitor]; ok {
		return number
	}
	number := 2*e.visitor + 1
	if len(a.links) > 0 {
		if link, ok := a.links[e.anonymousID()]; ok {
			number = 2 * a.users.number(link.UserID)
		}
	}
	a.personOf[e.visitor] = number
	return number
}

// counted are the filters of the events that count at all: an event of nobody doesn't, whatever is
// counted of it, so that what is counted of events adds up with what is said of actors.
func (c *Common) counted() []Filter {
	if c.Actor != ActorUser {
		return c.Filters
	}
	hasUser := Filter{Column: event.ColumnUserID, Op: OpExists, Values: []Literal{{Kind: LiteralBool, Text: "true"}}}
	return append(slices.Clone(c.Filters), hasUser)
}

func (a *actors) size() int {
	return len(a.users.list) + len(a.names.list) + len(a.sessions.list) + len(a.personOf) + len(a.links)
}
