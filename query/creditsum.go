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
		s := &modelSum{
			den: big.NewInt(1), groups: make([]cell, len(groups.whole.list)), valued: b.valued,
			near: model == ModelDataDriven || model == ModelTimeDecay,
		}
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
			if model == ModelTimeDecay {
				b.closeShares(b.cells[i])
			}
			b.sumUp(s, b.partsOf(model, b.cells[i]))
		}
		sums[i] = s
	}
	return sums, nil
}

// closeShares adds what groups got in words to their cells.
func (b *ledger) closeShares(cells *cellTable) {
	for group := range b.shares {
		if own := &b.shares[group]; own.conversions != (shareSum{}) {
			own.addTo(cells.of(uint32(group), 0))
		}
	}
	b.shares = nil
}

// modelSum is what each group got by one model, over one denominator.
type modelSum struct {
	den    *big.Int
	groups []cell
	valued bool
	near   bool // its shares are whole numbers of parts of shareUnit, and true to these only
}

func (s *modelSum) of(group uint32) credit {
	c := &s.groups[group]
	conversions := s.settled(fraction{c.conversions.whole(), s.den})
	if !s.valued {
		return credit{conversions, conversions}
	}
	return credit{conversions, s.settled(c.value.fraction(s.den))}
}

// settledBits is how near, in parts of a credit, a number lies to the middle between two that can be shown where it
// is taken for that: shares have 64 bits more, for those that are parts of a far greater sum.
const settledBits = shareBits - 64

// settled returns what a credit is in truth where that is the middle between two numbers of as many decimals as are
// shown: what is a little less only because shares were rounded must not be rounded once more.
func (s *modelSum) settled(x fraction) fraction {
	if !s.near {
		return x
	}
	halves := new(big.Int).Lsh(power10(digitsCredit), 1)
	scaled := new(big.Int).Mul(x.num, halves) // over the denominator, as all that follows
	middle := nearest(scaled, x.den)
	off := new(big.Int).Mul(middle, x.den)
	off.Sub(scaled, off)
	most := new(big.Int).Mul(halves, x.den)
	most.Add(most, scaled.Abs(scaled))
	if off.Lsh(off.Abs(off), settledBits).Cmp(most) > 0 {
		return x
	}
	return fraction{middle, halves}
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
type credit struct{ conversions, value fraction }

func noCredit() credit {
	none := fraction{new(big.Int), bigOne}
	return credit{none, none}
}

func (c *credit) add(d credit) {
	c.conversions, c.value = c.conversions.plus(d.conversions), c.value.plus(d.value)
}

func (c credit) shown() Value {
	return Object(Member{"conversions", c.conversions.shown(digitsCredit)}, Member{"value", c.value.shown(digitsCredit)})
}
