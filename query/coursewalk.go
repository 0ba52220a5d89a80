package query

import (
	"slices"

	"millimetric/index/event"
)

// How visitors are followed whose courses are known.

// followCourses finds how far those visitors of a block came who come in the joined segments alone. Others were followed
// before.
func (w *trackWalk) followCourses(first uint32) {
	if w.courses == nil {
		return
	}
	w.nextBlock = int(first/blockVisitors) + 1
	w.byCourse = len(w.reached)
	b := w.courses.block(first)
	if b == nil {
		return
	}
	touches := w.touchesOf(first, &w.elsewhere)
	from := 0
	for k, visitor := range b.visitors {
		to := int(b.ends[k] / 2)
		if !w.hits.met.has(uint32(visitor)) {
			begin, times := w.followCourse(b, k, from, to)
			if len(touches) > 0 && touches[k] > 0 && !w.elsewhere.has(uint32(visitor)) {
				w.result.enter(w.groupOfKind(touches[k]-1), times)
			} else {
				w.reach(uint32(visitor), &begin, times)
			}
		}
		from = to
	}
	w.r.work += len(b.times) / rowsPerWork
}

// followCourse follows a visitor through his course. What it returns holds until it is called again.
func (w *trackWalk) followCourse(b *courseBlock, k, from, to int) (begin trackBegin, times []event.Time) {
	if b.ends[k]%2 == 1 {
		return w.followCrooked(b, k, from, to)
	}
	begun := b.timeAt(from)
	w.trail = append(w.trail[:0], w.courses.time+begun)
	for i := from + 1; i < to; i++ {
		t := b.timeAt(i)
		if int64(t-begun) > w.flow.window {
			break
		}
		w.trail = append(w.trail, w.courses.time+t)
	}
	return w.courseBegin(b, k, from), w.trail
}

// followCrooked follows one whose course isn't one attempt.
func (w *trackWalk) followCrooked(b *courseBlock, k, from, to int) (begin trackBegin, times []event.Time) {
	f := w.path
	f.clear()
	f.begin(w.courseBegin(b, k, from))
	for i := from + 1; i < to && !f.done(); i++ {
		e := trackBegin{time: w.courses.time + b.timeAt(i), of: unplaced}
		if step := b.stepAt(i); step == 0 {
			f.begin(e)
		} else {
			f.offer(e, &nameMark{steps: 1 << step})
		}
	}
	return f.best.first, f.bestTimes()
}

// courseBegin is the first event of a course.
func (w *trackWalk) courseBegin(b *courseBlock, k, from int) trackBegin {
	e := trackBegin{time: w.courses.time + b.timeAt(from), of: unplaced}
	if of := b.of[k]; of != placeless {
		e.of, e.index = w.joined[of].number, b.index[k]
	}
	return e
}

// findPlace finds where the first event is of the attempt of a visitor whose course is known.
func (w *trackWalk) findPlace(ordinal uint32, begin *trackBegin) error {
	w.places = w.places[:0]
	for _, of := range w.joined {
		if err := w.load(of); err != nil {
			return err
		}
		if k, found := slices.BinarySearch(of.ordinals, ordinal); found {
			from, to := of.of(k)
			w.places = append(w.places, trackHit{of.number, uint32(from), uint32(to)})
		}
	}
	if err := w.markAll(ordinal, w.places, nil); err != nil {
		return err
	}
	trail := w.best(w.line)
	*begin = w.beginOf(ordinal%blockVisitors, &w.flow.marks[trail[0]])
	return nil
}

// load opens the tracks of a joined segment.
func (w *trackWalk) load(of *trackSegment) (err error) {
	if of.eventTracks == nil {
		of.eventTracks, err = w.r.tracksOf(w.pass, of.sealed)
	}
	return err
}

// takeAmong takes those of some visitors of a block whom a joined segment has.
func (w *trackWalk) takeAmong(first uint32, of *trackSegment, who *visitorBits) (events int) {
	if *who == (visitorBits{}) {
		return 0
	}
	of.skipTo(first)
	for ; of.run < len(of.ordinals) && of.ordinals[of.run]-first < blockVisitors; of.run++ {
		if visitor := of.ordinals[of.run] - first; who.has(visitor) {
			from, to := of.of(of.run)
			w.hits.add(visitor, trackHit{of.number, uint32(from), uint32(to)})
			events += to - from
		}
	}
	return events
}

// skipTo passes over the visitors below one.
func (s *trackSegment) skipTo(visitor uint32) {
	for s.run < len(s.ordinals) && s.ordinals[s.run] < visitor {
		s.run++
	}
}

// meet notes who of a block comes in a segment.
func (s *trackSegment) meet(first uint32, who *visitorBits) {
	for run := s.run; run < len(s.ordinals) && s.ordinals[run]-first < blockVisitors; run++ {
		who.add(s.ordinals[run] - first)
	}
}
