package query

import (
	"cmp"
	"slices"

	"millimetric/index/bitmap"
)

// startWalk finds the touches of visitors from where the visits of each segment begin, which the memo keeps.
// No column is unpacked for it.
//
//  1. A visit's first event with an address is the first of those that the segments and the live events
//     have of it. Visits of one visitor that could be one are held against each other by their keys.
//  2. A touch that the half-hour cut may have made needs to know whether the visitor was there shortly
//     before. Mostly that was in the same segment, which knows. Else the visitor's first and last times in
//     the others tell; only where the moment lies between these are rows looked at.
type startWalk struct {
	*touchWalk
	segments []*startSegment // by their first events
	hits     blockLists[startHit]
	ordinal  uint32         // of the visitor at hand
	known    []knownStart   // his, in order
	bySum    map[uint32]int // of the starts that are kept: the last with that sum
	whom     bitmap.Set     // who alone matters, where that is known beforehand

	firsts func(*actorTouch, *knownStart) // takes the first touch of each visitor; nil where all are wanted
}

// startSegment is a segment, and how far it was walked.
type startSegment struct {
	*visitStarts
	sealed *sealed
	next   int      // visitor
	groups []uint32 // by touch: its group plus one, or 0 where that isn't known
}

// startHit is a visitor in a segment.
type startHit struct {
	of *startSegment
	at int
}

// knownStart is a start of the visitor at hand, in a segment or, where of is nil, of a live event.
type knownStart struct {
	at     place
	of     *startSegment
	start  *visitStart
	live   *metEvent
	before int // of those that are kept: the one before that may be of the same visit, -1 if none
}

func newStartWalk(t *touchWalk) *startWalk {
	t.block = &block{}
	return &startWalk{touchWalk: t, bySum: map[uint32]int{}}
}

// walkStarts makes the pass of walk, where it goes this way; ok is false where it doesn't. Where only some
// visitors matter, whom are these.
func (t *touchWalk) walkStarts(p *pass, whom func() bitmap.Set) (ok bool, err error) {
	if t.r.common.Memo == nil || len(t.q.TouchFilters) > 0 || slices.ContainsFunc(t.groups.dims, func(d Dimension) bool { return d.coded() < colSource }) {
		return false, nil
	}
	if !t.r.bound(p) {
		return true, nil
	}
	w := newStartWalk(t)
	if p.among != nil {
		w.whom = whom()
	}
	if ok, err := w.open(p); !ok || err != nil {
		return false, err
	}
	if err := t.r.eachLive(p); err != nil {
		return true, err
	}
	return true, w.walk(p)
}

// open finds the starts of all segments. Where there is no room to keep them, that isn't worth it.
func (w *startWalk) open(p *pass) (ok bool, err error) {
	missing := int64(0)
	for _, segment := range w.r.source.Segments(p.from, p.to) {
		s := w.r.open(segment)
		possible, err := w.r.mayMatter(p, s)
		if err != nil {
			return false, err
		}
		if !possible {
			continue
		}
		if ok, err := w.r.fitStarts(p, s); !ok || err != nil {
			return false, err
		}
		if _, known := w.r.common.Memo.get(w.r.memoKey(s, memoStarts, "")); !known {
			missing += int64(startsShare * segment.Rows())
		}
		w.segments = append(w.segments, &startSegment{sealed: s})
	}
	if missing > 0 && !w.r.common.Memo.hasRoom(missing) {
		ok, err = w.openAmong(p)
	} else {
		ok, err = w.openAll(p)
	}
	for _, of := range w.segments {
		of.sealed.used = of.sealed.used || ok
	}
	if !ok || err != nil {
		return false, err
	}
	slices.SortStableFunc(w.segments, func(a, b *startSegment) int { return cmp.Compare(a.time, b.time) })
	return true, nil
}

// openAll finds the starts of all visitors in all segments.
func (w *startWalk) openAll(p *pass) (ok bool, err error) {
	for _, of := range w.segments {
		if of.visitStarts, err = w.r.startsOf(p, of.sealed); err != nil {
			return false, err
		}
	}
	return true, nil
}

// walk goes over all visitors who matter, a block of them at a time.
func (w *startWalk) walk(p *pass) error {
	for {
		next := w.nextVisitor()
		if next == noVisitor {
			return nil
		}
		if err := w.walkBlock(p, uint32(next/blockVisitors*blockVisitors)); err != nil {
			return err
		}
	}
}

// nextVisitor returns the first visitor who wasn't walked yet, noVisitor if there is none.
func (w *startWalk) nextVisitor() uint64 {
	next := w.waits.next()
	for _, of := range w.segments {
		if of.next < len(of.ordinals) {
			next = min(next, uint64(of.ordinals[of.next]))
		}
	}
	return next
}

func (w *startWalk) walkBlock(p *pass, first uint32) error {
	w.hits.clear()
	w.lists.clear()
	w.block.first = first
	w.waits.enter(w.block, &w.lists)
	for _, visitor := range w.lists.met {
		w.hits.add(visitor, startHit{}) // so that it is met; live events stand for themselves
	}
	for _, of := range w.segments {
		for ; of.next < len(of.ordinals) && of.ordinals[of.next]-first < blockVisitors; of.next++ {
			if ordinal := of.ordinals[of.next]; p.among == nil || p.among(ordinal) {
				w.hits.add(ordinal-first, startHit{of, of.next})
			}
		}
	}
	slices.Sort(w.hits.met)
	for _, visitor := range w.hits.met {
		if err := w.visitor(p, visitor, first+visitor); err != nil {
			return err
		}
	}
	w.r.work += 1 + len(w.hits.nodes)
	return w.r.look(p)
}

// visitor finds the touches of a visitor.
func (w *startWalk) visitor(p *pass, number, ordinal uint32) error {
	w.ordinal = ordinal
	hits := w.hits.of(number, func(a, b startHit) int { return 0 })
	var live []metEvent
	if hits[0].of == nil {
		hits, live = hits[1:], w.lists.of(number, compareMet)
	}
	if w.firsts != nil {
		if found, err := w.beginning(p, hits, live); found || err != nil {
			return err
		}
	}
	w.known = w.known[:0]
	for _, h := range hits {
		for i := range h.of.of(h.at) {
			start := &h.of.of(h.at)[i]
			w.known = append(w.known, knownStart{at: h.of.place(start), of: h.of, start: start})
		}
	}
	for i := range live {
		if live[i].address {
			w.known = append(w.known, knownStart{at: live[i].at, live: &live[i]})
		}
	}
	if len(hits) > 1 || len(live) > 0 {
		if err := w.order(); err != nil {
			return err
		}
	}
	for i := range w.known {
		k := &w.known[i]
		if k.at.time >= p.to {
			return nil
		}
		found := len(w.found)
		if err := w.touch(k, hits, live); err != nil {
			return err
		}
		if w.firsts != nil && len(w.found) > found {
			w.found = w.found[:found]
			return nil
		}
	}
	return nil
}

// beginning tells whether the very first start of the visitor at hand is a touch: mostly it is.
func (w *startWalk) beginning(p *pass, hits []startHit, live []metEvent) (found bool, err error) {
	var first knownStart
	note := func(k knownStart) {
		if first.start == nil && first.live == nil || k.at.before(first.at) {
			first = k
		}
	}
	for _, h := range hits {
		if of := h.of.of(h.at); len(of) > 0 {
			note(knownStart{at: h.of.place(&of[0]), of: h.of, start: &of[0]})
		}
	}
	for i := range live {
		if live[i].address {
			note(knownStart{at: live[i].at, live: &live[i]})
		}
	}
	if first.start == nil && first.live == nil || first.at.time >= p.to {
		return false, nil
	}
	before := len(w.found)
	err = w.touch(&first, hits, live)
	found, w.found = len(w.found) > before, w.found[:before]
	return found, err
}

// touch enters a start as a touch, if it is one.
func (w *startWalk) touch(k *knownStart, hits []startHit, live []metEvent) error {
	found := actorTouch{actor: w.ordinal, touch: touch{at: k.at}}
	cut := false
	switch {
	case k.of == nil:
		if k.live.drop == dropAll {
			return nil
		}
		cut, found.direct = k.live.drop == dropIfCut, k.live.direct
		found.group = w.groups.number(k.live.fields, "", "")
	case k.start.flags&startDropped != 0 || k.start.flags&(startCut|startSoon) == startCut|startSoon:
		return nil
	default:
		cut, found.direct = k.start.flags&startCut != 0, k.start.flags&startDirect != 0
		group, err := w.groupOf(k.of, uint32(k.start.touch))
		if err != nil {
			return err
		}
		found.group = group
	}
	if cut {
		if before, err := w.wasThere(k, hits, live); before || err != nil {
			return err
		}
	}
	w.found = append(w.found, found)
	if w.firsts != nil {
		w.firsts(&found, k)
	}
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
