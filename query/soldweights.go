package query

import (
	"strconv"
	"weak"

	"millimetric/index"
)

// soldWeights are the weights that touches have by time decay, of the starts that lie together: to find one takes as long
// as all else that is done with it. The memo keeps them; they are good for these starts and one half-life.
type soldWeights struct {
	starts weak.Pointer[soldStarts]
	of     []weak.Pointer[index.Segment] // as the starts
	blocks [][]decayWeight               // by block, in the order of its starts
}

func (s *soldWeights) bytes() (bytes int64) {
	for _, list := range s.blocks {
		bytes += 24 + decayWeightBytes*int64(cap(list))
	}
	return bytes + 8*int64(len(s.of))
}

func (s *soldWeights) about() []weak.Pointer[index.Segment] { return s.of }

// openWeights finds the weights of the starts that lie together, if a model asks for them and there is room to keep them.
func (w *startWalk) openWeights(found *conversions) {
	decay := w.settlement.book.decay
	if w.sold == nil || decay == nil {
		return
	}
	memo, key := w.r.common.Memo, found.soldKey(w.r, w.q, memoSoldWeights)
	key.name += " " + strconv.FormatInt(decay.half, 10)
	own := &soldWeights{starts: weak.Make(w.sold), of: w.sold.of}
	if kept, ok := memo.get(key); ok && kept.(*soldWeights).starts == own.starts {
		w.weights = kept.(*soldWeights).blocks
		return
	}
	if memo.hasRoom(own.bytes() + int64(decayWeightBytes*w.sold.count()) + memoOverhead) {
		own.gather(w.sold.blocks, w.joined, decay)
		memo.replace(key, own)
		w.weights = own.blocks
	}
}

// gather weighs all starts.
func (s *soldWeights) gather(blocks []*overBlock, joined *joinedStarts, decay *decay) {
	s.blocks = make([][]decayWeight, len(blocks))
	for number, b := range blocks {
		if b == nil {
			continue
		}
		weights := make([]decayWeight, len(b.list))
		for i := range b.list {
			decay.weigh(&weights[i], joined.timeOf(&b.list[i]))
		}
		s.blocks[number] = weights
	}
}

// weightsOf returns the weights of a visitor's starts, nil where they aren't known.
func (w *startWalk) weightsOf(visitor uint32) []decayWeight {
	if w.weights == nil || w.soldAt == nil || !w.soldAt.who.has(visitor) {
		return nil
	}
	own := w.soldAt.spanOf(w.soldAt.number(visitor))
	return w.weights[w.block.first/blockVisitors][own.from:own.to]
}
