package query

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"millimetric/index/bitmap"
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
//  3. Most segments are joined: they are one segment to the others and to live events. Who comes in none of these
//     has his touches there in a row, and no more is looked at.
type startWalk struct {
	*touchWalk
	segments []*startSegment // that aren't joined, by their first events
	hits     blockLists[startHit]
	ordinal  uint32         // of the visitor at hand
	known    []knownStart   // his, in order
	bySum    map[uint32]int // of the starts that are kept: the last with that sum
	fresh    []int          // of the starts that are kept: those that aren't joined
	run      []knownStart   // that is merged with others

	joined       *joinedStarts   // nil for none
	origins      []*startSegment // the segments that are joined, by their numbers
	joinedGroups []uint32        // by kind: its group plus one, or 0 where that isn't known
	at           *joinedBlock    // of the block at hand
	sold         *soldStarts     // of those of its visitors whose starts lie together; nil where they don't
	soldAt       *overBlock      // of the block at hand
	weights      [][]decayWeight // by block, of these starts; nil where they aren't known
	others       visitorBits     // of the block: who comes elsewhere
	visitors     []uint32        // of the block, who matter
	starts       [][]joinedStart // and their starts in the joined segments
	near         uint32          // of no meaning, see list

	wants  func(first uint32, who *visitorBits) // enters who of a block matters; nil for all
	wanted visitorBits

	firsts  func(t *actorTouch, of *sealed, index uint32) // takes the first touch of each other visitor; nil where all are wanted
	joining *joining                                      // takes the starts instead, where it isn't nil
}

// startSegment is a segment, and how far it was walked.
type startSegment struct {
	*visitStarts
	sealed *sealed
	next   int      // visitor
	groups []uint32 // by touch: its group plus one, or 0 where that isn't known
}

// startHit is a visitor in a segment; where of is nil, in those that are joined.
type startHit struct {
	of *startSegment
	at int
}

func newStartWalk(t *touchWalk) *startWalk {
	t.block = &block{}
	w := &startWalk{touchWalk: t, bySum: map[uint32]int{}}
	for i := range w.wanted {
		w.wanted[i] = math.MaxUint64
	}
	return w
}

// walkStarts makes the pass of walk, where it goes this way; ok is false where it doesn't. Where only some
// visitors matter, they are those with conversions.
func (t *touchWalk) walkStarts(p *pass, found *conversions) (ok bool, err error) {
	if t.r.common.Memo == nil || len(t.q.TouchFilters) > 0 || slices.ContainsFunc(t.groups.dims, func(d Dimension) bool { return d.coded() < colSource }) {
		return false, nil
	}
	if !t.r.bound(p) {
		return true, nil
	}
	w := newStartWalk(t)
	if p.among != nil {
		w.wants = found.bits
	}
	if ok, err := w.open(p, found.set); !ok || err != nil {
		return false, err
	}
	w.openSold(found)
	w.openWeights(found)
	if err := t.r.eachLive(p); err != nil {
		return true, err
	}
	return true, w.divide(p, found)
}

// open finds the starts of all segments. Where there is no room to keep them, that isn't worth it, but for some
// visitors, if whom tells who alone matters.
func (w *startWalk) open(p *pass, whom func() bitmap.Set) (ok bool, err error) {
	segments, all, fit := w.fitting(p)
	if !fit {
		return false, nil
	}
	if all {
		ok, err = w.openJoined(segments)
	}
	if err == nil && !ok {
		w.joined, w.segments = nil, nil
		if whom != nil && w.wants != nil {
			ok, err = w.openAmong(segments, whom())
		}
	}
	for _, s := range segments {
		s.used = s.used || ok && s.firstTime() < p.to
	}
	return ok, err
}

// fitting returns the segments that the source shows, in the order of their first events; fit is false where starts
// of some can't be told, and all where a replay doesn't see all of them.
func (w *startWalk) fitting(p *pass) (segments []*sealed, all, fit bool) {
	all = true
	for _, segment := range w.r.source.Segments(p.from, event.TimeMax+1) {
		if lastOf(segment) < p.from {
			continue
		}
		if least, _ := segment.SeqRange(); least > w.r.asOf {
			all = false
			continue
		}
		s := w.r.open(segment)
		if !w.r.fitStarts(p, s) {
			return nil, all, false
		}
		segments = append(segments, s)
	}
	slices.SortStableFunc(segments, func(a, b *sealed) int { return cmp.Compare(a.firstTime(), b.firstTime()) })
	return segments, all, true
}

// nextVisitor returns the first visitor who wasn't walked yet, those aside who come in the joined segments alone;
// noVisitor if there is none.
func (w *startWalk) nextVisitor() uint64 {
	next := w.waits.next()
	for _, of := range w.segments {
		if of.next < len(of.ordinals) {
			next = min(next, uint64(of.ordinals[of.next]))
		}
	}
	return next
}

// walkBlock walks the visitors from first on. Blocks must rise.
func (w *startWalk) walkBlock(p *pass, first uint32) error {
	w.turn(first)
	w.list()
	w.r.work += 1 + len(w.hits.nodes) + len(w.visitors)
	for i, visitor := range w.visitors {
		var err error
		switch {
		case w.others.has(visitor):
			w.settlement.book.knowWeights(nil)
			err = w.visitor(p, visitor, first+visitor)
		default:
			w.r.work += len(w.starts[i])
			w.settlement.book.knowWeights(w.weightsOf(visitor))
			err = w.alone(p, first+visitor, w.starts[i])
		}
		if err != nil {
			return err
		}
	}
	return w.r.look(p)
}

// turn goes to the block of visitors that begins with one of them.
func (w *startWalk) turn(first uint32) {
	w.at, w.soldAt = w.joined.block(first), nil
	if at := int(first / blockVisitors); w.sold != nil && at < len(w.sold.blocks) {
		w.soldAt = w.sold.blocks[at]
	}
	if w.wants != nil {
		w.wants(first, &w.wanted)
	}
	w.meet(first)
}

// walkFirst is walkBlock where only the first touch of each visitor with conversions matters: mostly it is his first
// start in the joined segments.
func (w *startWalk) walkFirst(p *pass, first uint32) error {
	w.turn(first)
	s := w.settlement
	if err := s.upTo(uint64(first)); err != nil {
		return err
	}
	w.r.work += 1 + len(w.hits.nodes)
	for own := s.next(); len(own) > 0 && own[0].actor-first < blockVisitors; own = s.next() {
		ordinal := own[0].actor
		w.r.work++
		var err error
		if visitor := ordinal - first; w.others.has(visitor) {
			if err = w.visitor(p, visitor, ordinal); err == nil {
				err = s.upTo(uint64(ordinal) + 1) // if he has no touch
			}
		} else {
			touch, ok := w.firstOf(w.startsOf(visitor))
			err = s.takeFirst(own, touch, ok)
		}
		if err != nil {
			return err
		}
	}
	return w.r.look(p)
}

// firstOf returns the first touch among starts of a visitor who comes in the joined segments alone; ok is false where
// there is none. That it may lie after the range makes no difference: all conversions come before it then.
func (w *startWalk) firstOf(starts []joinedStart) (first touch, ok bool) {
	for i := range starts {
		s := &starts[i]
		if s.flags().noTouch() {
			continue
		}
		return touch{at: w.joined.place(s), group: w.groupOfKind(s.kind)}, true
	}
	return first, false
}

// walkOthers is walkBlock for those alone who come elsewhere than in the joined segments: of the others firstJoined
// tells what there is.
func (w *startWalk) walkOthers(p *pass, first uint32) error {
	w.turn(first)
	w.r.work += 1 + len(w.hits.nodes)
	for at, word := range w.others {
		for word &= w.wanted[at]; word != 0; word &= word - 1 {
			visitor := uint32(64*at + bits.TrailingZeros64(word))
			if err := w.visitor(p, visitor, first+visitor); err != nil {
				return err
			}
		}
	}
	return w.r.look(p)
}

// startSpan is which starts of a block are a visitor's.
type startSpan struct{ from, to uint32 }

// list lists the visitors of the block who matter, with their starts in the joined segments. These lie far apart
// where few matter; looked up one right after the other, they come from memory at the same time.
func (w *startWalk) list() {
	w.visitors, w.starts = w.visitors[:0], w.starts[:0]
	apart := w.unsold(w.wanted)
	w.at.fetchEnds(&apart, &w.near)
	for at, word := range w.wanted {
		if w.at == nil {
			word &= w.others[at]
		}
		for ; word != 0; word &= word - 1 {
			visitor := uint32(64*at + bits.TrailingZeros64(word))
			own := w.startsOf(visitor)
			if len(own) == 0 && !w.others.has(visitor) {
				continue
			}
			w.visitors, w.starts = append(w.visitors, visitor), append(w.starts, own)
		}
	}
	for _, own := range w.starts {
		if len(own) > 0 {
			own[0].fetch(&w.near)
		}
	}
}

// meet finds who of a block comes elsewhere than in the joined segments.
func (w *startWalk) meet(first uint32) {
	w.hits.clear()
	w.lists.clear()
	w.others = visitorBits{}
	w.block.first = first
	if w.waits.next() < uint64(first) {
		w.waits.seek(first)
	}
	w.waits.enter(w.block, &w.lists)
	for _, visitor := range w.lists.met {
		w.others.add(visitor)
	}
	for _, of := range w.segments {
		for of.next < len(of.ordinals) && of.ordinals[of.next] < first {
			of.next++
		}
		for ; of.next < len(of.ordinals) && of.ordinals[of.next]-first < blockVisitors; of.next++ {
			if visitor := of.ordinals[of.next] - first; w.wanted.has(visitor) {
				w.others.add(visitor)
				w.hits.add(visitor, startHit{of, of.next})
			}
		}
	}
}
