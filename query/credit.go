package query

import "math/big"

// ledger shares out credit, exactly. Every model gives a group num/den of a path's conversions and
// value, where den is one of few: a whole number, or shareUnit. The ledger adds up num for each
// group and den, and only at the end brings all to one common denominator.
type ledger struct {
	models  []CreditModel
	valued  bool              // conversions are worth a property; else each is worth 1
	cells   []*cellTable      // by model
	lengths *cellTable        // by number of touches of paths: how many of them groups have; nil where no model asks for it
	dens    *numbering[int64] // whole denominators; number 0 stands for shareUnit
	quick   [quickDens]uint32 // of small denominators: their number, or 0 where it isn't known
	decay   *decay            // nil where no model asks for it
	shares  []shareCell       // what groups got by it in words, beside what cells have
	chain   *chain            // nil where no model asks for it
	shared  bool              // some model asks how often a path has each group

	shape pathShape // of the path at hand

	room productRoom // of the share at hand
	part big.Int     // likewise

	total, unattributed, attributed worth
	missing                         int
}

// cell is what one group got in shares of one denominator.
type cell struct {
	conversions bigSum
	value       exactSum
}

func newLedger(q *Attribution) *ledger {
	b := &ledger{models: q.Models, valued: q.Value != "", cells: make([]*cellTable, len(q.Models)), dens: newNumbering[int64]()}
	b.dens.number(0)
	for i, m := range q.Models {
		b.cells[i] = newCellTable()
		switch m {
		case ModelLinear, ModelPosition:
			b.shared = true
			if b.lengths == nil {
				b.lengths = newCellTable()
			}
		case ModelParticipation:
			b.shared = true
		case ModelTimeDecay:
			b.shared, b.decay = true, newDecay(q.HalfLife)
		case ModelDataDriven:
			b.chain = newChain()
		}
	}
	for _, w := range []*worth{&b.total, &b.unattributed, &b.attributed} {
		w.valued = b.valued
	}
	return b
}

func (b *ledger) size() int {
	n := 0
	for _, cells := range b.cells {
		n += 4 * cells.count
	}
	if b.lengths != nil {
		n += 4 * b.lengths.count
	}
	n += 4 * len(b.shares)
	if b.chain != nil {
		n += len(b.chain.moves)
	}
	return n
}

// bigOne is only ever read.
var bigOne = big.NewInt(1)

// begin begins with an actor of so many touches.
func (b *ledger) begin(touches int) {
	if b.shared {
		b.shape.begin()
	}
	if b.decay != nil {
		b.decay.begin(touches)
	}
}

// knowWeights tells what the touches of the next actor weigh by time decay, by the slots of their places; nil where that
// isn't known.
func (b *ledger) knowWeights(known []decayWeight) {
	if b.decay != nil {
		b.decay.known = known
	}
}

// enter counts a conversion and adds it to its path.
func (b *ledger) enter(p *path, c *conversion) {
	p.conversions++
	switch {
	case c.valued:
		p.value.addNumber(&c.value)
	case b.valued:
		b.missing++
	}
}

// enterPath takes in what the conversions of a path are worth together.
func (b *ledger) enterPath(p *path) {
	side := &b.attributed
	if len(p.touches) == 0 {
		side = &b.unattributed
	}
	side.conversions += p.conversions
	if b.valued {
		side.sum.addTimes(&p.value, 1)
	}
}

// enterAll enters conversions that are on one side, whatever their paths.
func (b *ledger) enterAll(side *worth, list []conversion) {
	side.conversions += int64(len(list))
	for i := range list {
		switch c := &list[i]; {
		case c.valued:
			side.sum.addNumber(&c.value)
		case b.valued:
			b.missing++
		}
	}
}

// giveAll gives a group all credit for conversions, by the only model.
func (b *ledger) giveAll(group uint32, list []conversion) {
	if len(list) == 0 {
		return
	}
	to := b.cells[0].of(group, b.denNumber(1))
	to.conversions.add(int64(len(list)))
	for i := range list {
		if c := &list[i]; c.valued {
			to.value.addNumber(&c.value)
		}
	}
}

// pay shares out the credit of a path among its groups, by every model.
func (b *ledger) pay(p *path) {
	if b.shared {
		b.shape.turn(p)
	}
	n := int64(len(p.touches))
	first, last := p.touches[0].group, p.touches[n-1].group
	if b.lengths != nil { // linear is made of that, and so is position but for the ends
		for _, g := range b.shape.present {
			b.give(b.lengths, p, g, b.shape.counts[g], n)
		}
	}
	for i, model := range b.models {
		switch cells := b.cells[i]; model {
		case ModelFirst:
			b.give(cells, p, first, 1, 1)
		case ModelLast:
			b.give(cells, p, last, 1, 1)
		case ModelLastNonDirect:
			b.give(cells, p, lastNonDirect(p.touches), 1, 1)
		case ModelPosition:
			if n > 2 {
				b.give(cells, p, first, 1, n)
				b.give(cells, p, last, 1, n)
			}
		case ModelParticipation:
			for _, g := range b.shape.present {
				b.give(cells, p, g, 1, 1)
			}
		case ModelTimeDecay:
			b.payDecay(i, p)
		case ModelDataDriven:
			b.chain.add(p.touches, p.conversions, true)
		}
	}
}

func lastNonDirect(touches []actorTouch) uint32 {
	for i := len(touches) - 1; i >= 0; i-- {
		if !touches[i].direct {
			return touches[i].group
		}
	}
	return touches[len(touches)-1].group
}

func (b *ledger) payDecay(model int, p *path) {
	if len(b.shape.present) == 1 {
		b.give(b.cells[model], p, b.shape.present[0], 1, 1)
		return
	}
	newest := p.touches[len(p.touches)-1].group
	shares := b.decay.shares(p, b.shape.present, newest)
	for i := range shares {
		b.giveShare(model, p, b.shape.present[i], &shares[i])
	}
}

// give gives a group num/den of a path.
func (b *ledger) give(cells *cellTable, p *path, group uint32, num, den int64) {
	c := cells.of(group, b.denNumber(den))
	if num < timesMax && p.conversions < timesMax {
		c.conversions.add(num * p.conversions)
	} else {
		c.conversions.addBig(new(big.Int).Mul(big.NewInt(num), big.NewInt(p.conversions)))
	}
	if b.valued {
		c.value.addTimes(&p.value, num)
	}
}

// giveShare gives a group a share of a path.
func (b *ledger) giveShare(model int, p *path, group uint32, one *portion) {
	c := at(&b.shares, group)
	c.conversions.add(one, p.conversions)
	if !b.valued {
		return
	}
	if n, small := p.value.small(); small && p.value.scale < shareScales {
		c.values[p.value.scale].add(one, n)
		return
	}
	one.into(&b.part)
	b.cells[model].of(group, 0).value.addIn(&b.room, &p.value, &b.part)
}

// quickDens is how many denominators have their numbers at hand.
const quickDens = 256

// denNumber returns the number of a denominator, which isn't 0.
func (b *ledger) denNumber(den int64) uint32 {
	if den >= quickDens {
		return b.dens.number(den)
	}
	if b.quick[den] == 0 {
		b.quick[den] = b.dens.number(den)
	}
	return b.quick[den]
}
