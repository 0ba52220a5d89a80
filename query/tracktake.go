package query

import (
	"math/bits"
	"slices"

	"millimetric/index/event"
)

// How the events of a block become marks.

// take takes the visitors of a block in a segment, and returns how many events they have there.
func (w *trackWalk) take(first uint32, of *trackSegment) (events int, err error) {
	from := of.run
	of.fetch(first, &w.near)
	for ; of.run < len(of.ordinals) && of.ordinals[of.run]-first < blockVisitors; of.run++ {
		visitor := of.ordinals[of.run] - first
		if !of.inside {
			w.countMarks(of, of.run)
		}
		switch {
		case w.anyone || w.goFurther.has(visitor):
			w.hits.add(visitor, trackHit{of.number, uint32(of.run)})
		case w.starts == nil && w.begun.has(visitor): // which is all there is to know
		default:
			if err := w.takeBegin(of, visitor, of.run); err != nil {
				return 0, err
			}
		}
	}
	if from < of.run {
		start, _ := of.of(from)
		events = int(of.ends[of.run-1]) - start
	}
	return events, nil
}

// fetch reads a word of each cache line that has events of a block: they come from memory at the same time then, where
// one visitor after the other would wait for his.
func (s *trackSegment) fetch(first uint32, near *uint32) {
	n, _ := slices.BinarySearch(s.ordinals[s.run:], first+blockVisitors)
	if n == 0 {
		return
	}
	from, _ := s.of(s.run)
	to := int(s.ends[s.run+n-1])
	for i := from; i < to; i += cacheLine / 4 {
		*near += s.times[i]
	}
	for i := from; i < to; i += cacheLine {
		*near += uint32(s.names[i])
	}
}

// cacheLine is how many bytes memory gives at once, on most machines.
const cacheLine = 64

// countMarks counts the events of a visitor that matter, in a segment that holds others, too.
func (w *trackWalk) countMarks(of *trackSegment, k int) {
	from, to := of.of(k)
	for i := from; i < to; i++ {
		if w.matters(of, i) {
			w.r.cost.Matched++
		}
	}
}

// takeBegin notes when a visitor began his first attempt of whom nothing else matters.
func (w *trackWalk) takeBegin(of *trackSegment, visitor uint32, k int) error {
	known := w.begun.has(visitor)
	if known && of.time > w.first[visitor].time {
		return nil
	}
	from, to := of.of(k)
	for i := from; i < to; i++ {
		t := of.time + event.Time(of.times[i])
		if of.kinds[of.names[i]] != trackBegins || !of.inside && (t < w.from || t >= w.pass.to || t >= w.see.beginTo) {
			continue
		}
		own := trackBegin{t, of.number, uint32(i)}
		if known {
			before, err := w.isBefore(&own, &w.first[visitor], w.room.first+visitor)
			if err != nil || !before {
				return err
			}
		}
		w.begun.add(visitor)
		w.first[visitor] = own
		return nil
	}
	return nil
}

// isBefore tells which of two events of a visitor in two segments came first.
func (w *trackWalk) isBefore(a, b *trackBegin, ordinal uint32) (bool, error) {
	if a.time != b.time {
		return a.time < b.time, nil
	}
	marks, err := w.exactly(ordinal, []funnelMark{a.mark(), b.mark()})
	return err == nil && marks[0].who == a.of, err
}

func (t *trackBegin) mark() funnelMark {
	return funnelMark{time: t.time, seq: event.Seq(t.index), steps: 1, begins: true, visit: t.of, who: t.of}
}

// followAll follows the visitors of a block who may do more than begin attempts.
func (w *trackWalk) followAll(first uint32) error {
	w.hits.sort()
	for at, word := range w.hits.met {
		for ; word != 0; word &= word - 1 {
			if err := w.follow(first, uint32(64*at+bits.TrailingZeros64(word))); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow finds how far a visitor came.
func (w *trackWalk) follow(first, visitor uint32) error {
	hits := w.hits.of(visitor)
	live := w.lists.added(visitor)
	if len(live) == 0 && (w.inRow(hits) || w.inOrder(hits)) {
		if f := w.path; f.reached > 0 {
			w.reach(visitor, reachedStep{first: f.best.first}, f.bestTimes())
		}
		return nil
	}
	if err := w.markAll(first+visitor, hits, live); err != nil || len(w.line) == 0 {
		return err
	}
	trail := w.best(w.line)
	if trail == nil {
		return nil
	}
	marks := w.flow.marks
	w.trail = w.trail[:0]
	for _, i := range trail {
		w.trail = append(w.trail, marks[i].time)
	}
	opening := &marks[trail[0]]
	w.reach(visitor, reachedStep{first: trackBegin{opening.time, opening.visit, uint32(opening.seq)}, seq: opening.seq}, w.trail)
	return nil
}

// reach takes how far a visitor came.
func (w *trackWalk) reach(visitor uint32, one reachedStep, times []event.Time) {
	if w.starts == nil {
		w.result.enter(0, times)
		return
	}
	w.begun.add(visitor)
	if one.visitor = visitor; len(times) > 1 {
		one.group = w.result.enterBeyond(0, times)
	}
	w.reached = append(w.reached, one)
}

// trackCursor is where a walk over events of a visitor in a segment has come to.
type trackCursor struct {
	of     *trackSegment
	at, to int
	time   event.Time // of the event there
}

// inRow offers the events of a visitor to the flow, one segment after the other; it returns false where these overlap.
func (w *trackWalk) inRow(hits []trackHit) bool {
	last := event.TimeMin
	for _, h := range hits {
		of := w.segments[h.of-1]
		from, to := of.of(int(h.at))
		if t := of.time + event.Time(of.times[from]); t <= last {
			return false
		}
		last = of.time + event.Time(of.times[to-1])
	}
	w.path.clear()
	for _, h := range hits {
		of := w.segments[h.of-1]
		if from, to := of.of(int(h.at)); of.inside {
			w.offerInside(of, from, to)
		} else {
			c := trackCursor{of: of, at: from, to: to}
			w.offerUntil(&c, event.TimeMax+1)
		}
		if w.path.done() {
			break
		}
	}
	return true
}

// offerInside offers events to the flow, all of which matter. Of some in a row that can only begin an attempt, all but
// the last are as if they weren't, unless one is the first of all.
func (w *trackWalk) offerInside(of *trackSegment, from, to int) {
	f, times := w.path, of.times[from:to]
	waits := -1 // the one that begins an attempt next
	for i, name := range of.names[from:to] {
		switch of.kinds[name] {
		case trackBegins:
			if waits = i; f.reached == 0 {
				f.begin(of.beginAt(from, i, times))
			}
		case trackAny:
			mark := &of.marks[name]
			if waits < 0 && mark.bars == 0 && mark.steps&(f.taken|1) == 0 {
				continue
			}
			if waits >= 0 {
				f.begin(of.beginAt(from, waits, times))
				waits = -1
			}
			if f.offer(of.beginAt(from, i, times), mark); f.done() {
				return
			}
		}
	}
	if waits >= 0 {
		f.begin(of.beginAt(from, waits, times))
	}
}

// beginAt is the event of a number, from one on, as it may begin an attempt.
func (s *trackSegment) beginAt(from, i int, times []uint32) trackBegin {
	return trackBegin{s.time + event.Time(times[i]), s.number, uint32(from + i)}
}

// inOrder offers the events of a visitor to the flow, those of his segments merged; it returns false where two
// segments have events of one moment, as their places tell no order.
func (w *trackWalk) inOrder(hits []trackHit) bool {
	w.path.clear()
	cursors := w.cursors[:0]
	for _, h := range hits {
		of := w.segments[h.of-1]
		c := trackCursor{of: of}
		c.at, c.to = of.of(int(h.at))
		if w.offerUntil(&c, event.TimeMin) {
			cursors = append(cursors, c)
		}
	}
	w.cursors = cursors
	for len(cursors) > 1 && !w.path.done() {
		next, until := earliest(cursors)
		if cursors[next].time == until {
			return false
		}
		if !w.offerUntil(&cursors[next], until) {
			cursors = slices.Delete(cursors, next, next+1)
		}
	}
	if len(cursors) == 1 {
		w.offerUntil(&cursors[0], event.TimeMax+1)
	}
	return true
}

// earliest returns which of some cursors stands at the earliest event, and the time of the others' earliest.
func earliest(cursors []trackCursor) (next int, until event.Time) {
	until = event.TimeMax + 1
	for i := 1; i < len(cursors); i++ {
		if t := cursors[i].time; t < cursors[next].time {
			next, until = i, cursors[next].time
		} else {
			until = min(until, t)
		}
	}
	return next, until
}

// offerUntil offers events to the flow up to a time. It leaves the cursor at the first that doesn't come before, and
// returns whether there is one.
func (w *trackWalk) offerUntil(c *trackCursor, until event.Time) bool {
	of, f := c.of, w.path
	times := of.times[c.at:c.to]
	for i, name := range of.names[c.at:c.to] {
		kind := of.kinds[name]
		if kind == trackNothing {
			continue
		}
		t := of.time + event.Time(times[i])
		switch {
		case t >= until:
			c.at, c.time = c.at+i, t
			return true
		case !of.inside && (t < w.from || t >= w.pass.to):
		case kind == trackBegins:
			f.begin(trackBegin{t, of.number, uint32(c.at + i)})
		default:
			f.offer(trackBegin{t, of.number, uint32(c.at + i)}, &of.marks[name])
		}
		if f.done() {
			return false
		}
	}
	return false
}

// markAll makes marks of all events of a visitor that matter, and brings them in order.
func (w *trackWalk) markAll(ordinal uint32, hits []trackHit, live []funnelMark) error {
	w.line = append(w.line[:0], live...)
	for _, h := range hits {
		of := w.segments[h.of-1]
		from, to := of.of(int(h.at))
		for i := from; i < to; i++ {
			if w.matters(of, i) {
				w.line = append(w.line, w.markAt(of, i))
			}
		}
	}
	slices.SortFunc(w.line, compareMarks)
	if !tied(w.line) {
		return nil
	}
	exact, err := w.exactly(ordinal, w.line)
	w.line = append(w.line[:0], exact...)
	return err
}

// matters tells whether an event may be a mark.
func (w *trackWalk) matters(of *trackSegment, i int) bool {
	if of.kinds[of.names[i]] == trackNothing {
		return false
	}
	t := of.time + event.Time(of.times[i])
	return of.inside || t >= w.from && t < w.pass.to
}

// markAt makes the mark of an event. In the place of its position it has a number that is good among the
// events of the segment.
func (w *trackWalk) markAt(of *trackSegment, i int) funnelMark {
	n := &of.marks[of.names[i]]
	m := funnelMark{time: of.time + event.Time(of.times[i]), seq: event.Seq(i), steps: n.steps, bars: n.bars, visit: of.number}
	m.begins = m.steps&1 != 0 && m.time < w.see.beginTo
	return m
}
