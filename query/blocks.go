package query

import (
	"cmp"
	"slices"
	"sort"

	"millimetric/index"
	"millimetric/index/event"
)

// blockVisitors is how many visitors a block has: what is kept of each of them for each of some hundred
// groups stays in the second-level cache.
const blockVisitors = 8 << 10

// block is a block of visitors, with the segments that they are walked through.
type block struct {
	first   uint32
	walkers []*walker // by their first events
	// tangled are, for passes that ask for it, the visitors whose rows don't come in order where segment
	// follows segment, and those with live events.
	tangled visitorBits
	last    []event.Time // by visitor: of the last row in the segments looked at; nil before visitors are untangled
}

// visitorBits is a set of visitors of a block.
type visitorBits [wordsOfNumber]uint64

func (b *visitorBits) add(visitor uint32)      { b[visitor/64] |= 1 << (visitor % 64) }
func (b *visitorBits) has(visitor uint32) bool { return b[visitor/64]>>(visitor%64)&1 != 0 }

// blockTaker takes what a pass finds, block by block. Live events come before all blocks, and their
// visitors wait.
type blockTaker interface {
	// nextWaiting returns the first visitor that waits, noVisitor if none does.
	nextWaiting() uint64
	// begin begins a block: who of it waits is entered, and noted where b.tangled matters.
	begin(b *block)
	// end is called when all rows of the block were taken.
	end(b *block) error
}

// walker is a segment that is walked block by block.
type walker struct {
	sealed   *sealed
	ordinals []uint32 // of visitors: of the runs, or of the pairs
	view     *view
	from     int   // the first run of the block
	run      int   // the first that wasn't walked yet
	clock    *view // for the times of runs; nil where the segment overlaps no other in time
	idle     bool  // only the rows of tangled visitors are taken
	few      *rowList
	pairs    *codePairs // they stand for the rows, if there are some
	groups   []uint32   // of pairs, by code: the number of the group plus one, or 0
}

// noVisitor is above all ordinals.
const noVisitor = 1 << 32

// sharedTaker is a taker of passes that helpers have a part in.
type sharedTaker interface {
	blockTaker
	// seekWaiting lets those wait whose visitors aren't below one. It comes after nextWaiting.
	seekWaiting(visitor uint32)
	// lastWaiting returns the last visitor that waits, 0 if none does.
	lastWaiting() uint64
	// forHelper returns what a helper makes the pass with.
	forHelper(r *run, p *pass) (*pass, sharedTaker)
}

// blockWalk is a pass over blocks.
type blockWalk struct {
	r     *run
	p     *pass
	taker blockTaker
	block block
	eased int // walkers of this block up to which room was made
}

// eachBlock makes a pass like each, but block by block over all segments side by side; live events
// come before all blocks, and their visitors wait. A taker that can share the work has helpers.
//
//  1. Runs rise in each segment, so those of a block are the next ones, and so are their rows.
//  2. A view holds one chunk of its segment, which several blocks may share. As blocks rise, no chunk
//     is unpacked twice, unless memory is short (see unpacked).
//  3. Blocks in which nobody was met are passed over.
func (r *run) eachBlock(p *pass, taker blockTaker) error {
	if !r.bound(p) {
		return nil
	}
	if err := r.eachLive(p); err != nil {
		return err
	}
	walkers, err := r.walkers(p)
	if err != nil {
		return err
	}
	w := &blockWalk{r: r, p: p, taker: taker, block: block{walkers: walkers}}
	shared, ok := taker.(sharedTaker)
	if !ok {
		return walkAll(byBlock{w})
	}
	return r.divide(w, w.load(shared), func(helper *run) blockWalker { return w.forHelper(helper, shared) })
}

// next returns the first visitor that wasn't walked yet, noVisitor if there is none.
func (w *blockWalk) next() uint64 {
	next := w.taker.nextWaiting()
	for _, of := range w.block.walkers {
		next = min(next, of.next())
	}
	return next
}

// walkBlock makes the pass over the visitors from first on.
func (w *blockWalk) walkBlock(first uint32) error {
	w.eased = 0
	b := &w.block
	b.first, b.tangled = first, visitorBits{}
	for _, of := range b.walkers {
		of.turn(first)
	}
	if w.p.ordered {
		if err := b.untangle(); err != nil {
			return err
		}
	}
	w.taker.begin(b)
	for _, of := range b.walkers {
		if err := w.r.walkBlock(w.p, b, of); err != nil {
			return err
		}
		if of.view != nil {
			of.view.settle(of.over())
			w.ease()
		}
	}
	return w.taker.end(b)
}

// next returns the first visitor that wasn't walked yet, noVisitor if there is none.
func (w *walker) next() uint64 {
	if w.over() {
		return noVisitor
	}
	return uint64(w.ordinals[w.run])
}

// over tells whether all runs were walked, or are in the block at hand.
func (w *walker) over() bool { return w.run == len(w.ordinals) }

// end returns the row behind those of the block.
func (w *walker) end() int { return int(w.sealed.runs.Starts[w.run]) }

// turn moves the walker to the runs of a block.
func (w *walker) turn(first uint32) {
	w.from = w.run
	if w.next() < uint64(first)+blockVisitors {
		ordinals := w.ordinals[w.run:]
		w.run += sort.Search(len(ordinals), func(i int) bool { return ordinals[i]-first >= blockVisitors })
		if w.view != nil {
			w.view.block = first
		}
	}
}

// walkers opens the segments that may matter.
func (r *run) walkers(p *pass) ([]*walker, error) {
	var segments []*sealed
	for _, segment := range r.source.Segments(p.from, p.to) {
		s := r.open(segment)
		possible, err := r.mayMatter(p, s)
		if err != nil {
			return nil, err
		}
		if !possible {
			continue
		}
		segments = append(segments, s)
	}
	walkers := make([]*walker, len(segments))
	if p.pairs != nil {
		if err := p.pairs(segments, walkers); err != nil {
			return nil, err
		}
	}
	for i, s := range segments {
		if walkers[i] != nil {
			continue
		}
		var err error
		if walkers[i], err = r.walker(p, s); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(walkers, func(a, b *walker) int { return cmp.Compare(a.sealed.firstTime(), b.sealed.firstTime()) })
	if p.ordered {
		r.setClocks(walkers)
	}
	if p.ahead != nil {
		aheadFirst(walkers, p.ahead)
	}
	return walkers, nil
}

// aheadFirst brings the walkers of some segments before the others.
func aheadFirst(walkers []*walker, ahead func(*index.Segment) bool) {
	slices.SortStableFunc(walkers, func(a, b *walker) int {
		switch first, second := ahead(a.sealed.original), ahead(b.sealed.original); {
		case first == second:
			return 0
		case first:
			return -1
		}
		return 1
	})
}

func (r *run) walker(p *pass, s *sealed) (*walker, error) {
	if err := s.openRuns(); err != nil {
		return nil, err
	}
	few, err := r.fewRows(p, s)
	return &walker{sealed: s, ordinals: s.runs.Ordinals, view: r.newView(), few: few, idle: p.idle != nil && p.idle(s.original)}, err
}

// setClocks gives clocks to the segments that overlap others in time: those of one day that aren't merged
// yet, and those of late events. The walkers are in the order of their first events.
func (r *run) setClocks(walkers []*walker) {
	ended := event.TimeMin - 1
	for i, w := range walkers {
		first, last := w.sealed.segment.TimeRange()
		if first <= ended || i+1 < len(walkers) && walkers[i+1].sealed.firstTime() <= last {
			w.clock = r.newView()
		}
		ended = max(ended, last)
	}
}

// untangle finds the visitors whose rows don't come in order. Most are met in one segment at a time, even
// where segments overlap.
func (b *block) untangle() error {
	if b.last == nil {
		b.last = make([]event.Time, blockVisitors)
	}
	clear(b.last)
	for _, w := range b.walkers {
		if w.clock == nil {
			continue
		}
		runs := w.sealed.runs
		for run := w.from; run < w.run; run++ {
			visitor := runs.Ordinals[run] - b.first
			first, last := w.timeOf(runs.Starts[run]), w.timeOf(runs.Starts[run+1]-1)
			if before := &b.last[visitor]; *before == 0 {
				*before = last + 1
			} else {
				if first < *before {
					b.tangled.add(visitor)
				}
				*before = max(*before, last+1)
			}
		}
		if w.clock.err != nil {
			return w.clock.err
		}
		w.clock.settle(w.over())
	}
	return nil
}

// timeOf returns the time of a row.
func (w *walker) timeOf(row uint32) event.Time {
	w.clock.reach(w.sealed, int(row), w.end())
	return w.clock.timesOf()[int(row)-w.clock.first]
}

func (s *sealed) firstTime() event.Time {
	first, _ := s.segment.TimeRange()
	return first
}

// walkBlock takes the rows of a segment that belong to a block.
func (r *run) walkBlock(p *pass, b *block, w *walker) error {
	if w.from == w.run {
		return nil
	}
	if w.pairs != nil {
		r.work += 1 + (w.run-w.from)/rowsPerWork
		if err := r.look(p); err != nil {
			return err
		}
		p.paired(b, w)
		return nil
	}
	runs := w.sealed.runs
	if !w.idle && p.among == nil {
		return r.takeStretch(p, w.sealed, w.view, w.few, int(runs.Starts[w.from]), w.end(), w.end())
	}
	wanted := func(ordinal uint32) bool {
		return (!w.idle || b.tangled.has(ordinal-b.first)) && (p.among == nil || p.among(ordinal))
	}
	for run := w.from; run < w.run; run++ {
		first := run
		for run < w.run && wanted(runs.Ordinals[run]) {
			run++
		}
		if first == run {
			continue
		}
		if err := r.takeStretch(p, w.sealed, w.view, w.few, int(runs.Starts[first]), int(runs.Starts[run]), w.end()); err != nil {
			return err
		}
	}
	return nil
}
