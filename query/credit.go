package query

import (
	"math/big"
	"slices"
	"sort"
)

// path is the touches of one or more conversions, in order.
type path struct {
	touches     []actorTouch
	conversions int64
	value       amount // of these conversions together
}

// settle walks conversions and touches side by side, and pays each path's credit into the book.
func (q *Attribution) settle(r *run, book *ledger, found *conversions, table *visitTable) error {
	touches := table.sorted()
	r.cost.Matched += len(touches)
	book.prepare(touches, len(table.groups.whole.list))
	var work int
	pay := func(p *path) error {
		if len(p.touches) == 0 {
			return nil
		}
		book.pay(p)
		// One look at the budgets per million of touches takes nothing and comes often enough.
		if work += len(p.touches) + 1; work > 1<<20 {
			work = 0
			return r.overBudget(book.size() + 4*len(touches) + 4*len(found.list))
		}
		return nil
	}
	for from, to := range stretches(len(found.list), func(i int) uint32 { return found.list[i].actor }) {
		if err := q.pathsOf(book, found.list[from:to], touchesOf(touches, found.list[from].actor), pay); err != nil {
			return err
		}
	}
	if book.chain == nil {
		return nil
	}
	for from, to := range stretches(len(touches), func(i int) uint32 { return touches[i].actor }) {
		if !found.has(touches[from].actor) {
			inRange := slices.DeleteFunc(slices.Clone(touches[from:to]), func(t actorTouch) bool { return t.at.time < q.From || t.at.time >= q.To })
			book.chain.add(inRange, 1, false)
		}
	}
	return nil
}

// pathsOf gives the paths of one actor's conversions to pay. The touches of a conversion are those
// from lo up to hi: later conversions never need earlier touches.
func (q *Attribution) pathsOf(book *ledger, list []conversion, touches []actorTouch, pay func(*path) error) error {
	var p path
	lo, hi := 0, 0
	for _, c := range list {
		start, end := lo, hi
		for hi < len(touches) && touches[hi].at.compare(c.at) <= 0 {
			hi++
		}
		for earliest := q.lookbackStart(c.at.time); lo < hi && touches[lo].at.time < earliest; {
			lo++
		}
		if lo != start || hi != end {
			if err := pay(&p); err != nil {
				return err
			}
			p = path{touches: touches[lo:hi]}
		}
		book.enter(&p, c)
	}
	return pay(&p)
}

// touchesOf finds the touches of an actor.
func touchesOf(all []actorTouch, actor uint32) []actorTouch {
	from := sort.Search(len(all), func(i int) bool { return all[i].actor >= actor })
	to := from
	for to < len(all) && all[to].actor == actor {
		to++
	}
	return all[from:to]
}

// stretches walks the stretches of a list in which key is the same.
func stretches(n int, key func(i int) uint32) func(yield func(from, to int) bool) {
	return func(yield func(from, to int) bool) {
		for from := 0; from < n; {
			to := from + 1
			for to < n && key(to) == key(from) {
				to++
			}
			if !yield(from, to) {
				return
			}
			from = to
		}
	}
}

// ledger shares out credit, exactly. Every model gives a group num/den of a path's conversions and
// value, where den is one of few: a whole number, or shareUnit. The ledger adds up num for each
// group and den, and only at the end brings all to one common denominator.
type ledger struct {
	models []CreditModel
	valued bool // conversions are worth a property; else each is worth 1
	cells  []map[uint64]*cell
	dens   *numbering[int64] // whole denominators; number 0 stands for shareUnit
	decay  *decay            // nil where no model asks for it
	chain  *chain            // nil where no model asks for it

	counts  []int64  // touches of the path at hand, per group; all 0 between paths
	present []uint32 // the groups of the path at hand
	weights []decayWeight

	total, unattributed, attributed worth
	missing                         int
}

// cell is what one group got in shares of one denominator.
type cell struct {
	conversions big.Int
	value       amount
}

func newLedger(q *Attribution) *ledger {
	b := &ledger{models: q.Models, valued: q.Value != "", cells: make([]map[uint64]*cell, len(q.Models)), dens: newNumbering[int64]()}
	b.dens.number(0)
	for i, m := range q.Models {
		b.cells[i] = map[uint64]*cell{}
		switch m {
		case ModelTimeDecay:
			b.decay = newDecay(q.HalfLife)
		case ModelDataDriven:
			b.chain = newChain()
		}
	}
	for _, w := range []*worth{&b.total, &b.unattributed, &b.attributed} {
		w.valued = b.valued
	}
	return b
}

func (b *ledger) prepare(touches []actorTouch, groups int) {
	b.counts = make([]int64, groups)
	if b.decay == nil {
		return
	}
	for i := range touches {
		touches[i].weight = b.decay.weight(touches[i].at.time)
	}
}

func (b *ledger) size() int {
	n := 0
	for _, cells := range b.cells {
		n += 4 * len(cells)
	}
	if b.chain != nil {
		n += len(b.chain.moves)
	}
	return n
}

// bigOne is only ever read.
var bigOne = big.NewInt(1)

// enter counts a conversion and adds it to its path.
func (b *ledger) enter(p *path, c conversion) {
	worths := []*worth{&b.total, &b.attributed}
	if len(p.touches) == 0 {
		worths[1] = &b.unattributed
	}
	for _, w := range worths {
		w.conversions++
		if c.value != nil {
			w.sum.add(c.value, bigOne)
		}
	}
	p.conversions++
	if c.value != nil {
		p.value.add(c.value, bigOne)
	}
	if b.valued && c.value == nil {
		b.missing++
	}
}

// pay shares out the credit of a path among its groups, by every model.
func (b *ledger) pay(p *path) {
	for i := range p.touches {
		g := p.touches[i].group
		if b.counts[g] == 0 {
			b.present = append(b.present, g)
		}
		b.counts[g]++
	}
	n := int64(len(p.touches))
	first, last := p.touches[0].group, p.touches[n-1].group
	for i, model := range b.models {
		switch model {
		case ModelFirst:
			b.give(i, p, first, 1, 1)
		case ModelLast:
			b.give(i, p, last, 1, 1)
		case ModelLastNonDirect:
			b.give(i, p, lastNonDirect(p.touches), 1, 1)
		case ModelLinear:
			for _, g := range b.present {
				b.give(i, p, g, b.counts[g], n)
			}
		case ModelPosition:
			b.payPosition(i, p)
		case ModelParticipation:
			for _, g := range b.present {
				b.give(i, p, g, 1, 1)
			}
		case ModelTimeDecay:
			b.payDecay(i, p)
		case ModelDataDriven:
			b.chain.add(p.touches, p.conversions, true)
		}
	}
	for _, g := range b.present {
		b.counts[g] = 0
	}
	b.present = b.present[:0]
}

func lastNonDirect(touches []actorTouch) uint32 {
	for i := len(touches) - 1; i >= 0; i-- {
		if !touches[i].direct {
			return touches[i].group
		}
	}
	return touches[len(touches)-1].group
}

// payPosition gives 40 % to the first touch, 40 % to the last, and 20 % to those between: of n
// touches each of these gets 1/(5(n-2)), and an end 2(n-2) times that.
func (b *ledger) payPosition(model int, p *path) {
	n := int64(len(p.touches))
	first, last := p.touches[0].group, p.touches[n-1].group
	if n <= 2 {
		b.give(model, p, first, 1, n)
		if n == 2 {
			b.give(model, p, last, 1, n)
		}
		return
	}
	for _, g := range b.present {
		num := b.counts[g]
		for _, end := range []uint32{first, last} {
			if g == end {
				num += 2*(n-2) - 1
			}
		}
		if num > 0 {
			b.give(model, p, g, num, 5*(n-2))
		}
	}
}

func (b *ledger) payDecay(model int, p *path) {
	if len(b.present) == 1 {
		b.give(model, p, b.present[0], 1, 1)
		return
	}
	newest := p.touches[len(p.touches)-1].group
	for i, share := range b.decay.shares(p.touches, b.present, newest) {
		b.giveBig(model, p, pair(b.present[i], 0), share)
	}
}

func (b *ledger) give(model int, p *path, group uint32, num, den int64) {
	b.giveBig(model, p, pair(group, b.dens.number(den)), big.NewInt(num))
}

func (b *ledger) giveBig(model int, p *path, key uint64, num *big.Int) {
	c := b.cells[model][key]
	if c == nil {
		c = &cell{}
		b.cells[model][key] = c
	}
	var t big.Int
	c.conversions.Add(&c.conversions, t.Mul(num, t.SetInt64(p.conversions)))
	if b.valued {
		c.value.add(&p.value, num)
	}
}

// close brings the shares of each model to one denominator, and lets data_driven share out its
// credit, for which it must have seen all paths.
func (b *ledger) close(groups *grouping) ([]*modelSum, error) {
	sums := make([]*modelSum, len(b.models))
	for i, model := range b.models {
		s := &modelSum{den: big.NewInt(1), groups: make([]cell, len(groups.whole.list)), valued: b.valued}
		if model == ModelDataDriven {
			shares, err := b.chain.shares(groups)
			if err != nil {
				return nil, err
			}
			s.den = shareUnit()
			for group, share := range shares {
				s.groups[group].conversions.Mul(share, big.NewInt(b.attributed.conversions))
				s.groups[group].value.add(&b.attributed.sum, share)
			}
		} else {
			b.sumUp(s, b.cells[i])
		}
		sums[i] = s
	}
	return sums, nil
}

// sumUp finds the least common denominator of all cells and adds them up in it.
func (b *ledger) sumUp(s *modelSum, cells map[uint64]*cell) {
	dens := map[uint32]*big.Int{}
	for key := range cells {
		_, number := unpair(key)
		if dens[number] != nil {
			continue
		}
		den := big.NewInt(b.dens.list[number])
		if number == 0 {
			den = shareUnit()
		}
		dens[number] = den
		var common big.Int
		s.den.Mul(s.den, new(big.Int).Quo(den, common.GCD(nil, nil, s.den, den)))
	}
	for number, den := range dens {
		dens[number] = new(big.Int).Quo(s.den, den)
	}
	var t big.Int
	for key, c := range cells {
		group, number := unpair(key)
		to := &s.groups[group]
		to.conversions.Add(&to.conversions, t.Mul(&c.conversions, dens[number]))
		to.value.add(&c.value, dens[number])
	}
}

// modelSum is what each group got by one model, over one denominator.
type modelSum struct {
	den    *big.Int
	groups []cell
	valued bool
}

func (s *modelSum) of(group uint32) credit {
	c := &s.groups[group]
	conversions := new(big.Rat).SetFrac(&c.conversions, s.den)
	if !s.valued {
		return credit{conversions, conversions}
	}
	return credit{conversions, c.value.over(s.den)}
}

// equals tells whether the credits add up to w.
func (s *modelSum) equals(w *worth) bool {
	var conversions big.Int
	var value amount
	for i := range s.groups {
		conversions.Add(&conversions, &s.groups[i].conversions)
		value.add(&s.groups[i].value, bigOne)
	}
	want := new(big.Int).Mul(big.NewInt(w.conversions), s.den)
	return conversions.Cmp(want) == 0 && value.over(s.den).Cmp(w.sum.over(bigOne)) == 0
}

// worth is a number of conversions and what they are worth.
type worth struct {
	conversions int64
	sum         amount
	valued      bool
}

func (w *worth) members() []Member {
	value := Int(w.conversions)
	if w.valued {
		value = Rounded(w.sum.over(bigOne), digitsCredit)
	}
	return []Member{{"conversions", Int(w.conversions)}, {"value", value}}
}

// credit is a share of conversions and of their value.
type credit struct{ conversions, value *big.Rat }

func (c *credit) add(d credit) {
	if c.conversions == nil {
		c.conversions, c.value = new(big.Rat), new(big.Rat)
	}
	c.conversions = new(big.Rat).Add(c.conversions, d.conversions)
	c.value = new(big.Rat).Add(c.value, d.value)
}

func (c credit) shown() Value {
	return Object(Member{"conversions", Rounded(c.conversions, digitsCredit)}, Member{"value", Rounded(c.value, digitsCredit)})
}
