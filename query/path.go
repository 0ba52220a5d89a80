package query

import (
	"slices"
	"sort"
)

// path is the touches of one or more conversions, in order.
type path struct {
	touches     []actorTouch
	from        int // number of the first of them among the actor's
	conversions int64
	value       exactSum // of these conversions together
}

// settle walks conversions and touches side by side, and pays each path's credit into the book.
func (q *Attribution) settle(r *run, book *ledger, found *conversions, touches []actorTouch, groups *grouping) error {
	r.cost.Matched += len(touches)
	book.counts = make([]int64, len(groups.whole.list))
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
	if book.decay != nil {
		book.decay.begin(len(touches))
	}
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
			p = path{touches: touches[lo:hi], from: lo}
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
