package query

import (
	"cmp"
	"slices"

	"millimetric/index"
	"millimetric/index/event"
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
	known    []knownStart   // of the visitor at hand, in order
	bySum    map[uint32]int // of the starts that are kept: the last with that sum
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

// walkStarts makes the pass of walk, where it goes this way; ok is false where it doesn't.
func (t *touchWalk) walkStarts(p *pass) (ok bool, err error) {
	if t.r.common.Memo == nil || len(t.q.TouchFilters) > 0 || slices.ContainsFunc(t.groups.dims, func(d Dimension) bool { return d.coded() < colSource }) {
		return false, nil
	}
	if !t.r.bound(p) {
		return true, nil
	}
	w := &startWalk{touchWalk: t, bySum: map[uint32]int{}}
	t.block = &block{}
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
		return false, nil
	}
	for _, of := range w.segments {
		if of.visitStarts, err = w.r.startsOf(p, of.sealed); err != nil {
			return false, err
		}
		of.sealed.used = true
	}
	slices.SortStableFunc(w.segments, func(a, b *startSegment) int { return cmp.Compare(a.time, b.time) })
	return true, nil
}

// walk goes over all visitors who matter, a block of them at a time.
func (w *startWalk) walk(p *pass) error {
	for {
		next := w.waits.next()
		for _, of := range w.segments {
			if of.next < len(of.ordinals) {
				next = min(next, uint64(of.ordinals[of.next]))
			}
		}
		if next == noVisitor {
			return nil
		}
		if err := w.walkBlock(p, uint32(next/blockVisitors*blockVisitors)); err != nil {
			return err
		}
	}
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
	hits := w.hits.of(number, func(a, b startHit) int { return 0 })
	var live []metEvent
	if hits[0].of == nil {
		hits, live = hits[1:], w.lists.of(number, compareMet)
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
		if err := w.touch(k, ordinal, hits, live); err != nil {
			return err
		}
	}
	return nil
}

// order brings the starts at hand in order, and leaves the first of each visit.
func (w *startWalk) order() error {
	compare := func(a, b knownStart) int { return a.at.compare(b.at) }
	if !slices.IsSortedFunc(w.known, compare) {
		slices.SortFunc(w.known, compare)
	}
	return w.dropRepeats()
}

// fewStarts is up to how many starts are compared each with each: to hash them takes longer.
const fewStarts = 16

// dropRepeats leaves the first start of each visit.
func (w *startWalk) dropRepeats() error {
	clear(w.bySum)
	kept := w.known[:0]
	for i := range w.known {
		k := &w.known[i]
		sum, repeats := k.sum(), false
		for j := w.lastOf(kept, sum, len(w.known)); j >= 0 && !repeats; j = kept[j].before {
			if kept[j].sum() != sum {
				continue
			}
			var err error
			if repeats, err = w.sameVisit(&kept[j], k); err != nil {
				return err
			}
		}
		if repeats {
			continue
		}
		k.before = w.lastOf(kept, sum, len(w.known))
		if len(w.known) > fewStarts {
			w.bySum[sum] = len(kept)
		}
		kept = append(kept, *k)
	}
	w.known = kept
	return nil
}

// lastOf returns the last of the kept starts that may have a sum, -1 where there is none.
func (w *startWalk) lastOf(kept []knownStart, sum uint32, all int) int {
	if all <= fewStarts {
		return len(kept) - 1
	}
	if last, ok := w.bySum[sum]; ok {
		return last
	}
	return -1
}

func (w *startWalk) sameVisit(a, b *knownStart) (bool, error) {
	keyA, err := w.key(a)
	if err != nil {
		return false, err
	}
	keyB, err := w.key(b)
	return keyA == keyB, err
}

func (k *knownStart) sum() uint32 {
	if k.of == nil {
		return k.live.visit.sum()
	}
	return k.start.sum
}

// key makes the key of a start's visit.
func (w *startWalk) key(k *knownStart) (visitKey, error) {
	if k.of == nil {
		key := k.live.visit
		key.visitor = 0
		return key, nil
	}
	s := k.of.sealed
	if s.sessions == nil {
		s.sessions = s.segment.SessionIDs()
	}
	id, sent, err := s.sessions.Sent(k.start.session)
	if err != nil {
		return visitKey{}, err
	}
	if !sent {
		return visitKey{made: true, half: int64(k.at.time / halfHour)}, nil
	}
	if !endsAsMade(id) {
		return visitKey{id: id}, nil
	}
	if err := s.openRuns(); err != nil {
		return visitKey{}, err
	}
	v := w.r.viewOf()
	v.turn(s, int(k.start.row)/index.ChunkRows)
	row := scanRow{view: v, at: int(k.start.row) - v.first, time: k.at.time}
	key := visitOf(&row, 0)
	return key, v.err
}

// touch enters a start as a touch, if it is one.
func (w *startWalk) touch(k *knownStart, ordinal uint32, hits []startHit, live []metEvent) error {
	found := actorTouch{actor: ordinal, touch: touch{at: k.at}}
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
		if before, err := w.wasThere(k, ordinal, hits, live); before || err != nil {
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

// wasThere tells whether another segment or a live event has the visitor less than half an hour before.
func (w *startWalk) wasThere(k *knownStart, ordinal uint32, hits []startHit, live []metEvent) (bool, error) {
	for i := range live {
		if live[i].at.before(k.at) && k.at.time-live[i].at.time < halfHour {
			return true, nil
		}
	}
	since := k.at.time - halfHour
	for _, h := range hits {
		first, last := h.of.time+event.Time(h.of.first[h.at]), h.of.time+event.Time(h.of.last[h.at])
		switch {
		case h.of == k.of || first > k.at.time || last <= since:
		case first > since && first < k.at.time || last < k.at.time:
			return true, nil
		default:
			if was, err := w.rowBefore(h.of.sealed, ordinal, k.at); was || err != nil {
				return was, err
			}
		}
	}
	return false, nil
}

// rowBefore looks for it in the rows of a visitor.
func (w *startWalk) rowBefore(s *sealed, ordinal uint32, before place) (bool, error) {
	if err := s.openRuns(); err != nil {
		return false, err
	}
	run, _ := slices.BinarySearch(s.runs.Ordinals, ordinal)
	v := w.r.viewOf()
	for row := s.runs.Starts[run]; row < s.runs.Starts[run+1]; row++ {
		if chunk := int(row) / index.ChunkRows; v.sealed != s || v.chunk != chunk {
			v.turn(s, chunk)
		}
		at := int(row) - v.first
		time := v.timesOf()[at]
		if time > before.time || v.err != nil {
			break
		}
		if before.time-time >= halfHour || !w.r.common.IncludeBots && len(w.r.people.choose(v, []int32{int32(at)})) == 0 {
			continue
		}
		if (place{time: time, seq: v.seq(at)}).before(before) {
			return true, v.err
		}
	}
	return false, v.err
}
