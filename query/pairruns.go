package query

import "math/bits"

// Where each code is a group, whoever comes in one segment alone has each of his groups once: nobody needs to ask
// whether he was met there. Who comes in several waits until the end of the block, and then is counted through all of
// them at a time: that he was met in a group, a mark at the group tells, which is to be found in the nearest cache. A
// set of visitors and groups, which all segments would be held against in turn, isn't.

// pairRuns are the pairs of those visitors of a block who come in several segments.
type pairRuns struct {
	several visitorBits // of the block: who isn't in one segment alone
	loose   visitorBits // of these: who comes live, or in a segment whose rows are walked, too
	list    []pairRun
	last    [blockVisitors]uint32 // by visitor: his last one in the list, plus one; 0 outside of blocks
	marks   []uint32              // by group: the turn in which it was met
	turn    uint32                // of the visitor at hand; each has his own
}

// pairRun is a stretch of a segment's pairs: those of a visitor.
type pairRun struct {
	of       *walker
	from, to uint32
	before   uint32 // the visitor's one before, plus one, or 0
}

// begin finds who of a block comes in several segments.
func (p *pairRuns) begin(b *block) {
	p.several, p.loose, p.list = visitorBits{}, visitorBits{}, p.list[:0]
	var met visitorBits
	for _, w := range b.walkers {
		for _, ordinal := range w.ordinals[w.from:w.run] {
			visitor := ordinal - b.first
			if met.has(visitor) {
				p.several.add(visitor)
			}
			if w.pairs == nil {
				p.addLoose(visitor)
			}
			met.add(visitor)
		}
	}
}

// addLoose notes a visitor whose groups are told by more than pairs.
func (p *pairRuns) addLoose(visitor uint32) {
	p.several.add(visitor)
	p.loose.add(visitor)
}

// add adds the pairs of a visitor in a segment.
func (p *pairRuns) add(visitor uint32, run pairRun) {
	run.before = p.last[visitor]
	p.list = append(p.list, run)
	p.last[visitor] = uint32(len(p.list))
}

// nextTurn begins with the next visitor, of so many groups. It returns what marks the groups in which he was met.
func (p *pairRuns) nextTurn(groups int) uint32 {
	if len(p.marks) < groups {
		p.marks = append(p.marks, make([]uint32, groups-len(p.marks))...)
	}
	if p.turn++; p.turn == 0 { // after four thousand million
		clear(p.marks)
		p.turn = 1
	}
	return p.turn
}

// size is how many entries of a table these are worth.
func (p *pairRuns) size() int {
	if p == nil {
		return 0
	}
	return len(p.list) + len(p.marks)/codesPerEntry
}

// takeOnce counts those visitors of a block in a segment who come in no other, and lets the others wait.
func (c *counter) takeOnce(b *block, w *walker) {
	from := uint32(0)
	if w.from > 0 {
		from = w.pairs.ends[w.from-1]
	}
	for run := w.from; run < w.run; run++ {
		to := w.pairs.ends[run]
		if visitor := w.ordinals[run] - b.first; c.runs.several.has(visitor) {
			c.runs.add(visitor, pairRun{of: w, from: from, to: to})
		} else {
			for _, code := range w.pairs.codes[from:to] {
				if group := w.groups[code]; group != 0 {
					c.uniques.bump(group - 1)
				}
			}
		}
		from = to
	}
}

// takeSeveral counts the visitors of a block who come in several segments.
func (c *counter) takeSeveral() {
	if len(c.runs.list) == 0 {
		return
	}
	for i, word := range c.runs.several {
		for ; word != 0; word &= word - 1 {
			visitor := uint32(64*i + bits.TrailingZeros64(word))
			if last := c.runs.last[visitor]; last != 0 {
				c.runs.last[visitor] = 0
				c.takeRuns(visitor, last)
			}
		}
	}
}

// takeRuns counts a visitor who comes in several segments, of whom the last stretch of pairs is given.
func (c *counter) takeRuns(visitor, last uint32) {
	turn, loose := c.runs.nextTurn(c.groups.met), c.runs.loose.has(visitor)
	marks := c.runs.marks
	for last != 0 {
		run := &c.runs.list[last-1]
		groups := run.of.groups
		for _, code := range run.of.pairs.codes[run.from:run.to] {
			group := groups[code]
			if group == 0 || marks[group-1] == turn {
				continue
			}
			marks[group-1] = turn
			if !loose || c.met.add(group-1, visitor) {
				c.uniques.bump(group - 1)
			}
		}
		last = run.before
	}
}
