package query

import "millimetric/index/event"

// actors gives dense numbers to those who act.
type actors struct {
	kind     Actor
	visitors *numbering[string]
	users    *numbering[string]
	names    *numbering[string] // of sessions; one name may be used by several visitors
	sessions *numbering[uint64]
	personOf map[string]uint32 // the person of each visitor met without a user
	links    map[string]event.Link
}

// actors prepares the numbering of the question's actors. For persons it reads the links of the
// whole history up to the position, bots' too: a link acts on events on both sides of it.
func (r *run) actors() *actors {
	a := &actors{
		kind:     r.common.Actor,
		visitors: newNumbering[string](), users: newNumbering[string](),
		names: newNumbering[string](), sessions: newNumbering[uint64](),
	}
	if a.kind != ActorPerson {
		return a
	}
	a.personOf, a.links = map[string]uint32{}, map[string]event.Link{}
	r.source.Links(func(l event.Link) bool {
		if first, ok := a.links[l.AnonymousID]; l.Seq <= r.asOf && (!ok || l.Before(first)) {
			a.links[l.AnonymousID] = l
		}
		return true
	})
	return a
}

// number returns the actor of an event; ok is false where it has none.
func (a *actors) number(e *event.Event) (number uint32, ok bool) {
	switch a.kind {
	case ActorUser:
		if e.UserID == "" {
			return 0, false
		}
		return a.users.number(e.UserID), true
	case ActorPerson:
		return a.person(e), true
	case ActorSession:
		return a.sessions.number(pair(a.visitors.number(e.AnonymousID), a.names.number(e.SessionID))), true
	}
	return a.visitors.number(e.AnonymousID), true
}

// person numbers users evenly and visitors without a user oddly, so that a visitor and a user of
// the same name stay two persons.
func (a *actors) person(e *event.Event) uint32 {
	if e.UserID != "" {
		return 2 * a.users.number(e.UserID)
	}
	if number, ok := a.personOf[e.AnonymousID]; ok {
		return number
	}
	number := 2*a.visitors.number(e.AnonymousID) + 1
	if link, ok := a.links[e.AnonymousID]; ok {
		number = 2 * a.users.number(link.UserID)
	}
	a.personOf[e.AnonymousID] = number
	return number
}

func (a *actors) size() int {
	return len(a.visitors.list) + len(a.users.list) + len(a.names.list) + len(a.sessions.list) + len(a.personOf) + len(a.links)
}
