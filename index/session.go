package index

import (
	"strconv"

	"millimetric/index/event"
)

// halfHour is the length of a derived session in milliseconds.
const halfHour = 30 * 60 * 1000

// derivedSession returns the session id that is made where none was sent: the visitor and the
// half-hour.
func derivedSession(anonymousID string, at event.Time) string {
	return anonymousID + "-" + strconv.FormatInt(int64(at)/halfHour, 10)
}

// sentSession returns the text that is kept of a session id, which is never empty.
func sentSession(id string) string {
	if id == "" || id[0] == 0 {
		return "\x00" + id
	}
	return id
}

// sessionID undoes sentSession. A text that sentSession never makes is derived.
func sessionID(text, anonymousID string, at event.Time) string {
	if text == "" {
		return derivedSession(anonymousID, at)
	}
	if text[0] == 0 {
		return text[1:]
	}
	return text
}

// sessionNumbers numbers the sessions by visitor and id, in the order of their first rows. The text
// of a session is that of sentSession, or empty where derivedSession makes it from any of its rows.
type sessionNumbers struct {
	ids   numberer
	runOf []int    // by number of the id: the run in which it was seen last
	own   []uint32 // by number of the id: its session in that run
	texts []string // by session
	codes []uint32 // by row
	half  []byte   // the half-hour that was written last, in digits
	at    int64    // and as a number
}

func (n *sessionNumbers) add(i int, e *event.Event, run int) {
	id := int(n.ids.number(e.SessionID))
	if id == len(n.runOf) {
		n.runOf, n.own = append(n.runOf, 0), append(n.own, 0)
	}
	if n.runOf[id] != run {
		n.runOf[id], n.own[id] = run, uint32(len(n.texts))
		n.texts = append(n.texts, "")
	}
	n.codes[i] = n.own[id]
	if n.texts[n.own[id]] == "" && !n.isDerived(e) {
		n.texts[n.own[id]] = sentSession(e.SessionID)
	}
}

// isDerived reports whether the session id is what derivedSession returns, without making that.
func (n *sessionNumbers) isDerived(e *event.Event) bool {
	own := len(e.AnonymousID)
	if len(e.SessionID) <= own || e.SessionID[own] != '-' || e.SessionID[:own] != e.AnonymousID {
		return false
	}
	if at := int64(e.Time) / halfHour; at != n.at || n.half == nil {
		n.half, n.at = strconv.AppendInt(n.half[:0], at, 10), at
	}
	return e.SessionID[own+1:] == string(n.half)
}

// writeSessions writes the sessions of all rows.
func (d *draft) writeSessions(head *headWriter, codes []uint32, texts []string) {
	d.writeCodes(head, "session", codes, uint32(len(texts)), false)
	list := lister{packer: head.packer, kind: "session texts", ids: true}
	for _, text := range texts {
		list.add(text)
	}
	list.write(head)
}
