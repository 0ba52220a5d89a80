package query

import (
	"math"
	"slices"
	"weak"

	"millimetric/index"
	"millimetric/index/event"
)

// Of which segments there are courses, and when.

// joinable returns the segments that are worth having courses of, which may be none: those that a question is about as a
// whole. Small ones are merged soon, and what was found out with them would be lost.
func (w *trackWalk) joinable() []*trackSegment {
	if !w.see.hasCourses() || len(w.segments) == 0 {
		return nil
	}
	rows := 0
	for _, of := range w.segments {
		rows += of.sealed.segment.Rows()
	}
	small := rows / len(w.segments) / smallShare
	var joined []*trackSegment
	end := event.TimeMin
	for _, of := range w.segments {
		if of.inside && of.sealed.segment.Rows() >= small {
			joined = append(joined, of)
			end = max(end, lastOf(of.sealed.original))
		}
	}
	if len(joined) == 0 || len(joined) > courseSegmentsMax || end-joined[0].sealed.firstTime() >= courseSpanMax {
		return nil
	}
	return joined
}

func segmentsOfTracks(list []*trackSegment) []weak.Pointer[index.Segment] {
	segments := make([]weak.Pointer[index.Segment], len(list))
	for i, of := range list {
		segments[i] = weak.Make(of.sealed.original)
	}
	return segments
}

// courseKey names the courses of segments in the memo. askedKey names beside that the steps were asked for.
func (w *trackWalk) courseKey(joined []*trackSegment) (key, askedKey memoKey) {
	key = w.r.memoKey(joined[0].sealed, memoCourses, w.see.courseName())
	askedKey = key
	askedKey.number = 1
	return key, askedKey
}

// knownCourses returns the courses of segments that the memo has, nil where it has none. ask tells whether they are to be
// found then: the steps were asked for before.
func (w *trackWalk) knownCourses(joined []*trackSegment) (known *courses, ask bool) {
	if len(joined) == 0 {
		return nil, false
	}
	memo := w.r.common.Memo
	key, askedKey := w.courseKey(joined)
	if kept, ok := memo.get(key); ok && slices.Equal(kept.(*courses).segments, segmentsOfTracks(joined)) {
		return kept.(*courses), false
	}
	asked, before := memo.get(askedKey)
	if !before {
		memo.put(askedKey, coursesAsked{})
	}
	return nil, before && memo.hasRoom(asked.(coursesAsked).needs)
}

// coursesAsked is that steps were asked for, of which courses need so many bytes, where that is known and there was no
// room for them.
type coursesAsked struct{ needs int64 }

func (coursesAsked) bytes() int64 { return 0 }

// makeCourses finds the courses of segments, and keeps them.
func (w *trackWalk) makeCourses(joined []*trackSegment) (*courses, error) {
	c, err := w.findCourses(joined)
	if err != nil {
		return nil, err
	}
	key, askedKey := w.courseKey(joined)
	if !w.r.common.Memo.replace(key, c) {
		w.r.common.Memo.replace(askedKey, coursesAsked{c.bytes() + memoOverhead})
	}
	return c, nil
}

// noneLive tells whether no live event may matter.
func (w *trackWalk) noneLive() (none bool, err error) {
	none = true
	err = w.r.source.Live(w.from, w.pass.to, func(*event.Event, uint32) bool {
		none = false
		return false
	})
	return none, err
}

// enterCourses takes the courses of segments. Who comes elsewhere, too, may do anything: a course tells nothing of him.
func (w *trackWalk) enterCourses(c *courses, joined []*trackSegment) {
	w.beside = w.segments
	if c == nil {
		return
	}
	w.courses, w.joined, w.beside, w.anyone = c, joined, nil, true
	for _, of := range joined {
		of.joined, of.sealed.used = true, true
	}
	for _, of := range w.segments {
		if !of.joined {
			w.beside = append(w.beside, of)
		}
	}
	w.r.cost.Matched += c.matched
}

// unplaced is, in the place of its segment, that it isn't known where an event is.
const unplaced = math.MaxUint32
