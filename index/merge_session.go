package index

import (
	"strconv"

	"millimetric/index/event"
)

// A session of the result is a visitor and an id; several sources may have it. Whether its text is
// empty depends on the rows that are left: an id that one row of a source doesn't give back is kept
// as text there, and need not be once that row is gone.

// sessionMerge numbers the sessions of one visitor after the other.
type sessionMerge struct {
	m       *merger
	known   [][]uint32 // by source and code: the number
	dicts   []*Dict
	texts   []string // by number
	run     int      // the visitor at hand
	id      string   // its anonymous id, once it is asked for
	asked   bool
	first   uint32 // the first number of that visitor
	halves  []halfOf
	numbers map[sessionKey]uint32
}

// halfOf says of a session, of those of the visitor at hand, of which half-hour its id is made.
type halfOf struct {
	half int64
	made bool // the id is made of a half-hour at all
}

// sessionKey is a session id, and equal to that of another exactly where the ids are.
type sessionKey struct {
	halfOf
	text string // as sentSession makes it; "" where the id is made of a half-hour
}

func (m *merger) writeMergedSessions(head *headWriter) error {
	w := &sessionMerge{m: m, run: -1, numbers: map[sessionKey]uint32{}}
	w.known = m.remaps(func(s *Segment) int { return int(s.sessions.limit) })
	w.dicts = m.dicts(func(s *Segment) *textStore { return &s.sessionT })
	err := m.walk(func(s *Segment) *codeColumn { return &s.sessions }, w.take)
	if err == nil {
		m.writeSessions(head, m.codes, w.texts)
	}
	return err
}

// take numbers the sessions of rows of one source.
func (w *sessionMerge) take(source int, row, to uint32, codes []uint32) error {
	for i, code := range codes {
		at := to + uint32(i)
		if at == w.m.starts[w.run+1] {
			w.run++
			w.first, w.halves, w.asked = uint32(len(w.texts)), w.halves[:0], false
			clear(w.numbers)
		}
		number := w.known[source][code]
		if number == unset {
			var err error
			if number, err = w.enter(source, row+uint32(i), code, at); err != nil {
				return err
			}
			w.known[source][code] = number
		}
		if number < w.first {
			return damaged("session %d has two visitors", code)
		}
		w.m.codes[at] = number
		if h := w.halves[number-w.first]; h.made && w.texts[number] == "" && w.half(at) != h.half {
			text, err := w.dicts[source].At(code)
			if err != nil {
				return err
			}
			if text == "" {
				return damaged("session %d is derived from two half-hours", code)
			}
			w.texts[number] = text
		}
	}
	return nil
}

func (w *sessionMerge) half(at uint32) int64 { return int64(event.Time(w.m.times[at])) / halfHour }

// enter finds the number of a session of a source whose first row this is.
func (w *sessionMerge) enter(source int, row, code, at uint32) (uint32, error) {
	text, err := w.dicts[source].At(code)
	if err != nil {
		return 0, err
	}
	key := sessionKey{text: text}
	if text == "" {
		key.halfOf = halfOf{w.half(at), true}
	} else if key.halfOf, err = w.halfOfText(source, row, text); err != nil {
		return 0, err
	}
	if key.made {
		key.text = ""
	}
	if number, ok := w.numbers[key]; ok {
		return number, nil
	}
	number := uint32(len(w.texts))
	w.numbers[key] = number
	w.texts, w.halves = append(w.texts, key.text), append(w.halves, key.halfOf)
	return number, nil
}

// halfOfText says whether derivedSession makes the id that is kept as text, of whatever half-hour.
func (w *sessionMerge) halfOfText(source int, row uint32, text string) (halfOf, error) {
	if last := text[len(text)-1]; last < '0' || last > '9' {
		return halfOf{}, nil
	}
	if !w.asked {
		var err error
		s := w.m.sources[source]
		if w.id, err = s.anonymous.At(uint32(s.runs.Of(row))); err != nil {
			return halfOf{}, err
		}
		w.asked = true
	}
	id := sessionID(text, "", 0)
	if len(id) <= len(w.id) || id[len(w.id)] != '-' || id[:len(w.id)] != w.id {
		return halfOf{}, nil
	}
	digits := id[len(w.id)+1:]
	half, err := strconv.ParseInt(digits, 10, 64)
	return halfOf{half, true}.where(err == nil && strconv.FormatInt(half, 10) == digits), nil
}

// where returns h, or, where that isn't so, no half-hour.
func (h halfOf) where(so bool) halfOf {
	if !so {
		return halfOf{}
	}
	return h
}
