package query

import (
	"strings"

	"millimetric/index"
)

// visitKey names a visit of a visitor of a block: by the half-hour, where its session id is the one that
// is made of the visitor and the half-hour, else by the id.
type visitKey struct {
	visitor uint32
	made    bool
	half    int64  // where it is made
	id      string // elsewhere
}

// visitOf returns the key of an event's visit, without making the id of its session where it needn't.
func visitOf(e *scanRow, visitor uint32) visitKey {
	if e.live != nil {
		return visitOfID(e.live.SessionID, visitor, e)
	}
	s := e.view.sealed
	if s.sessions == nil {
		s.sessions = s.segment.SessionIDs()
	}
	id, sent, err := s.sessions.Sent(e.view.session(e.at))
	if err != nil {
		e.view.fail(err)
	}
	if !sent {
		return visitKey{visitor: visitor, made: true, half: int64(e.time / halfHour)}
	}
	return visitOfID(id, visitor, e)
}

// visitOfID does so where the id is known. It asks who the visitor is only where the id ends as one that is
// made does.
func visitOfID(id string, visitor uint32, e *scanRow) visitKey {
	if endsAsMade(id) {
		if half, ok := index.DerivedHalf(id, e.anonymousID()); ok {
			return visitKey{visitor: visitor, made: true, half: half}
		}
	}
	return visitKey{visitor: visitor, id: id}
}

// endsAsMade tells whether an id ends as one that is made does: only then it matters who the visitor is.
func endsAsMade(id string) bool {
	dash := strings.LastIndexByte(id, '-')
	return dash >= 0 && dash+1 < len(id) && strings.TrimLeft(id[dash+1:], "0123456789") == ""
}
