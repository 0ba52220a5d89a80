package query

import "math/big"

// close brings the shares of each model to one denominator, and lets data_driven share out its
// credit, for which it must have seen all paths.
func (b *ledger) close(groups *grouping) ([]*modelSum, error) {
	for _, side := range []*worth{&b.attributed, &b.unattributed} {
		b.total.conversions += side.conversions
		b.total.sum.addTimes(&side.sum, 1)
	}
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
				s.groups[group].conversions.addBig(new(big.Int).Mul(share, big.NewInt(b.attributed.conversions)))
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
func (b *ledger) sumUp(s *modelSum, cells *cellTable) {
	factors := make([]*big.Int, len(b.dens.list)) // by number of the denominator
	cells.each(func(_, number uint32, _ *cell) {
		if factors[number] != nil {
			return
		}
		den := big.NewInt(b.dens.list[number])
		if number == 0 {
			den = shareUnit()
		}
		factors[number] = den
		var common big.Int
		s.den.Mul(s.den, new(big.Int).Quo(den, common.GCD(nil, nil, s.den, den)))
	})
	for number, den := range factors {
		if den != nil {
			factors[number] = new(big.Int).Quo(s.den, den)
		}
	}
	var room productRoom
	cells.each(func(group, number uint32, c *cell) {
		to := &s.groups[group]
		to.conversions.addBig(room.times(&c.conversions, factors[number]))
		to.value.addIn(&room, &c.value, factors[number])
	})
}

// modelSum is what each group got by one model, over one denominator.
type modelSum struct {
	den    *big.Int
	groups []cell
	valued bool
}

func (s *modelSum) of(group uint32) credit {
	c := &s.groups[group]
	conversions := new(big.Rat).SetFrac(c.conversions.whole(), s.den)
	if !s.valued {
		return credit{conversions, conversions}
	}
	return credit{conversions, c.value.over(s.den)}
}

// equals tells whether the credits add up to w.
func (s *modelSum) equals(w *worth) bool {
	var conversions big.Int
	var value exactSum
	for i := range s.groups {
		conversions.Add(&conversions, s.groups[i].conversions.whole())
		value.add(&s.groups[i].value, bigOne)
	}
	want := new(big.Int).Mul(big.NewInt(w.conversions), s.den)
	return conversions.Cmp(want) == 0 && value.over(s.den).Cmp(w.sum.over(bigOne)) == 0
}

// worth is a number of conversions and what they are worth.
type worth struct {
	conversions int64
	sum         exactSum
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
