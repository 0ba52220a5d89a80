package ingest

import (
	"strconv"
	"strings"

	"millimetric/index/event"
)

// arena is memory that the events of a request share. The zero value is ready.
type arena struct {
	strings.Builder
}

// arenaBytes is how much an arena takes at once while the events of a batch come in. A single event
// gets what it needs and no more.
const arenaBytes = 16 << 10

// owner moves the text of events into memory of their own.
//
// The texts that are nearly unique to an event stay in memory as long as the event does. Words, of
// which the store keeps one copy each, lie apart: else that memory would hold them as well.
type owner struct {
	texts, words arena
	name         string // of the event before, in memory of its own
}

// own moves the text of an event, and writes what is only made here: the derived session and the
// compact properties. owned says that the texts of the event's visit lie in memory that is kept
// anyway.
//
// Until then the event's strings lie in the body of the request, which is overwritten by the next
// one, and which holds everything that the event must not keep: the address, the agent, what was
// stripped from the URLs.
func (o *owner) own(e *event.Event, d *draft, owned bool) {
	words := [...]*string{&e.URL, &e.Path, &e.Referrer, &e.Source, &e.Medium, &e.Campaign}
	o.ownName(e)
	if !owned {
		o.words.moveAll(words[:])
	}
	var number [20]byte
	session := number[:0]
	if e.SessionDerived {
		session = strconv.AppendInt(append(session, '-'), int64(e.Time)/halfHourMS, 10)
	}
	a := &o.texts
	a.ready(len(e.ID) + len(e.UserID) + len(e.IPHash) + len(e.AnonymousID) + len(e.SessionID) + len(session) + d.propertiesBytes)
	a.move(&e.ID)
	a.move(&e.UserID)
	a.move(&e.IPHash)
	visitor := a.Len()
	a.move(&e.AnonymousID)
	if e.SessionDerived {
		// The visitor's id is the first part of the session's: both lie in the same bytes.
		a.Write(session)
		e.SessionID = a.String()[visitor:]
	} else {
		a.move(&e.SessionID)
	}
	e.Properties = "{}"
	if d.propertiesBytes > len(e.Properties) {
		start := a.Len()
		writeProperties(&a.Builder, d)
		e.Properties = a.String()[start:]
	}
}

// ownName moves the name of an event, unless it is that of the event before, as most are.
func (o *owner) ownName(e *event.Event) {
	if e.Name != o.name {
		o.name = strings.Clone(e.Name)
	}
	e.Name = o.name
}

// moveAll makes room for texts and moves them.
func (a *arena) moveAll(texts []*string) {
	size := 0
	for _, text := range texts {
		size += len(*text)
	}
	a.ready(size)
	for _, text := range texts {
		a.move(text)
	}
}

// ready makes room for size bytes. What was written before stays where it is.
func (a *arena) ready(size int) {
	if a.Cap()-a.Len() >= size {
		return
	}
	first := a.Cap() == 0
	a.Reset()
	if !first {
		size = max(size, arenaBytes)
	}
	a.Grow(size)
}

// move copies a text into the arena, which has room for it.
func (a *arena) move(text *string) {
	if *text == "" {
		return
	}
	start := a.Len()
	a.WriteString(*text)
	*text = a.String()[start:]
}

func writeProperties(b *strings.Builder, d *draft) {
	if len(d.properties) == d.propertiesBytes {
		b.WriteString(d.properties)
		return
	}
	writeCompact(b, d.properties)
}
