package query

// How several workers find visits, and how live events wait for them.

// waitingEvent is a live event that waits for the block of its visitor.
type waitingEvent struct {
	key     visitKey // of a visitor by his number in his block
	at      place
	kind    visitEventKind
	answers uint8
	matched uint8
	fields  uint32
	path    string // of a page view, where pages matter
}

// live takes a live event.
func (w *visitWalk) live(e *scanRow) {
	m := waitingEvent{key: visitOf(e, e.visitor%blockVisitors), at: e.place(), kind: kindOfName(e.live.Name)}
	if e.time >= w.q.From {
		m.fields, m.answers = w.ofEntry(e)
		m.matched = w.filters.matching(e, 0)
	}
	if w.paged && m.kind == visitPageview {
		m.path = e.live.Path
	}
	w.waits.add(e.visitor, m)
}

// meetWaiting takes in a live event as meet does a sealed one.
func (w *visitWalk) meetWaiting(_ uint32, m waitingEvent) {
	number := w.number(m.key, m.at.time)
	if number == visitBefore {
		return
	}
	v := &w.lists.nodes[number].value
	if v.early = v.early || m.at.time < w.q.From; v.early {
		return
	}
	v.count(m.at.time, m.kind == visitIdentify)
	if v.events == 1 || m.at.before(v.entry) {
		v.enter(m.at, m.fields, m.answers)
	}
	v.matched |= m.matched
	if w.paged && m.kind == visitPageview {
		w.pagesOf(v).see(m.at, m.path)
	}
}

func (w *visitWalk) seekWaiting(visitor uint32) { w.waits.seek(visitor) }
func (w *visitWalk) lastWaiting() uint64        { return w.waits.most() }

// forHelper makes a walk for a helper, with facts of its own.
func (w *visitWalk) forHelper(r *run, p *pass) (*pass, sharedTaker) {
	own := newVisitWalk(r, w.q, w.groups.forHelper(), newCalendar(w.q.Interval, w.q.Zone))
	own.filters.combine()
	own.prepare()
	own.waits = w.waits
	theirs := *p
	theirs.wants, theirs.visit, theirs.take, theirs.size = conditionsOf(nil, nil), nil, own.take, own.size
	own.pass = &theirs
	w.helpers = append(w.helpers, own)
	return own.pass, own
}

// join takes over what a helper has found.
func (w *visitWalk) join(o *visitWalk) {
	groups := w.groups.join(o.groups)
	buckets := make([]uint32, max(len(o.buckets.starts), 1)) // without an interval, there is none but the first
	for number, start := range o.buckets.starts {
		buckets[number] = w.buckets.number(start)
	}
	w.facts.join(o.facts, groups, buckets)
	o.facts = nil
}
