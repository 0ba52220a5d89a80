package enginetest

import (
	"millimetric/engine"
	"millimetric/index/event"
)

// Erase erases a user with all events that belong to it, or a visitor, and returns how many events that
// took. What is dated before at, and before devices where it is of a user's visitor and names no user, is
// not kept if it comes later.
func (m *Model) Erase(project event.Project, who engine.Person, at, devices event.Time) (took int) {
	own := map[string]bool{} // visitors whose events without a user belong to the user
	if who.UserID != "" {
		m.note(modelErased{project, modelUser, who.UserID}, at)
		for visitor, user := range m.firstUsers(project) {
			if user == who.UserID {
				own[visitor] = true
				m.note(modelErased{project, modelDevice, visitor}, devices)
			}
		}
	} else {
		m.note(modelErased{project, modelVisitor, who.AnonymousID}, at)
	}
	for i := range m.events[project] {
		e := &m.events[project][i]
		theirs := who.UserID != "" && (e.UserID == who.UserID || e.UserID == "" && own[e.AnonymousID]) ||
			who.UserID == "" && e.AnonymousID == who.AnonymousID
		if theirs && !m.erased[project][i] {
			m.erased[project][i] = true
			took++
		}
	}
	return took
}

func (m *Model) note(who modelErased, at event.Time) { m.late[who] = max(m.late[who], at) }

// firstUsers returns the user of each visitor's first link.
func (m *Model) firstUsers(project event.Project) map[string]string {
	first, users := map[string]event.Link{}, map[string]string{}
	for i := range m.events[project] {
		e := &m.events[project][i]
		if e.UserID == "" || m.erased[project][i] || e.Time < m.Floor(project) {
			continue
		}
		l := event.Link{AnonymousID: e.AnonymousID, UserID: e.UserID, Time: e.Time, Seq: e.Seq}
		if before, met := first[e.AnonymousID]; !met || l.Before(before) {
			first[e.AnonymousID], users[e.AnonymousID] = l, e.UserID
		}
	}
	return users
}

// isLate reports whether an event isn't kept, as somebody was erased.
func (m *Model) isLate(project event.Project, e *event.Event) bool {
	late := func(kind modelKind, id string) bool { return e.Time < m.late[modelErased{project, kind, id}] }
	if e.UserID != "" {
		return late(modelUser, e.UserID) || late(modelVisitor, e.AnonymousID)
	}
	return late(modelVisitor, e.AnonymousID) || late(modelDevice, e.AnonymousID)
}
