package query

import (
	"cmp"
	"math/bits"
	"slices"
)

// How several workers find touches and share out credit, each for the visitors of some blocks.

// creditWalk is a worker's walk over the visitors whose touches get credit. All conversions up to the last visitor are
// entered on the way, those of visitors without touches, too.
type creditWalk struct {
	*startWalk
	pass *pass
	to   uint64 // visitors of joined segments are walked from here on
}

// actorRows is how many rows the touches of an actor with conversions stand for: where his visits begin lies elsewhere
// than where the next one's do.
const actorRows = 64

// divide makes the pass of walk.
func (w *startWalk) divide(p *pass, found *conversions) error {
	s := w.settlement
	load := workload{visitor: w.lastVisitor()}
	if n := len(s.left); n > 0 {
		load.visitor = max(load.visitor, uint64(s.left[n-1].actor))
	}
	if s.book.chain == nil { // whose paths are told apart by their groups' numbers
		load.rows = len(s.left) * actorRows
	}
	var helpers []*touchWalk
	err := w.r.divide(&creditWalk{startWalk: w, pass: p}, load, func(r *run) blockWalker {
		helper := w.forHelper(r, found)
		helpers = append(helpers, helper.touchWalk)
		own := *p
		own.visit, own.among, own.size = nil, nil, helper.size
		return &creditWalk{startWalk: helper, pass: &own}
	})
	if err != nil {
		return err
	}
	s.left = nil
	for _, helper := range helpers {
		s.book.join(helper.settlement.book, w.groups.join(helper.groups))
	}
	return nil
}

// forHelper makes a walk for a helper, with a book of its own.
func (w *startWalk) forHelper(r *run, found *conversions) *startWalk {
	t := newTouchWalk(r, w.q)
	t.groups = w.groups.forHelper()
	t.settlement = newSettlement(r, w.q, newLedger(w.q), found)
	t.settlement.size = 0 // of the list, which is counted elsewhere
	own := newStartWalk(t)
	if w.wants != nil {
		own.wants = found.bits
	}
	own.takeOver(w)
	return own
}

// size counts the entries of a helper's tables. Who waits is counted elsewhere.
func (t *touchWalk) size() int {
	return 2*len(t.lists.nodes) + t.groups.size() + t.settlement.book.size()
}

func (c *creditWalk) seek(visitor uint32) {
	c.startWalk.seek(visitor)
	c.settlement.seek(visitor)
	c.to = uint64(visitor)
}

func (c *creditWalk) next() uint64 {
	if c.joined != nil && c.to < uint64(len(c.joined.blocks))*blockVisitors {
		return c.to
	}
	return min(c.nextVisitor(), c.settlement.nextActor())
}

func (c *creditWalk) walkBlock(first uint32) error {
	c.to = uint64(first) + blockVisitors
	walk := c.startWalk.walkBlock
	if c.settlement.first && c.sold != nil { // else starts are better looked up together
		walk = c.walkFirst
	}
	if err := walk(c.pass, first); err != nil {
		return err
	}
	return c.settlement.upTo(c.to)
}

// seek goes to the conversions of the first actor that isn't below one.
func (s *settlement) seek(actor uint32) {
	first, _ := slices.BinarySearchFunc(s.all, actor, func(c conversion, actor uint32) int { return cmp.Compare(c.actor, actor) })
	s.left = s.all[first:]
}

// nextActor returns the first actor whose conversions aren't entered yet, noVisitor if there is none.
func (s *settlement) nextActor() uint64 {
	if len(s.left) == 0 {
		return noVisitor
	}
	return uint64(s.left[0].actor)
}

// forHelper makes a grouping for a helper, with the same numbers so far.
func (g *grouping) forHelper() *grouping {
	own := newGrouping(g.dims)
	own.fields, own.whole = g.fields.forHelper(own.fields.columns), g.whole.forHelper()
	return own
}

// join numbers the groups of a helper, too, and returns their numbers here by their numbers there.
func (g *grouping) join(o *grouping) []uint32 {
	fields := g.fields.join(o.fields)
	numbers := make([]uint32, len(o.whole.list))
	for number, w := range o.whole.list {
		w.fields = fields[w.fields]
		numbers[number] = g.whole.number(w)
	}
	return numbers
}

// join adds what a helper has entered, where no model asks for a chain. numbers are those of its groups here.
func (b *ledger) join(o *ledger, numbers []uint32) {
	b.missing += o.missing
	b.attributed.join(&o.attributed)
	b.unattributed.join(&o.unattributed)
	dens := make([]uint32, len(o.dens.list))
	for number, den := range o.dens.list {
		dens[number] = b.dens.number(den)
	}
	for i := range o.cells {
		b.cells[i].join(o.cells[i], numbers, dens)
	}
	if b.lengths != nil {
		b.lengths.join(o.lengths, numbers, dens)
	}
	for group := range o.shares {
		if own := &o.shares[group]; *own != (shareCell{}) {
			at(&b.shares, numbers[group]).join(own)
		}
	}
}

// join adds the cells of a helper; numbers are those of its groups and denominators here. Sums stay in machine words where
// they fit: what is made of them later takes less so.
func (t *cellTable) join(o *cellTable, groups, dens []uint32) {
	o.each(func(group, den uint32, c *cell) {
		to := t.of(groups[group], dens[den])
		if n, small := c.conversions.small(); small {
			to.conversions.add(n)
		} else {
			to.conversions.addBig(c.conversions.whole())
		}
		to.value.addTimes(&c.value, 1)
	})
}

func (w *worth) join(o *worth) {
	w.conversions += o.conversions
	w.sum.add(&o.sum, bigOne)
}

func (c *shareCell) join(o *shareCell) {
	c.conversions.join(&o.conversions)
	for scale := range c.values {
		c.values[scale].join(&o.values[scale])
	}
}

func (s *shareSum) join(o *shareSum) {
	carry := uint64(0)
	for i := range s {
		s[i], carry = bits.Add64(s[i], o[i], carry)
	}
}
