package query

import (
	"errors"
	"math"
	"slices"
	"strings"
	"weak"

	"millimetric/index/event"
)

// How starts of segments are joined, and which are.

// restShare is the part of all rows that segments may have which aren't joined: about so much of the visitors is
// looked at one by one.
const restShare = 16

// openJoined finds the joined starts of a source, and leaves the other segments to be walked beside; ok is false
// where there is no room for them.
func (w *startWalk) openJoined(segments []*sealed) (ok bool, err error) {
	if len(segments) == 0 || len(segments) > joinedSegmentsMax || spanOf(segments) > joinedSpanMax {
		return len(segments) == 0, nil
	}
	key, memo := w.r.memoKey(segments[0], memoJoined, ""), w.r.common.Memo
	var base *joinedStarts // to go on from
	if kept, has := memo.get(key); has {
		joined := kept.(*joinedStarts)
		numbers, all := joined.covers(segments)
		switch rest := restOf(segments, numbers); {
		case !all: // it is about segments that are gone
		case joined.needs > 0 && !memo.hasRoom(joined.needs):
			return false, nil
		case joined.needs > 0:
		case rowsOfAll(rest)*restShare <= rowsOfAll(segments):
			w.enterJoined(joined, segments, numbers)
			return w.openRest(rest)
		default:
			base = joined
		}
	}
	settled := settledOf(segments)
	if !memo.hasRoom(int64(joinedShare * rowsOfAll(settled))) {
		return false, nil
	}
	joined, err := w.r.join(base, settled)
	if errors.Is(err, errManyTouches) {
		memo.replace(key, refusedStarts(settled, math.MaxInt64))
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !memo.replace(key, joined) {
		memo.replace(key, refusedStarts(settled, joined.bytes()+memoOverhead))
	}
	numbers, _ := joined.covers(segments)
	w.enterJoined(joined, segments, numbers)
	return w.openRest(restOf(segments, numbers))
}

// refusedStarts say of some segments that their starts are only joined where there is room for so many bytes.
func refusedStarts(segments []*sealed, bytes int64) *joinedStarts {
	j := &joinedStarts{needs: bytes}
	for _, s := range segments {
		j.segments = append(j.segments, joinedSegment{segment: weak.Make(s.original)})
	}
	return j
}

func spanOf(segments []*sealed) event.Time {
	end := event.TimeMin
	for _, s := range segments {
		end = max(end, lastOf(s.original))
	}
	return end - segments[0].firstTime()
}

func rowsOfAll(segments []*sealed) int {
	rows := 0
	for _, s := range segments {
		rows += s.segment.Rows()
	}
	return rows
}

// restOf returns the segments that aren't joined.
func restOf(segments []*sealed, numbers []int) []*sealed {
	var rest []*sealed
	for i, s := range segments {
		if numbers[i] < 0 {
			rest = append(rest, s)
		}
	}
	return rest
}

// settledOf returns the segments that are worth joining: those of the newest day will be merged soon, if there
// are several, and what was joined with them would be lost.
func settledOf(segments []*sealed) []*sealed {
	const day = event.Time(24 * 60 * 60 * 1000)
	newest := event.TimeMin
	for _, s := range segments {
		newest = max(newest, lastOf(s.original)/day*day)
	}
	var settled, young []*sealed
	for _, s := range segments {
		if s.firstTime() >= newest {
			young = append(young, s)
		} else {
			settled = append(settled, s)
		}
	}
	if len(young) < 2 || len(settled) == 0 || rowsOfAll(young)*restShare > rowsOfAll(segments) {
		return segments
	}
	return settled
}

// enterJoined takes joined starts for those of some segments of the source.
func (w *startWalk) enterJoined(joined *joinedStarts, segments []*sealed, numbers []int) {
	w.joined, w.joinedGroups = joined, make([]uint32, len(joined.kinds))
	w.origins = make([]*startSegment, len(joined.segments))
	for i, s := range segments {
		if numbers[i] >= 0 {
			w.origins[numbers[i]] = &startSegment{sealed: s}
		}
	}
}

// openRest finds the starts of segments that aren't joined; ok is false where they can't be told.
func (w *startWalk) openRest(rest []*sealed) (ok bool, err error) {
	for _, s := range rest {
		starts, err := w.r.startsOf(everything(), s)
		if errors.Is(err, errManyTouches) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		w.segments = append(w.segments, &startSegment{visitStarts: starts, sealed: s})
	}
	return true, nil
}

// Starts of segments lie in memory until they are joined, and take some ten bytes for each row: so that is done with
// as many rows at a time as make a sixth of what the memo may hold, or, where more are joined already, with a share
// of these, as all that is joined is copied each time.
const (
	joinRowBytes = 64
	joinShare    = 3
)

// join joins the starts of segments. Those of some of them may be joined already.
func (r *run) join(known *joinedStarts, segments []*sealed) (*joinedStarts, error) {
	joined, more := known, segments
	if known != nil {
		numbers, _ := known.covers(segments)
		more = restOf(segments, numbers)
	}
	rows, most := rowsOfAll(segments)-rowsOfAll(more), int(r.common.Memo.most/joinRowBytes)
	for len(more) > 0 {
		n, own := 1, more[0].segment.Rows()
		for n < len(more) && own+more[n].segment.Rows() <= max(most, rows/joinShare) {
			own += more[n].segment.Rows()
			n++
		}
		var err error
		if joined, err = r.joinSome(joined, joined != known, segments, more[:n]); err != nil {
			return nil, err
		}
		more, rows = more[n:], rows+own
	}
	return joined, nil
}

// joinSome joins the starts of some more segments to what is known of others; drain says that this is needed no more.
func (r *run) joinSome(known *joinedStarts, drain bool, segments, more []*sealed) (*joinedStarts, error) {
	w := newStartWalk(newTouchWalk(r, &Attribution{Common: Common{To: event.TimeMax + 1}}))
	if known != nil {
		numbers, _ := known.covers(segments)
		w.enterJoined(known, segments, numbers)
	}
	held := int64(0)
	p := everything()
	p.size = func() int { return int(held / entryBytes) }
	for _, s := range more {
		starts, err := r.findStarts(p, s, nil)
		if err != nil {
			return nil, err
		}
		held += starts.bytes()
		w.segments = append(w.segments, &startSegment{visitStarts: starts, sealed: s})
	}
	j := newJoining(w)
	j.time, j.drain = segments[0].firstTime(), drain
	w.joining = j
	if err := w.walk(p); err != nil {
		return nil, err
	}
	j.close()
	joined := j.joinedStarts // a copy: what it was made with must not stay with it
	return &joined, nil
}

// everything is a pass over all that a source shows.
func everything() *pass {
	return &pass{from: event.TimeMin, to: event.TimeMax + 1, wants: conditionsOf(nil, nil), size: func() int { return 0 }}
}

// joining are joined starts that grow, visitor by visitor.
type joining struct {
	joinedStarts
	numbers map[*startSegment]uint16
	kindOf  map[touchTexts]uint16
	at      *joinedBlock
	filled  uint32 // visitors of the block up to whom ends are known
	drain   bool   // what was joined before is dropped, block by block
}

// newJoining prepares to join what a walk goes over. Segments and kinds that are joined keep their numbers.
func newJoining(w *startWalk) *joining {
	j := &joining{numbers: map[*startSegment]uint16{}, kindOf: map[touchTexts]uint16{}}
	if w.joined != nil {
		j.segments, j.kinds = slices.Clone(w.joined.segments), slices.Clone(w.joined.kinds)
	}
	for number, of := range w.origins {
		j.numbers[of] = uint16(number)
	}
	for kind, texts := range j.kinds {
		j.kindOf[texts] = uint16(kind)
	}
	for _, of := range w.segments {
		j.numbers[of] = uint16(len(j.segments))
		j.segments = append(j.segments, joinedSegment{weak.Make(of.sealed.original), of.time, of.seq})
	}
	return j
}

func textsOfTouch(s *sealed, touch uint32) (texts touchTexts, err error) {
	for i := range texts {
		c := colSource + column(i)
		table, err := s.table(c)
		if err != nil {
			return texts, err
		}
		text, err := s.column(c).at(table[touch])
		if err != nil {
			return texts, err
		}
		texts[i] = strings.Clone(text) // which would hold all the texts around it
	}
	return texts, nil
}

// join takes the visitor at hand, whose starts are known, into the joined starts.
func (w *startWalk) join(visitor uint32, hits []startHit) error {
	if len(hits) == 0 {
		return nil
	}
	j := w.joining
	j.turn(w.block.first, visitor)
	j.at.last[visitor] = w.lastSecond(hits)
	for i := range w.known {
		k := &w.known[i]
		if k.flags&(startDropped|startCut|startSoon) == startCut {
			was, err := w.wasThere(k, hits, nil)
			if err != nil {
				return err
			}
			if was {
				k.flags |= startSoon
			}
		}
		if err := j.add(k); err != nil {
			return err
		}
	}
	j.at.ends[visitor] = uint32(len(j.at.list))
	return nil
}

// copyJoined takes a visitor over of whom there is nothing new.
func (w *startWalk) copyJoined(visitor uint32) {
	last, ok := w.joined.lastBefore(w.at, visitor)
	if !ok {
		return
	}
	j := w.joining
	j.turn(w.block.first, visitor)
	j.at.last[visitor] = j.secondOf(last - 1)
	j.at.list = append(j.at.list, w.at.of(visitor)...)
	j.at.ends[visitor] = uint32(len(j.at.list))
}

// secondOf returns the end of the second in which an event lies.
func (j *joining) secondOf(t event.Time) uint32 { return uint32((t-j.time)/1000) + 1 }

// lastSecond returns the end of the second in which the last event of the visitor at hand lies.
func (w *startWalk) lastSecond(hits []startHit) uint32 {
	last := event.TimeMin
	for _, h := range hits {
		if h.of == nil {
			before, _ := w.joined.lastBefore(w.at, uint32(h.at))
			last = max(last, before-1)
		} else {
			last = max(last, h.of.time+event.Time(h.of.last[h.at]))
		}
	}
	return w.joining.secondOf(last)
}

// turn moves on to a visitor. Those before him have no starts but those that are known.
func (j *joining) turn(first, visitor uint32) {
	if at := int(first / blockVisitors); len(j.blocks) <= at {
		j.close()
		j.blocks = append(j.blocks, make([]*joinedBlock, at+1-len(j.blocks))...)
		j.at, j.filled = &joinedBlock{}, 0
		j.blocks[at] = j.at
	}
	j.fill(visitor)
	j.filled = visitor + 1
}

// fill makes the ends of visitors without starts those of whoever comes before them.
func (j *joining) fill(visitor uint32) {
	for ; j.filled < visitor; j.filled++ {
		j.at.ends[j.filled] = uint32(len(j.at.list))
	}
}

// close ends a block.
func (j *joining) close() {
	if j.at != nil {
		j.fill(blockVisitors)
		j.at.list = slices.Clip(slices.Clone(j.at.list))
	}
}

// add adds a start.
func (j *joining) add(k *knownStart) error {
	kind, err := j.kindOfStart(k)
	if err != nil {
		return err
	}
	number := j.numbers[k.of]
	of := &j.segments[number]
	j.at.list = append(j.at.list, joinedStart{
		time: uint32(k.at.time - of.time), seq: uint32(k.at.seq - of.seq), index: k.index, sum: k.sum, kind: kind,
		where: number | uint16(k.flags)*joinedSegmentsMax,
	})
	return nil
}

// kindOfStart returns the number of what a start says about where its visit came from.
func (j *joining) kindOfStart(k *knownStart) (uint16, error) {
	if k.joined {
		return k.touch, nil
	}
	slot := at(&k.of.groups, uint32(k.touch))
	if *slot != 0 {
		return uint16(*slot - 1), nil
	}
	texts, err := textsOfTouch(k.of.sealed, uint32(k.touch))
	if err != nil {
		return 0, err
	}
	kind, known := j.kindOf[texts]
	if !known {
		if len(j.kinds) == joinedKindsMax {
			return 0, errManyTouches
		}
		kind = uint16(len(j.kinds))
		j.kindOf[texts] = kind
		j.kinds = append(j.kinds, texts)
	}
	*slot = uint32(kind) + 1
	return kind, nil
}
