package query

import (
	"slices"
	"strings"
	"weak"

	"millimetric/index/event"
)

// How starts of segments are joined.

// joining are joined starts that grow, block by block, and in each visitor by visitor.
type joining struct {
	joinedStarts
	numbers map[*startSegment]uint16
	kindOf  map[touchTexts]uint16
	drain   bool // what was joined before is dropped, block by block

	at     joinedBlock // the block at hand, in memory that is used for each
	number int         // its number
	filled uint32      // visitors of it up to whom ends are known; 0 before the first
	isOver bool        // the blocks lie over those that are joined
	over   *overBlock  // the one at hand, then
	under  *joinedBlock
}

// newJoining prepares to join what a walk goes over. Segments and kinds that are joined keep their numbers.
func newJoining(w *startWalk) *joining {
	j := &joining{numbers: map[*startSegment]uint16{}, kindOf: map[touchTexts]uint16{}}
	j.at.ends, j.at.last = make([]uint32, blockVisitors), make([]uint32, blockVisitors)
	if w.joined != nil {
		j.segments, j.kinds = slices.Clone(w.joined.segments), slices.Clone(w.joined.kinds)
	}
	for number, of := range w.origins {
		j.numbers[of] = uint16(number)
	}
	for kind, texts := range j.kinds {
		j.kindOf[texts] = uint16(kind)
	}
	for _, of := range w.segments {
		j.numbers[of] = uint16(len(j.segments))
		j.segments = append(j.segments, joinedSegment{weak.Make(of.sealed.original), of.time, of.seq})
	}
	return j
}

func textsOfTouch(s *sealed, touch uint32) (texts touchTexts, err error) {
	for i := range texts {
		c := colSource + column(i)
		table, err := s.table(c)
		if err != nil {
			return texts, err
		}
		text, err := s.column(c).at(table[touch])
		if err != nil {
			return texts, err
		}
		texts[i] = strings.Clone(text) // which would hold all the texts around it
	}
	return texts, nil
}

// join takes the visitor at hand, whose starts are known, into the joined starts.
func (w *startWalk) join(visitor uint32, hits []startHit) error {
	if len(hits) == 0 {
		return nil
	}
	j := w.joining
	number := j.turn(w.block.first, visitor)
	j.at.last[number] = w.lastSecond(hits)
	for i := range w.known {
		k := &w.known[i]
		if k.flags&(startDropped|startCut|startSoon) == startCut {
			was, err := w.wasThere(k, hits, nil)
			if err != nil {
				return err
			}
			if was {
				k.flags |= startSoon
			}
		}
		if err := j.add(k); err != nil {
			return err
		}
	}
	j.at.ends[number] = uint32(len(j.at.list))
	return nil
}

// copyJoined takes visitors over of whom there is nothing new: from inclusive, to exclusive.
func (w *startWalk) copyJoined(from, to uint32) {
	if w.at == nil || from >= min(to, uint32(len(w.at.ends))) {
		return
	}
	j, to := w.joining, min(to, uint32(len(w.at.ends)))
	j.turn(w.block.first, from)
	first := w.at.spanOf(from).from
	moved := uint32(len(j.at.list)) - first // which may be below nothing, and comes out right
	j.at.list = append(j.at.list, w.at.list[first:w.at.ends[to-1]]...)
	for visitor := from; visitor < to; visitor++ {
		j.at.ends[visitor] = w.at.ends[visitor] + moved
		if last, ok := w.joined.lastBefore(w.at, visitor); ok {
			j.at.last[visitor] = j.secondOf(last - 1)
		}
	}
	j.filled = to
}

// secondOf returns the end of the second in which an event lies.
func (j *joining) secondOf(t event.Time) uint32 { return uint32(max(0, t-j.time)/1000) + 1 }

// lastSecond returns the end of the second in which the last event of the visitor at hand lies.
func (w *startWalk) lastSecond(hits []startHit) uint32 {
	last := event.TimeMin
	for _, h := range hits {
		if h.of == nil {
			before, _ := w.joined.lastBefore(w.at, uint32(h.at))
			last = max(last, before-1)
		} else {
			last = max(last, h.of.time+event.Time(h.of.last[h.at]))
		}
	}
	return w.joining.secondOf(last)
}

// turn moves on to a visitor, and returns his number in the block. Those before him have no starts but those that are
// known.
func (j *joining) turn(first, visitor uint32) uint32 {
	if j.isOver {
		j.filled = j.over.number(visitor) + 1
		return j.filled - 1
	}
	if number := int(first / blockVisitors); number != j.number {
		j.close()
		j.number = number
	}
	j.fill(visitor)
	j.filled = visitor + 1
	return visitor
}

// fill makes the ends of visitors without starts those of whoever comes before them.
func (j *joining) fill(visitor uint32) {
	for ; j.filled < visitor; j.filled++ {
		j.at.ends[j.filled] = uint32(len(j.at.list))
	}
}

// close ends a block.
func (j *joining) close() {
	if j.filled == 0 {
		return
	}
	if more := j.number + 1 - len(j.blocks); more > 0 {
		j.blocks = append(j.blocks, make([]*joinedBlock, more)...)
	}
	own := joinedBlock{
		ends: slices.Clone(j.at.ends[:j.filled]), last: slices.Clone(j.at.last[:j.filled]), list: slices.Clone(j.at.list),
	}
	if j.isOver {
		own = j.under.with(j.over, own)
	}
	j.blocks[j.number] = &own
	clear(j.at.last)
	j.at.list, j.filled = j.at.list[:0], 0
}

// add adds a start.
func (j *joining) add(k *knownStart) error {
	kind, err := j.kindOfStart(k)
	if err != nil {
		return err
	}
	number := j.numbers[k.of]
	of := &j.segments[number]
	j.at.list = append(j.at.list, joinedStart{
		time: uint32(k.at.time - of.time), seq: uint32(k.at.seq - of.seq), index: k.index, sum: k.sum, kind: kind,
		where: number | uint16(k.flags)*joinedSegmentsMax,
	})
	return nil
}

// kindOfStart returns the number of what a start says about where its visit came from.
func (j *joining) kindOfStart(k *knownStart) (uint16, error) {
	if k.joined {
		return k.touch, nil
	}
	slot := at(&k.of.groups, uint32(k.touch))
	if *slot != 0 {
		return uint16(*slot - 1), nil
	}
	texts, err := textsOfTouch(k.of.sealed, uint32(k.touch))
	if err != nil {
		return 0, err
	}
	kind, err := j.kindOfTexts(texts)
	if err == nil {
		*slot = uint32(kind) + 1
	}
	return kind, err
}

func (j *joining) kindOfTexts(texts touchTexts) (uint16, error) {
	kind, known := j.kindOf[texts]
	if known {
		return kind, nil
	}
	if len(j.kinds) == joinedKindsMax {
		return 0, errManyTouches
	}
	kind = uint16(len(j.kinds))
	j.kindOf[texts] = kind
	j.kinds = append(j.kinds, texts)
	return kind, nil
}
