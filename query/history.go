package query

import (
	"slices"

	"millimetric/index/event"
)

// timeline is what one actor did, in the order of events; T is what a question keeps of each event.
type timeline[T any] struct {
	actor  uint32
	events []T
}

// gathering says which events gather keeps, and what of them.
type gathering[T any] struct {
	from, to event.Time
	// keep makes what is kept of an event; ok is false for an event that the question can do without.
	keep func(*scanRow) (kept T, ok bool)
	// order is the order of events.
	order func(a, b T) int
	// weight is how much one kept event weighs, in entries of a table; size counts the entries of the
	// tables that keep fills.
	weight int
	size   func() int
}

// gather makes the timelines of all actors, of the events that the question's bots, actor and
// position allow. The question's filters are left to keep: most questions about actors ask them of
// some events only. Timelines come in the order in which their actors were met; that order must not
// show in an answer.
func gather[T any](r *run, g gathering[T]) ([]timeline[T], error) {
	who, err := r.actors()
	if err != nil {
		return nil, err
	}
	at := map[uint32]int{}
	var all []timeline[T]
	held := 0
	size := func() int { return g.weight*held + who.size() + g.size() }
	err = r.walk(g.from, g.to, size, func(e *scanRow) {
		kept, ok := g.keep(e)
		if !ok {
			return
		}
		actor, ok := who.number(e)
		if !ok {
			return
		}
		r.cost.Matched++
		i, known := at[actor]
		if !known {
			i = len(all)
			at[actor] = i
			all = append(all, timeline[T]{actor: actor})
		}
		all[i].events = append(all[i].events, kept)
		held++
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		// Most events come in order.
		if !slices.IsSortedFunc(all[i].events, g.order) {
			slices.SortFunc(all[i].events, g.order)
		}
	}
	return all, nil
}
