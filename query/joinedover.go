package query

import (
	"cmp"
	"math/bits"
)

// overBlock are those visitors of a block who come in segments that will soon be others, with all their starts: it
// lies over what settled segments say, and says it instead. Where such a segment is gone, all that lies over is
// dropped, and the settled ones stay joined.
type overBlock struct {
	who         visitorBits
	before      [wordsOfNumber]uint16 // by word of who: how many there are in the words before it
	joinedBlock                       // by number among these visitors
}

// overBlockBytes is what one takes beside its lists, with the block that it lies over.
const overBlockBytes = wordsOfNumber*10 + 160

// number returns the number of a visitor, who is one of them.
func (o *overBlock) number(visitor uint32) uint32 {
	return uint32(o.before[visitor/64]) + uint32(bits.OnesCount64(o.who[visitor/64]&(1<<(visitor%64)-1)))
}

// count counts the visitors, after these are set.
func (o *overBlock) count() {
	n := uint16(0)
	for at, word := range o.who {
		o.before[at] = n
		n += uint16(bits.OnesCount64(word))
	}
}

// place returns what tells of a visitor, and his number there.
func (b *joinedBlock) place(visitor uint32) (*joinedBlock, uint32) {
	if b.over != nil && b.over.who.has(visitor) {
		return &b.over.joinedBlock, b.over.number(visitor)
	}
	return b, visitor
}

// settled returns what only settled segments say.
func (j *joinedStarts) settled() *joinedStarts {
	if j.base != nil {
		return j.base
	}
	return j
}

// without is part of memoOfSeveral.
func (j *joinedStarts) without(at int) memoValue {
	if j.base == nil || at < len(j.base.segments) {
		return nil
	}
	return j.base
}

// overBytes is what lies over takes.
func (j *joinedStarts) overBytes() (bytes int64) {
	for _, b := range j.blocks {
		if b != nil && b.over != nil {
			bytes += b.over.bytes() + overBlockBytes
		}
	}
	return bytes
}

// joinOver joins the starts of segments that will soon be others, for those visitors who come in some.
func (r *run) joinOver(known *joinedStarts, segments, young []*sealed) (*joinedStarts, error) {
	w := newJoinWalk(r)
	numbers, _ := known.covers(segments)
	w.enterJoined(known, segments, numbers)
	if ok, err := w.openRest(young); err != nil || !ok {
		return nil, cmp.Or(err, errManyTouches)
	}
	over, err := w.joinAll(everything(), rowsOfAll(young), known.time, false, true)
	if err != nil {
		return nil, err
	}
	over.base = known.settled()
	if more := len(known.blocks) - len(over.blocks); more > 0 {
		over.blocks = append(over.blocks, make([]*joinedBlock, more)...)
	}
	for at, b := range known.blocks {
		if over.blocks[at] == nil {
			over.blocks[at] = b
		}
	}
	return over, nil
}

// walkOver joins the visitors of a block who come in segments that aren't joined, and takes over who lay over before.
func (j *joinWalk) walkOver(first uint32) error {
	if len(j.hits.nodes) == 0 {
		return nil
	}
	o := &overBlock{who: j.others}
	if j.at != nil && j.at.over != nil {
		for at := range o.who {
			o.who[at] |= j.at.over.who[at]
		}
	}
	o.count()
	j.joining.beginOver(first, j.at, o)
	for at, word := range o.who {
		for ; word != 0; word &= word - 1 {
			visitor := uint32(64*at + bits.TrailingZeros64(word))
			if !j.others.has(visitor) {
				j.takeOne(visitor)
			} else if err := j.visitor(j.pass, visitor, first+visitor); err != nil {
				return err
			}
		}
	}
	return nil
}

// with returns a block with another one over it, which may be nil itself.
func (b *joinedBlock) with(over *overBlock, own joinedBlock) (whole joinedBlock) {
	if b != nil {
		whole = *b
	}
	over.joinedBlock, whole.over = own, over
	return whole
}

// takeOne takes a visitor over of whom there is nothing new.
func (w *startWalk) takeOne(visitor uint32) {
	j := w.joining
	number := j.turn(w.block.first, visitor)
	j.at.list = append(j.at.list, w.at.of(visitor)...)
	j.at.ends[number] = uint32(len(j.at.list))
	if last, ok := w.joined.lastBefore(w.at, visitor); ok {
		j.at.last[number] = j.secondOf(last - 1)
	}
}

// beginOver begins a block that lies over another one.
func (j *joining) beginOver(first uint32, under *joinedBlock, over *overBlock) {
	if number := int(first / blockVisitors); number != j.number {
		j.close()
		j.number = number
	}
	j.under, j.over = under, over
}
