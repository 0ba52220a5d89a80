package query

import (
	"errors"
	"math/bits"
	"slices"

	"millimetric/index/event"
)

// What comes of the visitors of a block, once all of their events were taken.

// settle adds up how far the visitors of a block came.
func (w *trackWalk) settle(b *block) error {
	if w.starts == nil {
		for _, word := range w.begun {
			w.result.addOnes(bits.OnesCount64(word))
		}
	} else if err := w.settleTouched(b); err != nil {
		return err
	}
	return w.r.overBudget(w.see.size() + w.result.size() + len(w.lists.nodes) + w.hits.size())
}

// settleTouched does so where first touches tell groups: those of whoever began an attempt.
func (w *trackWalk) settleTouched(b *block) error {
	if err := w.starts.walkOthers(w.touchPass, b.first); err != nil {
		return err
	}
	w.noteTouches(b.first)
	followed, coursed := w.reached[:w.byCourse], w.reached[w.byCourse:]
	for at, word := range w.begun {
		w.starts.fetch(at, word)
		for ; word != 0; word &= word - 1 {
			visitor := uint32(64*at + bits.TrailingZeros64(word))
			group, err := w.groupOf(b, visitor, &w.first[visitor])
			if err != nil {
				return err
			}
			switch {
			case len(coursed) > 0 && coursed[0].visitor == visitor:
				*coursed[0].group, coursed = group, coursed[1:]
			case len(followed) > 0 && followed[0].visitor == visitor:
				*followed[0].group, followed = group, followed[1:]
			default:
				w.result.addOne(group)
			}
		}
	}
	return nil
}

// groupOf returns the group of a visitor's first touch, by the first event of his attempt.
func (w *trackWalk) groupOf(b *block, visitor uint32, first *trackBegin) (uint32, error) {
	if !w.starts.others.has(visitor) {
		start := w.starts.firstJoined(visitor, w.touchPass.to)
		if start == nil {
			return w.see.untouched, nil
		}
		of := w.starts.origins[start.segment()].sealed
		t := w.starts.joined.timeOf(start)
		if t == first.time && first.of == unplaced {
			if err := w.findPlace(b.first+visitor, first); err != nil {
				return 0, err
			}
		}
		switch {
		case t < first.time:
			return w.groupOfKind(start.kind), nil
		case t > first.time:
			return w.see.untouched, nil
		case first.of != 0 && w.segments[first.of-1].sealed == of:
			if first.index < start.index {
				return w.see.untouched, nil
			}
			return w.groupOfKind(start.kind), nil
		}
		w.found[visitor] = firstTouch{at: w.starts.joined.place(start), group: w.groupOfKind(start.kind), of: of, index: start.index}
		w.touched.add(visitor)
	} else if first.of == unplaced && w.touched.has(visitor) && w.found[visitor].at.time == first.time {
		if err := w.findPlace(b.first+visitor, first); err != nil {
			return 0, err
		}
	}
	w.opening = first.mark()
	if first.of == 0 {
		w.opening.seq = w.seqs[visitor]
	}
	touch, err := w.touchOf(b, visitor, &w.opening)
	return w.result.groupOf(&w.opening, touch), err
}

// groupOfKind returns the group of a kind of touch of the joined segments.
func (w *trackWalk) groupOfKind(kind uint16) uint32 {
	slot := at(&w.groups, uint32(kind))
	if *slot == 0 {
		*slot = w.starts.groups.whole.list[w.starts.groupOfKind(kind)].fields + 1
	}
	return *slot - 1
}

// tied tells whether two segments have marks of one moment.
func tied(marks []funnelMark) bool {
	for i := 1; i < len(marks); i++ {
		if marks[i].time == marks[i-1].time && marks[i].visit != marks[i-1].visit {
			return true
		}
	}
	return false
}

// exactly returns the marks of a visitor with their positions.
func (w *trackWalk) exactly(ordinal uint32, marks []funnelMark) ([]funnelMark, error) {
	w.again = append(w.again[:0], marks...)
	for i := range w.again {
		m := &w.again[i]
		if m.visit == 0 {
			continue // it has its own
		}
		of := w.segments[m.visit-1]
		seq, err := w.seqOf(of.sealed, ordinal, of, int(m.seq))
		if err != nil {
			return nil, err
		}
		m.seq, m.visit = seq, 0
	}
	slices.SortFunc(w.again, compareMarks)
	return w.again, nil
}

// seqOf returns the position of an event of a track.
func (w *trackWalk) seqOf(s *sealed, ordinal uint32, of *trackSegment, i int) (event.Seq, error) {
	if err := errors.Join(w.load(of), s.openRuns()); err != nil {
		return 0, err
	}
	k, _ := slices.BinarySearch(of.ordinals, ordinal)
	from, _ := of.of(k)
	run, _ := slices.BinarySearch(s.runs.Ordinals, ordinal)
	v := w.r.viewOf()
	for row := s.runs.Starts[run]; row < s.runs.Starts[run+1]; row++ {
		v.reach(s, int(row), int(s.runs.Starts[run+1]))
		at := int(row) - v.first
		if !w.r.common.IncludeBots && len(w.r.people.choose(v, []int32{int32(at)})) == 0 {
			continue
		}
		if from == i || v.err != nil {
			return v.seq(at), v.err
		}
		from++
	}
	panic("query: a track has more events than its segment has rows")
}

// takeTouch takes the first touch of a visitor, an event of a segment if of isn't nil.
func (w *trackWalk) takeTouch(t *actorTouch, of *sealed, index uint32) {
	visitor := t.actor % blockVisitors
	w.found[visitor] = firstTouch{at: t.at, group: w.starts.groups.whole.list[t.group].fields, of: of, index: index}
	w.touched.add(visitor)
}

// touchOf returns the first touch of a visitor, nil where he has none, beside the first event of an attempt.
// Which of the two comes first is asked by their positions, so it is given one that tells.
func (w *trackWalk) touchOf(b *block, visitor uint32, first *funnelMark) (*funnelMark, error) {
	if w.starts == nil || !w.touched.has(visitor) {
		return nil, nil
	}
	found := &w.found[visitor]
	w.touch = funnelMark{time: found.at.time, seq: found.at.seq, group: found.group}
	if first.time != found.at.time || first.visit == 0 {
		return &w.touch, nil
	}
	before := false
	if of := w.segments[first.visit-1]; of.sealed == found.of {
		before = uint32(first.seq) < found.index
	} else {
		seq, err := w.seqOf(of.sealed, b.first+visitor, of, int(first.seq))
		if err != nil {
			return nil, err
		}
		before = seq < found.at.seq
	}
	w.touch.seq = first.seq + event.Seq(bit(before))
	return &w.touch, nil
}
