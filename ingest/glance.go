package ingest

import "millimetric/index/event"

// glance reads a body that has nothing wrong with it in one quick pass. Where it returns false, the
// body may be bad or merely unusual; what came of it so far counts for nothing, and the strict walk
// decides. That costs bad requests twice the time, and leaves one place that judges them.
func (q *request) glance() bool {
	s := scanner{body: q.body, text: q.text}
	ok := false
	if q.many {
		ok = q.glanceBatch(&s)
	} else {
		ok = q.glanceEvent(&s)
	}
	return ok && s.peek() == 0 && s.at == len(s.body)
}

// glanceBatch reads an object of which "events" is the list of events.
func (q *request) glanceBatch(s *scanner) bool {
	if !s.take('{') {
		return false
	}
	var known keys
	for found := false; ; {
		key, ok := s.key(&known)
		if !ok {
			return false
		}
		if key == "events" && s.peek() == '[' {
			found, ok = true, q.glanceList(s)
		} else if key != "events" {
			_, ok = s.value(0)
		} else {
			ok = false
		}
		if !ok {
			return false
		}
		if s.take('}') {
			return found
		}
		if !s.take(',') {
			return false
		}
	}
}

func (q *request) glanceList(s *scanner) bool {
	s.at++
	for count := 0; count < event.BatchEventsMax; count++ {
		if !q.glanceEvent(s) {
			return false
		}
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
	return false
}

// glanceEvent reads the object of one event and makes the event.
func (q *request) glanceEvent(s *scanner) bool {
	if !s.take('{') {
		return false
	}
	q.begin()
	var known keys
	for !s.take('}') {
		if known.count > 0 && !s.take(',') {
			return false
		}
		key, ok := s.key(&known)
		if !ok {
			return false
		}
		v, ok := s.value(0)
		if !ok {
			return false
		}
		q.field(key, v)
	}
	return q.finish(len(s.body)-s.at) == nil && !q.form.failed()
}
