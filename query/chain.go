package query

import (
	"math/big"
	"slices"
)

// statesMax bounds the groups of data_driven: its work grows with the third power of them, and takes a
// second or two for so many.
const statesMax = 200

// chainBits is the precision of the numbers of data_driven: 77 digits.
const chainBits = 256

// chain is the first-order chain of data_driven: how often a path moves from one group to the next.
//
// The removal effect of a group s is 1 - P(conversion without s)/P(conversion). A walk that converts
// without s is one that converts and never comes to s; one that comes to s converts from there with
// the probability c(s), whatever came before. So
//
//	removal effect = P(a walk comes to s) · c(s) / P(conversion)
//
// and P(conversion) is the same for all groups, so it falls out of the proportions. Let M be the matrix
// with, for each group, how often paths leave it on the diagonal, and minus how often they go to
// each other group beside it. Then
//
//  1. c is the solution of M·c = (how often each group is the last one before a conversion);
//  2. let B be the inverse of M and z = (how often each group is the first of a path)·B. A walk
//     comes to s with a probability in proportion to z(s)/B(s,s).
//
// M is taken apart once, without a single subtraction (the pivot is the sum of what leaves a group and
// not the difference of the diagonal and what stays), so no digits are ever lost: of 77 digits all but
// a few are right, and what is zero is exactly zero. Groups are taken in the order of their values,
// so the digits are the same each time.
type chain struct {
	moves  map[uint64]int64 // from group to group
	starts map[uint32]int64
	wins   map[uint32]int64 // paths that convert after this group
	losses map[uint32]int64
}

func newChain() *chain {
	return &chain{moves: map[uint64]int64{}, starts: map[uint32]int64{}, wins: map[uint32]int64{}, losses: map[uint32]int64{}}
}

// add adds the same path so many times.
func (c *chain) add(touches []actorTouch, times int64, converts bool) {
	if len(touches) == 0 {
		return
	}
	c.starts[touches[0].group] += times
	for i := range len(touches) - 1 {
		// A move from a group to itself changes nothing about where a walk comes to.
		if from, to := touches[i].group, touches[i+1].group; from != to {
			c.moves[pair(from, to)] += times
		}
	}
	ends := c.losses
	if converts {
		ends = c.wins
	}
	ends[touches[len(touches)-1].group] += times
}

// shares returns the share of each group in units of shareUnit; they add up to it. Where no path
// converts there is nothing to share, and no group has one. Where some path converts, each of its groups
// has an effect, so it never happens that there is credit and all effects are 0.
func (c *chain) shares(groups *grouping) (map[uint32]*big.Int, error) {
	if len(c.wins) == 0 {
		return nil, nil
	}
	states := c.states(groups)
	if len(states) > statesMax {
		return nil, tooManyGroups()
	}
	m := c.matrix(states)
	m.eliminate()
	effects := m.effects()
	whole := newNumber(0)
	for _, effect := range effects {
		whole.Add(whole, effect)
	}
	shares := make(map[uint32]*big.Int, len(states))
	left, most := shareUnit(), 0
	for i, effect := range effects {
		share := newNumber(0).Quo(effect, whole)
		share.SetMantExp(share, shareBits)
		n, _ := share.Add(share, big.NewFloat(0.5)).Int(nil)
		shares[states[i]] = n
		left.Sub(left, n)
		if effect.Cmp(effects[most]) > 0 {
			most = i
		}
	}
	shares[states[most]].Add(shares[states[most]], left)
	return shares, nil
}

// states returns the groups of all paths, in the order of their values.
func (c *chain) states(groups *grouping) []uint32 {
	met := map[uint32]bool{}
	for group := range c.starts {
		met[group] = true
	}
	for move := range c.moves {
		_, to := unpair(move)
		met[to] = true
	}
	states := make([]uint32, 0, len(met))
	for group := range met {
		states = append(states, group)
	}
	if len(states) <= statesMax {
		slices.SortFunc(states, func(a, b uint32) int { return groups.compare(groups.keys(a), groups.keys(b)) })
	}
	return states
}

// chainMatrix is M, in its parts.
type chainMatrix struct {
	between [][]*big.Float // how often paths go from one to another; nil is never
	leave   []*big.Float   // how often paths end; after eliminate, the pivots
	wins    []*big.Float
	starts  []*big.Float
}

func newNumber(n int64) *big.Float { return new(big.Float).SetPrec(chainBits).SetInt64(n) }

func (c *chain) matrix(states []uint32) *chainMatrix {
	n := len(states)
	m := &chainMatrix{between: make([][]*big.Float, n)}
	index := make(map[uint32]int, n)
	for i, s := range states {
		index[s] = i
		m.between[i] = make([]*big.Float, n)
		m.leave = append(m.leave, newNumber(c.wins[s]+c.losses[s]))
		m.wins = append(m.wins, newNumber(c.wins[s]))
		m.starts = append(m.starts, newNumber(c.starts[s]))
	}
	for move, times := range c.moves {
		from, to := unpair(move)
		m.between[index[from]][index[to]] = newNumber(times)
	}
	return m
}

// eliminate takes one group after another out of the chain: what went to it goes on to where it leads.
// Then between holds, right of the diagonal, minus the upper factor of M, left of it, minus the lower
// factor, whose diagonal is 1; leave holds the diagonal of the upper factor.
func (m *chainMatrix) eliminate() {
	n := len(m.leave)
	product := newNumber(0)
	for k := range n {
		ends := newNumber(0).Set(m.leave[k])
		for j := k + 1; j < n; j++ {
			if m.between[k][j] != nil {
				m.leave[k].Add(m.leave[k], m.between[k][j])
			}
		}
		for i := k + 1; i < n; i++ {
			if m.between[i][k] == nil {
				continue
			}
			part := m.between[i][k].Quo(m.between[i][k], m.leave[k])
			m.leave[i].Add(m.leave[i], product.Mul(part, ends))
			for j := k + 1; j < n; j++ {
				if i == j || m.between[k][j] == nil {
					continue
				}
				if m.between[i][j] == nil {
					m.between[i][j] = newNumber(0)
				}
				m.between[i][j].Add(m.between[i][j], product.Mul(part, m.between[k][j]))
			}
		}
	}
}

// effects returns numbers in proportion to the removal effects.
func (m *chainMatrix) effects() []*big.Float {
	converts := m.solve(m.wins, 0)
	comes := m.solveLeft(m.starts)
	effects := make([]*big.Float, len(m.leave))
	unit := make([]*big.Float, len(m.leave))
	for s := range effects {
		for i := range unit {
			unit[i] = newNumber(0)
		}
		unit[s].SetInt64(1)
		itself := m.solve(unit, s)[s]
		effects[s] = newNumber(0).Mul(comes[s], converts[s])
		effects[s].Quo(effects[s], itself)
	}
	return effects
}

// solve returns the rows from last on of the x with M·x = b; the rows of b before last are zero.
func (m *chainMatrix) solve(b []*big.Float, last int) []*big.Float {
	n := len(b)
	x := make([]*big.Float, n)
	product := newNumber(0)
	for i := last; i < n; i++ {
		x[i] = newNumber(0).Set(b[i])
		for k := last; k < i; k++ {
			if m.between[i][k] != nil && x[k].Sign() != 0 {
				x[i].Add(x[i], product.Mul(m.between[i][k], x[k]))
			}
		}
	}
	for i := n - 1; i >= last; i-- {
		for j := i + 1; j < n; j++ {
			if m.between[i][j] != nil && x[j].Sign() != 0 {
				x[i].Add(x[i], product.Mul(m.between[i][j], x[j]))
			}
		}
		x[i].Quo(x[i], m.leave[i])
	}
	return x
}

// solveLeft returns the z with z·M = b.
func (m *chainMatrix) solveLeft(b []*big.Float) []*big.Float {
	n := len(b)
	z := make([]*big.Float, n)
	product := newNumber(0)
	for j := range n {
		z[j] = newNumber(0).Set(b[j])
		for i := range j {
			if m.between[i][j] != nil {
				z[j].Add(z[j], product.Mul(m.between[i][j], z[i]))
			}
		}
		z[j].Quo(z[j], m.leave[j])
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			if m.between[k][i] != nil {
				z[i].Add(z[i], product.Mul(m.between[k][i], z[k]))
			}
		}
	}
	return z
}
