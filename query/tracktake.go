package query

import (
	"slices"

	"millimetric/index/event"
)

// How the events of a block become marks.

// take takes the visitors of a block in a segment, and returns how many events they have there.
func (w *trackWalk) take(first uint32, of *trackSegment) (events int, err error) {
	of.fetch(first, &w.near)
	begin := uint32(0)
	if of.run > 0 {
		begin = of.ends[of.run-1]
	}
	from := begin
	for ; of.run < len(of.ordinals) && of.ordinals[of.run]-first < blockVisitors; of.run++ {
		visitor, to := of.ordinals[of.run]-first, of.ends[of.run]
		if !of.inside {
			w.countMarks(of, int(from), int(to))
		}
		switch {
		case w.anyone || w.goFurther.has(visitor):
			w.hits.add(visitor, trackHit{of.number, from, to})
		case w.starts == nil && w.begun.has(visitor): // which is all there is to know
		default:
			if err := w.takeBegin(of, visitor, int(from), int(to)); err != nil {
				return 0, err
			}
		}
		from = to
	}
	return int(from - begin), nil
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
func (w *trackWalk) countMarks(of *trackSegment, from, to int) {
	for i := from; i < to; i++ {
		if w.matters(of, i) {
			w.r.cost.Matched++
		}
	}
}

// takeBegin notes when a visitor began his first attempt of whom nothing else matters.
func (w *trackWalk) takeBegin(of *trackSegment, visitor uint32, from, to int) error {
	known := w.begun.has(visitor)
	if known && of.time > w.first[visitor].time {
		return nil
	}
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

// markAll makes marks of all events of a visitor that matter, and brings them in order.
func (w *trackWalk) markAll(ordinal uint32, hits []trackHit, live []funnelMark) error {
	w.line = append(w.line[:0], live...)
	for _, h := range hits {
		of := w.segments[h.of-1]
		for i := int(h.from); i < int(h.to); i++ {
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
