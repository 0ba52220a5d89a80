package ingest

import (
	"strconv"
	"strings"

	"millimetric/index/event"
)

// own moves the text of an event into one allocation of its own, and writes what is only made here:
// the derived session and the compact properties.
//
// Until then the event's strings lie in the text of the whole request, with everything in it that
// the event must not keep: the address, the agent, what was stripped from the URLs. An event lives
// long, and one string in it would keep all of that in memory.
func own(e *event.Event, d *draft) {
	texts := [...]*string{
		&e.Name, &e.ID, &e.UserID, &e.URL, &e.Path, &e.Referrer, &e.Source, &e.Medium, &e.Campaign, &e.IPHash,
	}
	size := len(e.AnonymousID) + len(e.SessionID) + d.propertiesBytes
	for _, text := range texts {
		size += len(*text)
	}
	var number [20]byte
	session := number[:0]
	if e.SessionDerived {
		session = strconv.AppendInt(append(session, '-'), int64(e.Time)/halfHourMS, 10)
	}
	var arena strings.Builder
	arena.Grow(size + len(session))

	for _, text := range texts {
		*text = moved(&arena, *text)
	}
	visitor := arena.Len()
	e.AnonymousID = moved(&arena, e.AnonymousID)
	if e.SessionDerived {
		// The visitor's id is the first part of the session's: both lie in the same bytes.
		arena.Write(session)
		e.SessionID = arena.String()[visitor:]
	} else {
		e.SessionID = moved(&arena, e.SessionID)
	}
	e.Properties = "{}"
	if d.propertiesBytes > len(e.Properties) {
		start := arena.Len()
		writeProperties(&arena, d)
		e.Properties = arena.String()[start:]
	}
}

// moved copies text into the arena. Room was made before: growing would leave earlier strings in
// another allocation, which costs memory but breaks nothing.
func moved(arena *strings.Builder, text string) string {
	start := arena.Len()
	arena.WriteString(text)
	return arena.String()[start:]
}

func writeProperties(arena *strings.Builder, d *draft) {
	if len(d.properties) == d.propertiesBytes {
		arena.WriteString(d.properties)
		return
	}
	writeCompact(arena, d.properties)
}
