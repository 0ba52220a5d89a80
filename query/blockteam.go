package query

import "slices"

// How several workers make one pass over blocks.

// load is how much there is to walk.
func (w *blockWalk) load(taker sharedTaker) workload {
	load := workload{visitor: taker.lastWaiting()}
	for _, of := range w.block.walkers {
		load.visitor = max(load.visitor, lastVisitor(of.ordinals))
		switch {
		case of.pairs != nil:
			load.rows += len(of.pairs.codes)
		case of.few != nil:
			load.rows += len(of.few.rows)
		default:
			load.rows += of.sealed.segment.Rows()
		}
	}
	return load
}

// seek goes to the first visitor that isn't below one.
func (w *blockWalk) seek(visitor uint32) {
	w.taker.(sharedTaker).seekWaiting(visitor)
	for _, of := range w.block.walkers {
		of.run, _ = slices.BinarySearch(of.ordinals, visitor)
	}
}

// forHelper makes the walk of a helper, which knows what was found out about segments.
func (w *blockWalk) forHelper(r *run, taker sharedTaker) *blockWalk {
	p, theirs := taker.forHelper(r, w.p)
	own := &blockWalk{r: r, p: p, taker: theirs}
	for _, of := range w.block.walkers {
		own.block.walkers = append(own.block.walkers, of.forHelper(r))
	}
	return own
}

func (w *walker) forHelper(r *run) *walker {
	own := &walker{sealed: w.sealed.openedBy(r), ordinals: w.ordinals, idle: w.idle, pairs: w.pairs, groups: w.groups}
	if w.view != nil {
		own.view = r.newView()
	}
	if w.clock != nil {
		own.clock = r.newView()
	}
	if w.few != nil {
		own.few = &rowList{rows: w.few.rows}
	}
	return own
}

// countTaker is a counter whose work helpers share.
type countTaker struct {
	*counter
	matches []Match
	helpers []*counter
}

func (t *countTaker) seekWaiting(visitor uint32) { t.waits.seek(visitor) }
func (t *countTaker) lastWaiting() uint64        { return t.waits.most() }

// forHelper returns a counter for a helper, which knows the groups and the cells that there are.
func (t *countTaker) forHelper(r *run, p *pass) (*pass, sharedTaker) {
	c := t.counter.forHelper()
	t.helpers = append(t.helpers, c)
	own := c.pass(r, t.matches)
	own.from, own.to, own.ordered, own.paired = p.from, p.to, p.ordered, c.takePairs
	own.size = c.helperSize
	return own, &countTaker{counter: c, matches: t.matches}
}

func (c *counter) forHelper() *counter {
	own := &counter{groups: c.groups.forHelper(c.groups.forReading()), waits: c.waits, paidTest: newPaidTest(), codes: c.codes}
	if c.among != nil {
		among := c.among.groups
		own.among = &remainder{groups: among.forHelper(among.forReading()), marks: c.among.marks}
	}
	if c.buckets != nil {
		own.buckets, own.cells = c.buckets.forHelper(), &pairNumbers{numbering: c.cells.numbering.forHelper()}
	}
	for _, t := range []struct{ ours, theirs **tally }{{&c.events, &own.events}, {&c.paid, &own.paid}, {&c.uniques, &own.uniques}, {&c.parts, &own.parts}} {
		if *t.ours != nil {
			*t.theirs = newTally(false)
		}
	}
	return own
}

// helperSize counts all entries of a helper's tables. Who waits is counted elsewhere.
func (c *counter) helperSize() int {
	n := c.met.size() + c.metParts.size() + c.runs.size() + c.groups.size() + len(c.byNumber)/codesPerEntry
	for _, t := range []*tally{c.events, c.paid, c.uniques, c.parts} {
		if t != nil {
			n += t.size()
		}
	}
	if c.cells != nil {
		n += len(c.cells.list)
	}
	return n
}

// join adds what a helper counted. It returns our numbers of its groups.
func (c *counter) join(o *counter) []uint32 {
	var groups []uint32
	if o.byNumber != nil { // these are all that it has met
		groups = c.joinCodes(o)
	} else {
		groups = c.groups.join(o.groups)
	}
	c.events.join(o.events, groups)
	c.paid.join(o.paid, groups)
	c.uniques.join(o.uniques, groups)
	if c.buckets == nil {
		return groups
	}
	buckets := make([]uint32, len(o.buckets.starts))
	for number, start := range o.buckets.starts {
		buckets[number] = c.buckets.number(start)
	}
	c.parts.join(o.parts, c.cells.join(o.cells, groups, buckets))
	return groups
}

// join adds the counts of a helper; numbers are ours by its own.
func (t *tally) join(o *tally, numbers []uint32) {
	if t == nil {
		return
	}
	for number, n := range o.counts {
		if n > 0 {
			*at(&t.counts, numbers[number]) += n
		}
	}
}

// forHelper returns a calendar in which the buckets that were met have the same numbers.
func (c *calendar) forHelper() *calendar {
	own := *c
	own.spans, own.starts = slices.Clone(c.spans), slices.Clone(c.starts)
	return &own
}
