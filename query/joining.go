package query

import (
	"slices"
	"strings"
	"weak"

	"millimetric/index/event"
)

// How starts of segments are joined.

// joining are joined starts that grow, visitor by visitor.
type joining struct {
	joinedStarts
	numbers map[*startSegment]uint16
	kindOf  map[touchTexts]uint16
	at      *joinedBlock
	filled  uint32 // visitors of the block up to whom ends are known
	drain   bool   // what was joined before is dropped, block by block
}

// newJoining prepares to join what a walk goes over. Segments and kinds that are joined keep their numbers.
func newJoining(w *startWalk) *joining {
	j := &joining{numbers: map[*startSegment]uint16{}, kindOf: map[touchTexts]uint16{}}
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
	j.turn(w.block.first, visitor)
	j.at.last[visitor] = w.lastSecond(hits)
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
	j.at.ends[visitor] = uint32(len(j.at.list))
	return nil
}

// copyJoined takes a visitor over of whom there is nothing new.
func (w *startWalk) copyJoined(visitor uint32) {
	last, ok := w.joined.lastBefore(w.at, visitor)
	if !ok {
		return
	}
	j := w.joining
	j.turn(w.block.first, visitor)
	j.at.last[visitor] = j.secondOf(last - 1)
	j.at.list = append(j.at.list, w.at.of(visitor)...)
	j.at.ends[visitor] = uint32(len(j.at.list))
}

// secondOf returns the end of the second in which an event lies.
func (j *joining) secondOf(t event.Time) uint32 { return uint32((t-j.time)/1000) + 1 }

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

// turn moves on to a visitor. Those before him have no starts but those that are known.
func (j *joining) turn(first, visitor uint32) {
	if at := int(first / blockVisitors); len(j.blocks) <= at {
		j.close()
		j.blocks = append(j.blocks, make([]*joinedBlock, at+1-len(j.blocks))...)
		j.at, j.filled = &joinedBlock{ends: make([]uint32, blockVisitors), last: make([]uint32, blockVisitors)}, 0
		j.blocks[at] = j.at
	}
	j.fill(visitor)
	j.filled = visitor + 1
}

// fill makes the ends of visitors without starts those of whoever comes before them.
func (j *joining) fill(visitor uint32) {
	for ; j.filled < visitor; j.filled++ {
		j.at.ends[j.filled] = uint32(len(j.at.list))
	}
}

// close ends a block.
func (j *joining) close() {
	if j.at != nil {
		j.at.ends, j.at.last = slices.Clone(j.at.ends[:j.filled]), slices.Clone(j.at.last[:j.filled])
		j.at.list = slices.Clone(j.at.list)
	}
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
	kind, known := j.kindOf[texts]
	if !known {
		if len(j.kinds) == joinedKindsMax {
			return 0, errManyTouches
		}
		kind = uint16(len(j.kinds))
		j.kindOf[texts] = kind
		j.kinds = append(j.kinds, texts)
	}
	*slot = uint32(kind) + 1
	return kind, nil
}
