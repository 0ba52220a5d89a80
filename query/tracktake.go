package query

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

// How the events of a block become marks.

// take takes the visitors of a block in a segment, and returns how many events they have there.
func (w *trackWalk) take(first uint32, of *trackSegment) (events int, err error) {
	from := of.run
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

// follow finds how far a visitor came.
func (w *trackWalk) follow(first, visitor uint32) error {
	hits := w.hits.added(visitor)
	var live []funnelMark
	if hits[0].of == 0 {
		hits, live = hits[1:], w.lists.added(visitor)
	}
	if len(live) > 0 || !w.markInOrder(hits) && (!w.sortHits(hits) || !w.markInOrder(hits)) {
		if err := w.markAll(first+visitor, hits, live); err != nil {
			return err
		}
	}
	if len(w.line) == 0 {
		return nil
	}
	trail := w.best(w.line)
	if trail == nil {
		return nil
	}
	marks := w.flow.marks
	from := len(w.times)
	for _, i := range trail {
		w.times = append(w.times, marks[i].time)
	}
	if w.starts == nil {
		w.result.enter(0, w.times[from:])
		w.times = w.times[:from]
		return nil
	}
	w.begun.add(visitor)
	w.reached = append(w.reached, reachedStep{visitor: visitor, first: marks[trail[0]], from: from, to: len(w.times)})
	return nil
}

// markInOrder makes the marks of a visitor, where the events of one segment come behind those of the one before;
// else it returns false.
func (w *trackWalk) markInOrder(hits []trackHit) bool {
	w.line, w.waiting.of = w.line[:0], 0
	last := event.TimeMin - 1 // of an event that matters
	for _, h := range hits {
		of := w.segments[h.of-1]
		from, to := of.of(int(h.at))
		for from < to && !w.matters(of, from) {
			from++
		}
		if from == to {
			continue
		}
		for !w.matters(of, to-1) {
			to--
		}
		if of.time+event.Time(of.times[from]) <= last {
			return false
		}
		last = of.time + event.Time(of.times[to-1])
		if of.inside {
			w.markInside(of, from, to)
		} else {
			w.markBetween(of, from, to)
		}
	}
	return true
}

// markInside makes marks of events of a segment that matter as a whole: of most, a look at the kind of their names
// is enough.
func (w *trackWalk) markInside(of *trackSegment, from, to int) {
	waiting := -1 // began an attempt again since the last mark
	for i, name := range of.names[from:to] {
		switch of.kinds[name] {
		case trackNothing:
		case trackBegins:
			if len(w.line) == 0 {
				w.line = append(w.line, w.markAt(of, from+i))
			} else {
				waiting = from + i
			}
		default:
			if waiting >= 0 {
				w.waiting, waiting = trackBegin{of.time + event.Time(of.times[waiting]), of.number, uint32(waiting)}, -1
			}
			w.mark(w.markAt(of, from+i))
		}
	}
	if waiting >= 0 {
		w.waiting = trackBegin{of.time + event.Time(of.times[waiting]), of.number, uint32(waiting)}
	}
}

// markBetween does so for events of a segment of which some are too early or too late.
func (w *trackWalk) markBetween(of *trackSegment, from, to int) {
	for i := from; i < to; i++ {
		if !w.matters(of, i) {
			continue
		}
		switch m := w.markAt(of, i); {
		case of.kinds[of.names[i]] != trackBegins:
			w.mark(m)
		case !m.begins: // nothing comes of it
		case len(w.line) == 0:
			w.line = append(w.line, m)
		default:
			w.waiting = trackBegin{m.time, of.number, uint32(i)}
		}
	}
}

// mark adds a mark that can be more than a beginning, behind that of the beginning which waits. Before an attempt
// began, nothing comes of it.
func (w *trackWalk) mark(m funnelMark) {
	if len(w.line) == 0 && !m.begins {
		return
	}
	if w.waiting.of != 0 {
		w.line = append(w.line, w.waiting.mark())
		w.waiting.of = 0
	}
	w.line = append(w.line, m)
}

// sortHits brings the segments of a visitor in the order of his first events there, and reports whether that
// changed something.
func (w *trackWalk) sortHits(hits []trackHit) bool {
	first := func(h trackHit) event.Time {
		of := w.segments[h.of-1]
		from, _ := of.of(int(h.at))
		return of.time + event.Time(of.times[from])
	}
	inOrder := func(a, b trackHit) int { return cmp.Compare(first(a), first(b)) }
	if slices.IsSortedFunc(hits, inOrder) {
		return false
	}
	slices.SortFunc(hits, inOrder)
	return true
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
