package query

import "slices"

// trackHits are, of the visitors of a block, the places in segments where their events are, in the order in which they
// were added. They lie visitor by visitor, so that one is followed in a stretch.
type trackHits struct {
	met   visitorBits // who has some
	added []visitorHit
	ends  [blockVisitors]uint32 // by visitor: how many he has; once they are sorted, where his end
	list  []trackHit
}

// visitorHit is a place of a visitor.
type visitorHit struct {
	visitor uint32
	trackHit
}

func (h *trackHits) clear() {
	h.met, h.added, h.ends = visitorBits{}, h.added[:0], [blockVisitors]uint32{}
}

func (h *trackHits) add(visitor uint32, hit trackHit) {
	h.met.add(visitor)
	h.added = append(h.added, visitorHit{visitor, hit})
	h.ends[visitor]++
}

// sort is called once all are added.
func (h *trackHits) sort() {
	sum := uint32(0)
	for visitor, n := range h.ends {
		h.ends[visitor], sum = sum, sum+n
	}
	h.list = slices.Grow(h.list[:0], len(h.added))[:len(h.added)]
	for i := range h.added {
		one := &h.added[i]
		end := &h.ends[one.visitor]
		h.list[*end] = one.trackHit
		*end++
	}
}

// of returns those of a visitor.
func (h *trackHits) of(visitor uint32) []trackHit {
	from := uint32(0)
	if visitor > 0 {
		from = h.ends[visitor-1]
	}
	return h.list[from:h.ends[visitor]]
}

// size counts entries.
func (h *trackHits) size() int { return len(h.added) / 3 }
