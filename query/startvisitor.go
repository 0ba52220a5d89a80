package query

import "millimetric/index/event"

// What comes of the starts of one visitor.

// knownStart is a start of the visitor at hand, in a segment or, where of is nil, of a live event.
type knownStart struct {
	at     place
	of     *startSegment
	live   *metEvent
	joined bool   // it is known from the joined starts: touch is their kind, and session isn't known
	index  uint32 // as visitStart has what follows
	sum    uint32
	before int // of those that are kept: the one before with the same sum, -1 if none

	session uint32
	touch   uint16
	flags   startFlags
}

// alone takes the touches of a visitor who comes in the joined segments alone.
func (w *startWalk) alone(p *pass, ordinal uint32, starts []joinedStart) error {
	from, to, err := w.settlement.span(ordinal, p.to)
	if err != nil {
		return err
	}
	w.found = w.found[:0]
	for i := range starts {
		s := &starts[i]
		flags, of := s.flags(), &w.joined.segments[s.segment()]
		at := place{time: of.time + event.Time(s.time), seq: of.seq + event.Seq(s.seq), slot: i}
		if at.time < from || flags.noTouch() {
			continue
		}
		if at.time >= to {
			break
		}
		group := w.groupOfKind(s.kind)
		w.found = append(w.found, actorTouch{actor: ordinal, touch: touch{at: at, group: group, direct: flags&startDirect != 0}})
		if w.settlement.first {
			break
		}
	}
	return w.giveFound(ordinal)
}

// firstJoined returns the first touch before a time of a visitor of the block who comes in the joined segments alone;
// nil where there is none.
func (w *startWalk) firstJoined(visitor uint32, to event.Time) *joinedStart {
	if w.at == nil {
		return nil
	}
	starts := w.at.of(visitor)
	for i := range starts {
		s := &starts[i]
		if s.flags().noTouch() {
			continue
		}
		if w.joined.timeOf(s) >= to {
			return nil
		}
		return s
	}
	return nil
}

// giveFound gives the touches that were found of a visitor.
func (w *startWalk) giveFound(ordinal uint32) error {
	if len(w.found) == 0 {
		return nil
	}
	return w.settlement.take(ordinal, w.found)
}

// visitor finds the touches of a visitor who comes elsewhere, too.
func (w *startWalk) visitor(p *pass, number, ordinal uint32) error {
	w.ordinal = ordinal
	hits := w.hits.of(number, func(a, b startHit) int { return 0 })
	live := w.lists.of(number, compareMet)
	if _, joined := w.joined.lastBefore(w.at, number); joined {
		hits = append(hits, startHit{at: int(number)})
	}
	w.gather(hits, live)
	if len(hits) > 1 || len(live) > 0 {
		if err := w.order(); err != nil {
			return err
		}
	}
	if w.joining != nil {
		return w.join(number, hits)
	}
	w.found = w.found[:0]
	for i := range w.known {
		k := &w.known[i]
		if k.at.time >= p.to {
			break
		}
		if err := w.touch(k, hits, live); err != nil {
			return err
		}
		if w.firsts != nil && len(w.found) > 0 {
			var of *sealed
			if k.of != nil {
				of = k.of.sealed
			}
			w.firsts(&w.found[0], of, k.index)
			return nil
		}
	}
	return w.giveFound(ordinal)
}

// gather lists the starts of the visitor at hand.
func (w *startWalk) gather(hits []startHit, live []metEvent) {
	w.known = w.known[:0]
	for _, h := range hits {
		if h.of == nil {
			w.gatherJoined(uint32(h.at))
			continue
		}
		for i, starts := 0, h.of.of(h.at); i < len(starts); i++ {
			s := &starts[i]
			w.known = append(w.known, knownStart{
				at: h.of.place(s), of: h.of, index: s.index, sum: s.sum, session: s.session, touch: s.touch, flags: s.flags,
			})
		}
	}
	for i := range live {
		if live[i].address {
			w.known = append(w.known, knownStart{at: live[i].at, live: &live[i], sum: live[i].visit.sum()})
		}
	}
}

func (w *startWalk) gatherJoined(visitor uint32) {
	for i, starts := 0, w.at.of(visitor); i < len(starts); i++ {
		s := &starts[i]
		w.known = append(w.known, knownStart{
			at: w.joined.place(s), of: w.origins[s.segment()], joined: true, index: s.index, sum: s.sum, touch: s.kind, flags: s.flags(),
		})
	}
}

// touch enters a start as a touch, if it is one.
func (w *startWalk) touch(k *knownStart, hits []startHit, live []metEvent) (err error) {
	found := actorTouch{actor: w.ordinal, touch: touch{at: k.at}}
	cut := k.flags&startCut != 0
	switch {
	case k.flags.noTouch():
		return nil
	case k.of == nil:
		if k.live.drop == dropAll {
			return nil
		}
		cut, found.direct = k.live.drop == dropIfCut, k.live.direct
		found.group = w.groups.number(k.live.fields, "", "")
	case k.joined:
		found.direct = k.flags&startDirect != 0
		found.group = w.groupOfKind(k.touch)
	default:
		found.direct = k.flags&startDirect != 0
		found.group, err = w.groupOf(k.of, uint32(k.touch))
	}
	if err != nil {
		return err
	}
	if cut {
		if before, err := w.wasThere(k, hits, live); before || err != nil {
			return err
		}
	}
	w.found = append(w.found, found)
	return nil
}

// groupOf returns the group of a touch of a segment.
func (w *startWalk) groupOf(of *startSegment, touch uint32) (uint32, error) {
	slot := at(&of.groups, touch)
	if *slot == 0 {
		fields, err := w.groups.fields.numberOfTouch(of.sealed, touch)
		if err != nil {
			return 0, err
		}
		*slot = w.groups.number(fields, "", "") + 1
	}
	return *slot - 1, nil
}

// groupOfKind returns the group of a kind of touch of the joined segments.
func (w *startWalk) groupOfKind(kind uint16) uint32 {
	slot := &w.joinedGroups[kind]
	if *slot == 0 {
		group := w.groups.number(w.groups.fields.numberOfTexts(&w.joined.kinds[kind]), "", "")
		*slot = group + 1
	}
	return *slot - 1
}
