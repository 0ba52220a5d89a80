package query

import (
	"slices"

	"millimetric/index/event"
)

// counter counts the events and the distinct visitors of groups, and of cells, which are pairs of a group
// and a bucket of time. It takes rows of segments by the thousand: what a code means is looked up once, and
// then a row costs a few steps through arrays.
//
// Visitors are counted without keeping who was met. Rows of a segment stand by visitor, so all segments are
// walked side by side, a block of visitors at a time (see blocks.go): whether a visitor was met in a
// group needs to be known within a block only, and the set that tells is a few bits per group.
type counter struct {
	groups  *groups
	among   *remainder // nil where all groups count
	buckets *calendar  // nil where there are no cells
	cells   *pairNumbers

	events  *tally // by group; nil where that isn't asked for, and so on
	paid    *tally
	uniques *tally
	parts   *tally // by cell: of visitors, if uniques are asked for and events are not

	codes    *sharedCodes // of the segments that pairs may stand for; nil where they aren't kept
	byNumber []uint32     // by number of a text there: its group plus one, or 0 where that isn't known

	runs     *pairRuns // of the block, where pairs stand for rows and codes are groups; else nil
	met      blockSet  // pairs of a group and a visitor of the block
	metParts blockSet  // pairs of a cell and a visitor of the block
	waits    waiting[liveCell]
	paidTest *columnTest
	slots    bucketSlots
	groupOf  []uint32 // of the rows at hand
	cellOf   []uint32
}

// remainder is the groups that some answer has no room for: those whose numbers are marked.
type remainder struct {
	groups *groups
	marks  []bool
}

// has tells whether an event is of such a group.
func (m *remainder) has(e *scanRow) bool { return m.marks[m.groups.number(e)] }

// liveCell is where a live event counts, which waits for the block of its visitor.
type liveCell struct{ group, cell uint32 }

// countsVisitors tells whether visitors must be told apart.
func (c *counter) countsVisitors() bool { return c.uniques != nil }

// count makes the pass over a range that counts what it holds.
func (c *counter) count(r *run, from, to event.Time, matches []Match, size func() int) error {
	c.paidTest = newPaidTest()
	p := c.pass(r, matches)
	p.from, p.to = from, to
	p.size = func() int { return size() + c.size() }
	if !r.bound(p) {
		return nil
	}
	switch {
	case !c.countsVisitors():
		if len(c.groups.columns) == 0 && c.among == nil {
			p.whole, p.parted = c.whole(r, p), c.parted(r, p)
		}
		return r.each(p)
	case c.events == nil && len(c.groups.columns) == 0:
		sets := &visitorSets{c: c}
		p.size = func() int { return size() + len(c.waits.list) + sets.size() }
		return sets.count(r, p)
	}
	if c.paired() {
		p.pairs = func(segments []*sealed, walkers []*walker) error {
			return c.openPairs(r, p, matches, segments, walkers)
		}
		p.paired = c.takePairs
	}
	t := &countTaker{counter: c, matches: matches}
	if err := r.eachBlock(p, t); err != nil {
		return err
	}
	for _, helper := range t.helpers {
		c.join(helper)
	}
	if c.paid != nil && c.tellsPaid() {
		c.paidOfGroups()
	}
	return nil
}

// pass is a pass over events that meet the conditions of the question.
func (c *counter) pass(r *run, matches []Match) *pass {
	return &pass{
		wants: conditionsOf(matches, r.common.counted()),
		visit: func(e *scanRow) {
			if c.among == nil || c.among.has(e) {
				r.cost.Matched++
				c.takeLive(e)
			}
		},
		take: func(v *view, chosen []int32) {
			chosen = c.chooseAmong(v, chosen)
			r.cost.Matched += len(chosen)
			c.take(v, chosen)
		},
	}
}

func newPaidTest() *columnTest {
	return newColumnTest(matchFilter(Match{Column: event.ColumnMedium, Value: mediumPaid}))
}

// size counts entries of tables, but for those of groups and tallies.
func (c *counter) size() int {
	return len(c.waits.list) + c.met.size() + c.metParts.size() + c.runs.size() + len(c.byNumber)/codesPerEntry
}

// tellsPaid tells whether a group is paid for as a whole, or not at all.
func (c *counter) tellsPaid() bool {
	return c.among == nil && slices.ContainsFunc(c.groups.columns, func(g groupColumn) bool { return g.coded == colMedium })
}

// paidOfGroups counts what was paid for by groups.
func (c *counter) paidOfGroups() {
	medium := slices.IndexFunc(c.groups.columns, func(g groupColumn) bool { return g.coded == colMedium })
	for group, n := range c.events.counts {
		if n > 0 && c.groups.valuesOf(uint32(group))[medium] == mediumPaid {
			*at(&c.paid.counts, uint32(group)) += n
		}
	}
}

// whole returns what counts all of a segment at once, where there is one group.
func (c *counter) whole(r *run, p *pass) func(s *sealed) (bool, error) {
	return func(s *sealed) (bool, error) {
		sieve, ok, err := r.sieve(p, s)
		if err != nil || !ok {
			return false, err
		}
		bucket := uint32(0)
		if c.buckets != nil {
			bucket, ok = c.buckets.oneBucket(s)
		}
		if !ok {
			return false, nil
		}
		people, ok, err := r.wantedOf(p, s, sieve)
		if err != nil || !ok {
			return false, err
		}
		n := people.rows
		r.cost.Matched += n
		if n == 0 {
			return true, nil
		}
		c.groups.met = 1
		if c.events != nil {
			*at(&c.events.counts, 0) += int64(n)
		}
		if c.buckets != nil {
			*at(&c.parts.counts, c.cells.number(0, bucket)) += int64(n)
		}
		return true, nil
	}
}

// takeLive counts a live event, but for its visitor, who waits.
func (c *counter) takeLive(e *scanRow) {
	group := c.groups.number(e)
	if c.events != nil {
		c.events.bump(group)
	}
	if c.paid != nil && !c.tellsPaid() && c.paidTest.of(e) {
		c.paid.bump(group)
	}
	var cell uint32
	if c.buckets != nil {
		cell = c.cells.number(group, c.buckets.number(e.time))
	}
	switch {
	case c.countsVisitors():
		c.waits.add(e.visitor, liveCell{group: group, cell: cell})
	case c.buckets != nil:
		c.parts.bump(cell)
	}
}

func (c *counter) nextWaiting() uint64 { return c.waits.next() }

// begin begins a block with the live visitors in it.
func (c *counter) begin(b *block) {
	c.met.clear()
	c.metParts.clear()
	c.met.sparse = b.pairsMost() <= sparseMost
	if c.codesAreGroups() {
		if c.runs == nil {
			c.runs = &pairRuns{}
		}
		c.runs.begin(b)
	}
	c.waits.take(b, func(visitor uint32, w liveCell) {
		if c.runs != nil {
			c.runs.addLoose(visitor)
		}
		if c.met.add(w.group, visitor) {
			c.uniques.bump(w.group)
		}
		if c.buckets != nil && c.metParts.add(w.cell, visitor) {
			c.parts.bump(w.cell)
		}
	})
}

// end is part of blockTaker.
func (c *counter) end(*block) error {
	if c.runs != nil {
		c.takeSeveral()
	}
	return nil
}

// chooseAmong leaves the rows whose groups count.
func (c *counter) chooseAmong(v *view, chosen []int32) []int32 {
	if c.among == nil || len(chosen) == 0 {
		return chosen
	}
	c.groupOf = c.among.groups.numbersOf(v, chosen, c.groupOf)
	kept := chosen[:0]
	for i, at := range chosen {
		if c.among.marks[c.groupOf[i]] {
			kept = append(kept, at)
		}
	}
	return kept
}

// take counts rows of a view.
func (c *counter) take(v *view, chosen []int32) {
	if len(chosen) == 0 {
		return
	}
	c.groupOf = c.groups.numbersOf(v, chosen, c.groupOf)
	if v.err != nil {
		return
	}
	if c.events != nil {
		c.events.bumpAll(c.groupOf)
	}
	if c.paid != nil && !c.tellsPaid() {
		c.takePaid(v, chosen)
	}
	if c.buckets != nil {
		c.cellsOf(v, chosen)
	}
	switch {
	case c.countsVisitors():
		c.takeVisitors(v, chosen)
	case c.buckets != nil:
		c.parts.bumpAll(c.cellOf)
	}
}

func (c *counter) takePaid(v *view, chosen []int32) {
	own, err := c.paidTest.open(v.sealed)
	if err != nil {
		v.fail(err)
		return
	}
	if !own.possible {
		return
	}
	codes := v.codesOf(colMedium)
	for i, at := range chosen {
		if d := own.of[codes[at]]; d == verdictYes || d == verdictOpen && c.paidTest.verdict(v, own, codes[at]) == verdictYes {
			c.paid.bump(c.groupOf[i])
		}
	}
}

// takeVisitors counts the visitors of rows.
func (c *counter) takeVisitors(v *view, chosen []int32) {
	first := v.block
	starts, ordinals := v.sealed.runs.Starts, v.sealed.runs.Ordinals
	v.come(int(chosen[0]))
	run := v.visitor
	end, visitor := starts[run+1], ordinals[run]-first
	lastGroup, lastCell := ^uint32(0), ^uint32(0) // that this visitor was met in last
	for i, at := range chosen {
		if row := uint32(v.first) + uint32(at); row >= end {
			for row >= starts[run+1] {
				run++
			}
			end, visitor = starts[run+1], ordinals[run]-first
			lastGroup, lastCell = ^uint32(0), ^uint32(0)
		}
		if group := c.groupOf[i]; group != lastGroup {
			lastGroup = group
			if c.met.add(group, visitor) {
				c.uniques.bump(group)
			}
		}
		if c.buckets == nil {
			continue
		}
		if cell := c.cellOf[i]; cell != lastCell {
			lastCell = cell
			if c.metParts.add(cell, visitor) {
				c.parts.bump(cell)
			}
		}
	}
	v.visitor = run
}

// cellsOf finds the cells of rows.
func (c *counter) cellsOf(v *view, chosen []int32) {
	times := v.timesOf()
	c.slots.turn(c.buckets, v.sealed)
	c.cellOf = slices.Grow(c.cellOf[:0], len(chosen))[:len(chosen)]
	for i, at := range chosen {
		bucket := c.slots.bucket(times[at])
		c.cellOf[i] = c.cells.number(c.groupOf[i], bucket)
	}
}
