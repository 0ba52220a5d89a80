package encode

import (
	"encoding/binary"

	"millimetric/index/event"
)

// The rows of a part, before compression: three stretches, each behind its length in bytes (uv).
//
//	heads  per event: mask (uv: bit i stands for field i of words and texts, in this order; the bit
//	       above them for SessionDerived), time (signed varint: milliseconds since the event before,
//	       for the first since 1970), then the length (uv) of each field whose bit is set
//	words  the bytes of the fields that take few values, one after another
//	texts  the bytes of all other fields, one after another
//
// A field that is missing has no bit and no length. Words and texts stand apart because they are
// decoded apart: equal words come to share memory, and the texts of a part are one string.

// words are the fields that take few values.
func words(e *event.Event) [14]*string {
	return [14]*string{
		&e.Name, &e.URL, &e.Path, &e.Referrer, &e.Source, &e.Medium, &e.Campaign,
		&e.SourceConfidence, &e.SourceRule, &e.Country, &e.Device, &e.Browser, &e.OS, &e.Bot,
	}
}

// texts are the fields that are nearly unique to a person, a session or an event.
func texts(e *event.Event) [6]*string {
	return [6]*string{&e.ID, &e.AnonymousID, &e.UserID, &e.SessionID, &e.IPHash, &e.Properties}
}

const (
	wordFields  = 14
	pathField   = 2 // of words, behind the URL
	textFields  = 6
	derivedBit  = 1 << (wordFields + textFields)
	maskMax     = derivedBit<<1 - 1
	rowBytesMin = 2 // a mask and a time
)

// rowBuffers collects the three stretches before they are joined.
type rowBuffers struct {
	heads, words, texts []byte
}

func (b *rowBuffers) appendRows(dst []byte, events []event.Event) []byte {
	b.heads, b.words, b.texts = b.heads[:0], b.words[:0], b.texts[:0]
	var last event.Time
	for i := range events {
		b.appendRow(&events[i], last)
		last = events[i].Time
	}
	for _, stretch := range [][]byte{b.heads, b.words, b.texts} {
		dst = binary.AppendUvarint(dst, uint64(len(stretch)))
		dst = append(dst, stretch...)
	}
	return dst
}

func (b *rowBuffers) appendRow(e *event.Event, last event.Time) {
	wordsOf, textsOf := words(e), texts(e)
	mask := uint64(0)
	if e.SessionDerived {
		mask = derivedBit
	}
	for i, w := range wordsOf {
		if *w != "" {
			mask |= 1 << i
		}
	}
	for i, t := range textsOf {
		if *t != "" {
			mask |= 1 << (wordFields + i)
		}
	}
	heads := binary.AppendUvarint(b.heads, mask)
	heads = binary.AppendVarint(heads, int64(e.Time-last))
	for _, w := range wordsOf {
		if *w != "" {
			heads = binary.AppendUvarint(heads, uint64(len(*w)))
			b.words = append(b.words, *w...)
		}
	}
	for _, t := range textsOf {
		if *t != "" {
			heads = binary.AppendUvarint(heads, uint64(len(*t)))
			b.texts = append(b.texts, *t...)
		}
	}
	b.heads = heads
}

// readRows fills events, whose positions are set, from what appendRows wrote. It reports whether
// the bytes were used up exactly.
func readRows(plain []byte, events []event.Event, known *Words) bool {
	r := reader{rest: plain}
	heads := reader{rest: r.bytes(r.length(len(r.rest)))}
	wordBytes := reader{rest: r.bytes(r.length(len(r.rest)))}
	text := string(r.bytes(r.length(len(r.rest))))
	if r.bad || len(r.rest) != 0 {
		return false
	}
	var last event.Time
	for i := range events {
		e := &events[i]
		mask := heads.uvarint()
		if mask > maskMax {
			return false
		}
		e.Time = last + event.Time(heads.varint())
		last = e.Time
		e.SessionDerived = mask&derivedBit != 0
		for bit, w := range words(e) {
			if mask&(1<<bit) != 0 {
				*w = known.Bytes(wordBytes.bytes(heads.length(len(wordBytes.rest))))
			}
		}
		for bit, t := range texts(e) {
			if mask&(1<<(wordFields+bit)) != 0 {
				n := heads.length(len(text))
				*t, text = text[:n], text[n:]
			}
		}
		if heads.bad {
			return false
		}
	}
	return len(heads.rest) == 0 && len(wordBytes.rest) == 0 && text == ""
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// OwnWords moves the words of an event into memory that nothing else uses but equal words. A path that lies in its
// URL stays there: to look it up costs as much as the URL, and both are mostly as many.
func (w *Words) OwnWords(e *event.Event) {
	url, path := e.URL, e.Path
	for i, word := range words(e) {
		if i != pathField {
			*word = w.Text(*word)
		} else if inside, ok := sameIn(e.URL, url, path); ok {
			*word = inside
		} else {
			*word = w.Text(path)
		}
	}
}

// Bytes returns how many bytes the strings of an event have.
func Bytes(e *event.Event) int {
	n := 0
	for _, w := range words(e) {
		n += len(*w)
	}
	for _, t := range texts(e) {
		n += len(*t)
	}
	return n
}
