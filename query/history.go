package query

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

// timeline is what one actor did, in the order of events; T is what a question keeps of each event.
type timeline[T any] struct {
	actor  uint32
	events []T
}

// history is a timeline of whole events.
type history = timeline[event.Event]

// gathering says which events gather keeps, and what of them.
type gathering[T any] struct {
	from, to event.Time
	// keep makes what is kept of an event; ok is false for an event that the question can do without.
	keep func(*event.Event) (kept T, ok bool)
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
	who := r.actors()
	at := map[uint32]int{}
	var all []timeline[T]
	held := 0
	var stopped error
	r.source.Scan(g.from, g.to, func(e *event.Event) bool {
		r.cost.Scanned++
		if r.cost.Scanned%lookEvery == 0 {
			if stopped = r.overBudget(g.weight*held + who.size() + g.size()); stopped != nil {
				return false
			}
		}
		if e.Seq > r.asOf || e.Bot != "" && !r.common.IncludeBots {
			return true
		}
		kept, ok := g.keep(e)
		if !ok {
			return true
		}
		actor, ok := who.number(e)
		if !ok {
			return true
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
		return true
	})
	if stopped != nil {
		return nil, stopped
	}
	for i := range all {
		// Most events come in order.
		if !slices.IsSortedFunc(all[i].events, g.order) {
			slices.SortFunc(all[i].events, g.order)
		}
	}
	return all, nil
}

// histories gathers, per actor, the whole events with from <= Time < to that keep wants (nil wants
// all).
func (r *run) histories(from, to event.Time, keep predicate) ([]history, error) {
	return gather(r, gathering[event.Event]{
		from: from, to: to,
		keep:   func(e *event.Event) (event.Event, bool) { return *e, keep == nil || keep(e) },
		order:  func(a, b event.Event) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq)) },
		weight: 10, // an event weighs as much as some ten entries
		size:   func() int { return 0 },
	})
}
