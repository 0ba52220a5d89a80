package query

import (
	"errors"
	"math"
	"slices"
	"weak"

	"millimetric/index/event"
)

// Which segments' starts are joined, and when.

// restShare is the part of all rows that segments may have which are joined over others: they are joined anew when
// some of them are merged.
const restShare = 12

// openJoined finds the joined starts of a source, and leaves the other segments to be walked beside; ok is false
// where there is no room for them.
func (w *startWalk) openJoined(segments []*sealed) (ok bool, err error) {
	if len(segments) == 0 || len(segments) > joinedSegmentsMax || spanOf(segments) > joinedSpanMax {
		return len(segments) == 0, nil
	}
	settled, oldest := settledOf(segments)
	key, memo := w.r.memoKey(oldest, memoJoined, ""), w.r.common.Memo
	joined, numbers := keptStarts(memo, key, segments)
	if joined != nil && joined.needs > 0 {
		if !memo.hasRoom(joined.needs) {
			return false, nil
		}
		joined = nil
	}
	if joined == nil || joined.settled().rowsBeside(segments, numbers)*restShare > rowsOfAll(segments) {
		if !memo.hasRoom(int64(joinedShare * rowsOfAll(settled))) {
			return false, nil
		}
		if joined, err = w.joinSettled(key, joined, segments, settled); joined == nil {
			return false, err
		}
		numbers, _ = joined.covers(segments)
	}
	if joined, numbers, err = w.joinYoung(key, joined, segments, numbers); err != nil {
		return false, err
	}
	w.enterJoined(joined, segments, numbers)
	return w.openRest(restOf(segments, numbers))
}

// keptStarts returns the joined starts that the memo has, as far as the segments that they are about are still there,
// and the numbers of a source's segments in them. There are none where the settled ones aren't all there.
func keptStarts(memo *Memo, key memoKey, segments []*sealed) (joined *joinedStarts, numbers []int) {
	kept, has := memo.get(key)
	if !has {
		return nil, nil
	}
	joined = kept.(*joinedStarts)
	numbers, all := joined.covers(segments)
	if !all && joined.base != nil {
		joined = joined.base
		numbers, all = joined.covers(segments)
	}
	if !all {
		return nil, nil
	}
	return joined, numbers
}

// joinSettled joins the starts of settled ones of a source's segments, some of which may be joined already, and keeps
// them where there is room; it returns nil where they can't be joined. What is joined already stays so, if it isn't
// settled by now, too: it was when there were fewer rows.
func (w *startWalk) joinSettled(key memoKey, known *joinedStarts, segments, settled []*sealed) (*joinedStarts, error) {
	memo := w.r.common.Memo
	if known != nil {
		known = known.settled()
		settled = known.with(segments, settled)
	}
	joined, err := w.r.join(known, settled)
	if errors.Is(err, errManyTouches) {
		memo.replace(key, refusedStarts(settled, math.MaxInt64))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !memo.replace(key, joined) {
		memo.replace(key, refusedStarts(settled, joined.bytes()+memoOverhead))
	}
	return joined, nil
}

// joinYoung joins the starts of those of a source's segments that aren't joined yet, over the others, and keeps them.
// Where the memo doesn't have the others, there is no room, or they can't be told, what is known stays as it is.
func (w *startWalk) joinYoung(key memoKey, known *joinedStarts, segments []*sealed, numbers []int) (*joinedStarts, []int, error) {
	young, memo := restOf(segments, numbers), w.r.common.Memo
	if kept, has := memo.get(key); len(young) == 0 || !has || kept.(*joinedStarts).needs > 0 {
		return known, numbers, nil
	}
	refused := key
	refused.number = 1
	if kept, has := memo.get(refused); has && !memo.hasRoom(kept.(*joinedStarts).needs) {
		return known, numbers, nil
	}
	over, err := w.r.joinOver(known, segments, young)
	if errors.Is(err, errManyTouches) {
		memo.replace(refused, refusedStarts(young, math.MaxInt64))
		return known, numbers, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if !memo.replace(key, over) {
		memo.replace(key, known)
		memo.replace(refused, refusedStarts(young, over.bytes()-known.bytes()))
	}
	numbers, _ = over.covers(segments)
	return over, numbers, nil
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

// rowsBeside returns how many rows segments have that aren't joined; numbers are theirs in these or in what lies over.
func (j *joinedStarts) rowsBeside(segments []*sealed, numbers []int) (rows int) {
	for i, s := range segments {
		if numbers[i] < 0 || numbers[i] >= len(j.segments) {
			rows += s.segment.Rows()
		}
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

// smallShare is the part of what segments have on average below which one is small: it was made lately, or is about
// few late events, and will be merged with others like it before long.
const smallShare = 8

// settledOf returns the segments that are worth joining for long, and the oldest of them that is. Small ones and those
// of the newest day will be merged soon, and what was joined with them would be lost; where they are more than a few,
// all are joined.
func settledOf(segments []*sealed) (settled []*sealed, oldest *sealed) {
	const day = event.Time(24 * 60 * 60 * 1000)
	newest := event.TimeMin
	for _, s := range segments {
		newest = max(newest, lastOf(s.original)/day*day)
	}
	all := rowsOfAll(segments)
	small := all / len(segments) / smallShare
	for _, s := range segments {
		if s.firstTime() < newest && s.segment.Rows() >= small {
			settled = append(settled, s)
		}
	}
	switch {
	case len(settled) == 0:
		return segments, segments[0]
	case (all-rowsOfAll(settled))*restShare > all:
		return segments, settled[0]
	}
	return settled, settled[0]
}

// with returns, in order, those of a source's segments that are among some, or joined.
func (j *joinedStarts) with(segments, some []*sealed) (all []*sealed) {
	numbers, _ := j.covers(segments)
	for i, s := range segments {
		if numbers[i] >= 0 || slices.Contains(some, s) {
			all = append(all, s)
		}
	}
	return all
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
	w := newJoinWalk(r)
	if known != nil {
		numbers, _ := known.covers(segments)
		w.enterJoined(known, segments, numbers)
	}
	if err := w.findAll(more); err != nil {
		return nil, err
	}
	p := everything()
	held := int64(0)
	for _, of := range w.segments {
		held += of.bytes()
	}
	p.size = func() int { return int(held / entryBytes) }
	return w.joinAll(p, rowsOfAll(more), segments[0].firstTime(), drain, false)
}

// findAll finds the starts of segments, which the memo isn't to keep.
func (w *startWalk) findAll(segments []*sealed) error {
	found := make([]*visitStarts, len(segments))
	err := w.r.lookAtEach(len(segments), rowsOfAll(segments), func(worker *run) func(int) error {
		held, p := int64(0), everything()
		p.size = func() int { return int(held / entryBytes) }
		return func(i int) (err error) {
			s := segments[i].openedBy(worker)
			if found[i], err = worker.findStarts(p, s, nil); err != nil {
				return err
			}
			held += found[i].bytes()
			s.runs = nil // all together take as much as the starts
			return nil
		}
	})
	for i, s := range segments {
		w.segments = append(w.segments, &startSegment{visitStarts: found[i], sealed: s})
	}
	return err
}

// everything is a pass over all that a source shows.
func everything() *pass {
	return &pass{from: event.TimeMin, to: event.TimeMax + 1, wants: conditionsOf(nil, nil), size: func() int { return 0 }}
}
