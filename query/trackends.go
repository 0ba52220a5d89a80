package query

import (
	"math/bits"
	"slices"

	"millimetric/index"
	"millimetric/index/event"
)

// What comes of the visitors of a block, once all of their events were taken.

// settle finds how far the visitors of a block came.
func (w *trackWalk) settle(b *block) error {
	one := make([]funnelMark, 1)
	for at, word := range w.begun {
		if w.starts == nil {
			w.result.addOnes(bits.OnesCount64(word &^ w.listed[at]))
			continue
		}
		for word &^= w.listed[at]; word != 0; word &= word - 1 {
			visitor := uint32(64*at + bits.TrailingZeros64(word))
			one[0], w.one[0] = w.first[visitor].mark(), 0
			if err := w.report(b, visitor, one, w.one[:]); err != nil {
				return err
			}
		}
	}
	for _, visitor := range w.lists.met {
		marks := w.lists.of(visitor, compareMarks)
		if b.tangled.has(visitor) && tied(marks) {
			var err error
			if marks, err = w.exactly(b.first+visitor, marks); err != nil {
				return err
			}
		}
		if trail := w.best(marks); trail != nil {
			if err := w.report(b, visitor, w.flow.marks, trail); err != nil {
				return err
			}
		}
	}
	return w.r.overBudget(w.see.size() + w.result.size() + len(w.lists.nodes))
}

func (w *trackWalk) report(b *block, visitor uint32, marks []funnelMark, trail []int32) error {
	touch, err := w.touchOf(b, visitor, &marks[trail[0]])
	w.result.add(marks, trail, touch)
	return err
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
	if err := s.openRuns(); err != nil {
		return 0, err
	}
	k, _ := slices.BinarySearch(of.ordinals, ordinal)
	from, _ := of.of(k)
	run, _ := slices.BinarySearch(s.runs.Ordinals, ordinal)
	v := w.r.viewOf()
	for row := s.runs.Starts[run]; row < s.runs.Starts[run+1]; row++ {
		if chunk := int(row) / index.ChunkRows; v.sealed != s || v.chunk != chunk {
			v.turn(s, chunk)
		}
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
