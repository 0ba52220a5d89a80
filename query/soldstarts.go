package query

import (
	"math/bits"
	"slices"
	"weak"

	"millimetric/index"
)

// soldStarts are the joined starts of those visitors who have conversions in some segments, one visitor's right after
// the other's: among those of all visitors they lie far apart, and to fetch them takes longer than all that is done with
// them. The memo keeps them; they are good for these conversions and these starts.
type soldStarts struct {
	sales  weak.Pointer[joinedSales]
	starts weak.Pointer[joinedStarts]
	of     []weak.Pointer[index.Segment] // which both are about
	blocks []*overBlock                  // by block; nil where nobody of it has conversions
	needs  int64                         // bytes of the starts, where these aren't kept; 0 where they are
}

func (s *soldStarts) bytes() (bytes int64) {
	for _, b := range s.blocks {
		if b != nil {
			bytes += b.bytes() + overBlockBytes
		}
	}
	return bytes + 8*int64(len(s.of)+len(s.blocks))
}

func (s *soldStarts) about() []weak.Pointer[index.Segment] { return s.of }

// openSold finds the starts of those who have conversions in whole segments, if there are such and there is room to keep
// them.
func (w *startWalk) openSold(found *conversions) {
	if w.joined == nil || w.wants == nil || found.together == nil {
		return
	}
	memo, key := w.r.common.Memo, found.soldKey(w.r, w.q, memoSoldStarts)
	own := &soldStarts{sales: weak.Make(found.together), starts: weak.Make(w.joined)}
	if kept, ok := memo.get(key); ok {
		known := kept.(*soldStarts)
		same := known.sales == own.sales && known.starts == own.starts
		if same && known.needs == 0 {
			w.sold = known
		}
		if same && (known.needs == 0 || !memo.hasRoom(known.needs)) {
			return
		}
	}
	own.of = slices.Concat(found.together.about(), w.joined.about())
	own.measure(found.together.list, w.joined)
	if own.needs = own.bytes() + int64(joinedStartBytes*own.count()); memo.hasRoom(own.needs + memoOverhead) {
		own.needs = 0
		own.gather(w.joined)
		w.sold = own
	} else {
		own.blocks = nil
	}
	memo.replace(key, own)
}

// measure finds out who has conversions, and how many starts there are of each.
func (s *soldStarts) measure(list []conversion, joined *joinedStarts) {
	s.blocks = make([]*overBlock, len(joined.blocks))
	for from, to := range stretches(len(list), func(i int) uint32 { return list[i].actor / blockVisitors }) {
		number := list[from].actor / blockVisitors
		under := joined.block(number * blockVisitors)
		if under == nil {
			continue
		}
		own := &overBlock{}
		for i := from; i < to; i++ {
			own.who.add(list[i].actor % blockVisitors)
		}
		own.count()
		starts := 0
		own.each(func(visitor uint32) {
			starts += len(under.of(visitor))
			own.ends = append(own.ends, uint32(starts))
		})
		own.ends = slices.Clip(own.ends)
		s.blocks[number] = own
	}
}

// gather copies the starts of all who have conversions.
func (s *soldStarts) gather(joined *joinedStarts) {
	for number, own := range s.blocks {
		if own != nil {
			under := joined.blocks[number]
			own.list = make([]joinedStart, 0, own.ends[len(own.ends)-1])
			own.each(func(visitor uint32) { own.list = append(own.list, under.of(visitor)...) })
		}
	}
}

// count returns how many starts there are, once these are measured.
func (s *soldStarts) count() (starts int) {
	for _, b := range s.blocks {
		if b != nil {
			starts += int(b.ends[len(b.ends)-1])
		}
	}
	return starts
}

// each shows its visitors, who rise.
func (o *overBlock) each(show func(visitor uint32)) {
	for at, word := range o.who {
		for ; word != 0; word &= word - 1 {
			show(uint32(64*at + bits.TrailingZeros64(word)))
		}
	}
}

// startsOf returns the starts in the joined segments of a visitor of the block.
func (w *startWalk) startsOf(visitor uint32) []joinedStart {
	switch {
	case w.soldAt != nil && w.soldAt.who.has(visitor):
		return w.soldAt.of(w.soldAt.number(visitor))
	case w.at != nil:
		return w.at.of(visitor)
	}
	return nil
}

// unsold returns those of some visitors of the block whose starts don't lie together.
func (w *startWalk) unsold(who visitorBits) visitorBits {
	if w.soldAt != nil {
		for at, word := range w.soldAt.who {
			who[at] &^= word
		}
	}
	return who
}
