package querytest

import (
	"math/big"
	"slices"

	"millimetric/query"
)

// move is a step of a path: from a group, or from the start, to a group, or to one of two ends.
type move struct{ from, to string }

const (
	start     = "start"
	converted = "converted"
	gaveUp    = "gave up"
)

// dataDriven shares out the total in proportion to the removal effects.
func (m Model) dataDriven(q *query.Attribution, conversions []aConversion) map[string]worth {
	counts := map[move]int64{}
	var states []string
	total := zero()
	walk := func(touches []aTouch, end string) {
		at := start
		for _, t := range touches {
			counts[move{at, t.group}]++
			if at = t.group; !slices.Contains(states, at) {
				states = append(states, at)
			}
		}
		counts[move{at, end}]++
	}
	for _, c := range conversions {
		walk(c.touches, converted)
		total.add(whole, c.worth)
	}
	if len(conversions) == 0 {
		return nil
	}
	for _, touches := range m.pathsWithoutConversion(q) {
		walk(touches, gaveUp)
	}
	all := conversionProbability(states, counts, "")
	effects := map[string]*big.Rat{}
	sum := new(big.Rat)
	for _, s := range states {
		left := new(big.Rat).Quo(conversionProbability(states, counts, s), all)
		effects[s] = new(big.Rat).Sub(whole, left)
		sum.Add(sum, effects[s])
	}
	if sum.Sign() == 0 {
		return creditOf(q, query.ModelLinear, conversions)
	}
	got := map[string]worth{}
	for _, s := range states {
		got[s] = zero()
		got[s].add(new(big.Rat).Quo(effects[s], sum), total)
	}
	return got
}

// pathsWithoutConversion returns the touches in the range of each actor that didn't convert there.
func (m Model) pathsWithoutConversion(q *query.Attribution) [][]aTouch {
	var actors []string
	paths := map[string][]aTouch{}
	events := m.seen(&q.Common)
	for _, t := range touchesOf(q, events) {
		actor := t.event.actor
		if slices.ContainsFunc(events, func(e acted) bool { return e.actor == actor && converts(q, e.Event) }) {
			continue
		}
		if t.event.Time >= q.From && t.event.Time < q.To {
			actors = append(actors, actor)
			paths[actor] = append(paths[actor], t)
		}
	}
	var all [][]aTouch
	for _, actor := range slices.Compact(slices.Sorted(slices.Values(actors))) {
		all = append(all, paths[actor])
	}
	return all
}

// conversionProbability is the probability that a walk from the start converts, where all that goes to
// the removed group ends without.
func conversionProbability(states []string, counts map[move]int64, removed string) *big.Rat {
	from := append([]string{start}, states...)
	// One equation per state: p(s) - Σ P(s→t)·p(t) = P(s→converted).
	n := len(from)
	rows := make([][]*big.Rat, n)
	for i, s := range from {
		leaving := int64(0)
		for m, times := range counts {
			if m.from == s {
				leaving += times
			}
		}
		rows[i] = make([]*big.Rat, n+1)
		for j, t := range from {
			rows[i][j] = new(big.Rat)
			if t != removed {
				rows[i][j].SetFrac64(-counts[move{s, t}], leaving)
			}
			if i == j {
				rows[i][j].Add(rows[i][j], whole)
			}
		}
		rows[i][n] = big.NewRat(counts[move{s, converted}], leaving)
	}
	return solved(rows)[0]
}

// solved solves linear equations that have one solution.
func solved(rows [][]*big.Rat) []*big.Rat {
	n := len(rows)
	for k := range n {
		pivot := k
		for rows[pivot][k].Sign() == 0 {
			pivot++
		}
		rows[k], rows[pivot] = rows[pivot], rows[k]
		for i := range n {
			if i == k || rows[i][k].Sign() == 0 {
				continue
			}
			factor := new(big.Rat).Quo(rows[i][k], rows[k][k])
			for j := k; j <= n; j++ {
				rows[i][j].Sub(rows[i][j], new(big.Rat).Mul(factor, rows[k][j]))
			}
		}
	}
	x := make([]*big.Rat, n)
	for i := range x {
		x[i] = new(big.Rat).Quo(rows[i][n], rows[i][i])
	}
	return x
}
