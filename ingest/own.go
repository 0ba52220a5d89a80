package ingest

import (
	"errors"
	"strconv"
	"strings"
	"unsafe"

	"millimetric/index/event"
)

// arena is memory that the events of a request share. The zero value is ready. What was written doesn't change any
// more. Unlike that of a strings.Builder, what isn't written yet is zero: events stay for long, and no piece of what
// others had left there must stay with them.
type arena struct {
	text []byte
}

// arenaBytes is how much an arena takes at once at most while the events of a batch come in. The first event gets
// what it needs and no more, as it may be the only one.
const arenaBytes = 16 << 10

// owner moves the text of events into memory of their own.
//
// The texts that are nearly unique to an event stay in memory as long as the event does. Words, of
// which the store keeps one copy each, lie apart: else that memory would hold them as well.
type owner struct {
	texts, words arena
	name         string // of the event before, in memory of its own
	rest         int    // bytes of the body behind the event at hand, which what is to come hardly exceeds
}

// own moves the text of an event, and writes what is only made here: the derived session and the
// compact properties. owned says that the texts of the event's visit lie in memory that is kept
// anyway.
//
// Until then the event's strings lie in the body of the request, which is cleared at its end, and
// which holds everything that the event must not keep: the address, the agent, what was
// stripped from the URLs.
func (o *owner) own(e *event.Event, d *draft, owned bool) {
	words := [...]*string{&e.URL, &e.Path, &e.Referrer, &e.Source, &e.Medium, &e.Campaign}
	o.ownName(e)
	if !owned {
		o.words.moveAll(words[:], o.rest)
	}
	var number [20]byte
	session := number[:0]
	if e.SessionDerived {
		session = strconv.AppendInt(append(session, '-'), int64(e.Time)/halfHourMS, 10)
	}
	a := &o.texts
	a.ready(len(e.ID)+len(e.UserID)+len(e.IPHash)+len(e.AnonymousID)+len(e.SessionID)+len(session)+d.propertiesBytes, o.rest)
	a.move(&e.ID)
	a.move(&e.UserID)
	a.move(&e.IPHash)
	visitor := len(a.text)
	a.move(&e.AnonymousID)
	if e.SessionDerived {
		// The visitor's id is the first part of the session's: both lie in the same bytes.
		a.text = append(a.text, session...)
		e.SessionID = a.from(visitor)
	} else {
		a.move(&e.SessionID)
	}
	e.Properties = "{}"
	if d.propertiesBytes > len(e.Properties) {
		start := len(a.text)
		a.text = appendProperties(a.text, d)
		e.Properties = a.from(start)
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
func (a *arena) moveAll(texts []*string, rest int) {
	size := 0
	for _, text := range texts {
		size += len(*text)
	}
	a.ready(size, rest)
	for _, text := range texts {
		a.move(text)
	}
}

// ready makes room for size bytes, and where they aren't the first for some rest that may follow: memory that
// nothing came to use stays as long as the events do, and nobody counts it. What was written before stays where it is.
func (a *arena) ready(size, rest int) {
	if cap(a.text)-len(a.text) >= size {
		return
	}
	if a.text != nil {
		size = max(size, min(size+rest, arenaBytes))
	}
	a.text = make([]byte, 0, size)
}

// from returns what was written from start on.
func (a *arena) from(start int) string {
	text := a.text[start:]
	return unsafe.String(unsafe.SliceData(text), len(text))
}

// move copies a text into the arena, which has room for it.
func (a *arena) move(text *string) {
	if *text == "" {
		return
	}
	start := len(a.text)
	a.text = append(a.text, *text...)
	*text = a.from(start)
}

func appendProperties(to []byte, d *draft) []byte {
	if len(d.properties) == d.propertiesBytes {
		return append(to, d.properties...)
	}
	return appendCompact(to, d.properties)
}

// ownError moves what an error quotes of the body.
func ownError(err error) error {
	var known *event.Error
	if !errors.As(err, &known) {
		return err
	}
	for i, note := range known.Notes {
		known.Notes[i] = strings.Clone(note)
	}
	fields := make(event.FieldErrors, len(known.Fields))
	for field, messages := range known.Fields {
		for _, message := range messages {
			fields.Add(strings.Clone(field), strings.Clone(message))
		}
	}
	if known.Fields != nil {
		known.Fields = fields
	}
	return err
}
