package query

import (
	"math/bits"

	"millimetric/index/event"
)

// How several workers join starts, each those of some blocks of visitors.

// joinWalk is a worker's walk over the visitors of segments whose starts are joined.
type joinWalk struct {
	*startWalk
	pass *pass
	to   uint64 // visitors of joined segments are walked from here on
}

// newJoinWalk makes a walk over all visitors.
func newJoinWalk(r *run) *startWalk {
	return newStartWalk(newTouchWalk(r, &Attribution{Common: Common{To: event.TimeMax + 1}}))
}

// joinAll joins the starts of the walk's segments, which have so many rows, to those that are joined. time is that of
// the first event of all; drain says that what is joined is needed no more, over that only those visitors are wanted
// who come in these segments.
func (w *startWalk) joinAll(p *pass, rows int, time event.Time, drain, over bool) (*joinedStarts, error) {
	begin := func(w *startWalk) {
		w.joining = newJoining(w)
		w.joining.time, w.joining.drain, w.joining.isOver = time, drain, over
	}
	begin(w)
	var helpers []*startWalk
	err := w.r.divide(&joinWalk{startWalk: w, pass: p}, workload{rows: rows, visitor: w.lastVisitor()}, func(r *run) blockWalker {
		helper := newJoinWalk(r)
		helper.takeOver(w)
		begin(helper)
		helpers = append(helpers, helper)
		return &joinWalk{startWalk: helper, pass: everything()}
	})
	if err != nil {
		return nil, err
	}
	w.joining.close()
	for _, helper := range helpers {
		helper.joining.close()
		if err := w.joining.takeOver(helper.joining); err != nil {
			return nil, err
		}
	}
	joined := w.joining.joinedStarts // a copy: what it was made with must not stay with it
	return &joined, nil
}

func (j *joinWalk) seek(visitor uint32) {
	j.startWalk.seek(visitor)
	j.to = uint64(visitor)
}

func (j *joinWalk) next() uint64 {
	if j.joined != nil && !j.joining.isOver && j.to < uint64(len(j.joined.blocks))*blockVisitors {
		return j.to
	}
	return j.nextVisitor()
}

func (j *joinWalk) walkBlock(first uint32) error {
	j.at, j.to = j.joined.block(first), uint64(first)+blockVisitors
	j.meet(first)
	j.r.work += 1 + len(j.hits.nodes)
	if j.joining.isOver {
		if err := j.walkOver(first); err != nil {
			return err
		}
		return j.r.look(j.pass)
	}
	done := uint32(0)
	for at, word := range j.others {
		for ; word != 0; word &= word - 1 {
			visitor := uint32(64*at + bits.TrailingZeros64(word))
			j.copyJoined(done, visitor)
			if err := j.visitor(j.pass, visitor, first+visitor); err != nil {
				return err
			}
			done = visitor + 1
		}
	}
	j.copyJoined(done, blockVisitors)
	if j.joining.drain && j.at != nil {
		j.joined.blocks[first/blockVisitors] = nil
	}
	return j.r.look(j.pass)
}

// takeOver takes over the blocks of a helper, which has numbered the kinds that weren't known in its own order.
func (j *joining) takeOver(helper *joining) error {
	kinds := make([]uint16, len(helper.kinds))
	for i := range kinds {
		kind, err := j.kindOfTexts(helper.kinds[i])
		if err != nil {
			return err
		}
		kinds[i] = kind
	}
	if more := len(helper.blocks) - len(j.blocks); more > 0 {
		j.blocks = append(j.blocks, make([]*joinedBlock, more)...)
	}
	for number, b := range helper.blocks {
		if b == nil {
			continue
		}
		own := b
		if j.isOver {
			own = &b.over.joinedBlock
		}
		for i := range own.list {
			own.list[i].kind = kinds[own.list[i].kind]
		}
		j.blocks[number] = b
	}
	return nil
}
