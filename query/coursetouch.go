package query

import (
	"math"
	"slices"
	"weak"

	"millimetric/index"
)

// courseTouches are, of the visitors who have courses, the first touches in joined starts that don't come after the first
// event of the course: these come before whatever attempt of it is reported. The memo keeps them; they are good for these
// courses and these starts, and not for who comes elsewhere than in the joined ones.
type courseTouches struct {
	courses weak.Pointer[courses]
	starts  weak.Pointer[joinedStarts]
	of      []weak.Pointer[index.Segment] // which both are about
	kinds   [][]uint16                    // by block, by course: the kind of the touch plus one; 0 where none is known
}

func (t *courseTouches) bytes() (bytes int64) {
	for _, kinds := range t.kinds {
		bytes += 24 + 2*int64(cap(kinds))
	}
	return bytes + 8*int64(len(t.of))
}

func (t *courseTouches) about() []weak.Pointer[index.Segment] { return t.of }

func (w *trackWalk) touchKey() memoKey {
	key, _ := w.courseKey(w.joined)
	key.kind = memoCourseTouches
	return key
}

// openTouches finds the first touches that the memo has. Where it has none, they are noted on the way.
func (w *trackWalk) openTouches() {
	if w.courses == nil || w.starts == nil || w.starts.joined == nil {
		return
	}
	if kept, ok := w.r.common.Memo.get(w.touchKey()); ok {
		known := kept.(*courseTouches)
		if known.courses == weak.Make(w.courses) && known.starts == weak.Make(w.starts.joined) {
			w.touchKinds = known.kinds
			return
		}
	}
	w.noted = make([][]uint16, len(w.courses.blocks))
}

// keepTouches keeps what was noted, once all blocks were walked.
func (w *trackWalk) keepTouches() {
	if w.noted == nil {
		return
	}
	w.r.common.Memo.replace(w.touchKey(), &courseTouches{
		courses: weak.Make(w.courses), starts: weak.Make(w.starts.joined),
		of: slices.Concat(w.courses.about(), w.starts.joined.about()), kinds: w.noted,
	})
}

// noteTouches notes the first touches of a block, at which the walk of starts is.
func (w *trackWalk) noteTouches(first uint32) {
	b := w.courses.block(first)
	if w.noted == nil || b == nil {
		return
	}
	kinds := make([]uint16, len(b.visitors))
	from := 0
	for k, visitor := range b.visitors {
		start := w.starts.firstJoined(uint32(visitor), w.touchPass.to)
		if start != nil && start.kind < math.MaxUint16 && w.isFirst(start, w.courseBegin(b, k, from)) {
			kinds[k] = start.kind + 1
		}
		from = int(b.ends[k] / 2)
	}
	w.noted[first/blockVisitors] = kinds
}

// isFirst tells whether a start is known not to come after an event.
func (w *trackWalk) isFirst(start *joinedStart, begin trackBegin) bool {
	if t := w.starts.joined.timeOf(start); t != begin.time {
		return t < begin.time
	}
	of := w.starts.origins[start.segment()].sealed
	return begin.of != unplaced && w.segments[begin.of-1].sealed == of && start.index <= begin.index
}

// touchesOf returns the first touches of a block that are known, by course, and who of it they aren't good for; nil
// where none are known.
func (w *trackWalk) touchesOf(first uint32, elsewhere *visitorBits) []uint16 {
	if w.touchKinds == nil {
		return nil
	}
	*elsewhere = visitorBits{}
	w.starts.peek(first, elsewhere)
	return w.touchKinds[first/blockVisitors]
}

// peek notes who of a block that comes next has starts elsewhere than in the joined segments.
func (w *startWalk) peek(first uint32, who *visitorBits) {
	note := func(ordinal uint32) (more bool) {
		if ordinal >= first && ordinal-first < blockVisitors {
			who.add(ordinal - first)
		}
		return ordinal < first || ordinal-first < blockVisitors
	}
	w.waits.next() // which sorts them
	for i := 0; i < len(w.waits.list) && note(w.waits.list[i].visitor); i++ {
	}
	for _, of := range w.segments {
		for at := of.next; at < len(of.ordinals) && note(of.ordinals[at]); at++ {
		}
	}
}
