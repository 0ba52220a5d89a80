package query

import (
	"slices"

	"millimetric/index/event"
)

// history is what one actor did, in the order of events.
type history struct {
	actor  uint32
	events []event.Event
}

// histories gathers, per actor, the events with from <= Time < to that keep wants (nil wants all),
// and that the question's bots, actor and position allow. The question's filters are left to the
// caller: most questions about histories ask them of some events only. Histories come in the order
// in which their actors were met; that order must not show in an answer.
func (r *run) histories(from, to event.Time, keep predicate) ([]history, error) {
	who := r.actors()
	at := map[uint32]int{}
	var all []history
	held := 0
	var stopped error
	r.source.Scan(from, to, func(e *event.Event) bool {
		r.cost.Scanned++
		if r.cost.Scanned%lookEvery == 0 {
			// An event weighs as much as some ten entries of a table.
			if stopped = r.overBudget(10*held + who.size()); stopped != nil {
				return false
			}
		}
		if e.Seq > r.asOf || e.Bot != "" && !r.common.IncludeBots || keep != nil && !keep(e) {
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
			all = append(all, history{actor: actor})
		}
		all[i].events = append(all[i].events, *e)
		held++
		return true
	})
	if stopped != nil {
		return nil, stopped
	}
	for i := range all {
		slices.SortFunc(all[i].events, func(a, b event.Event) int {
			if a.Before(&b) {
				return -1
			}
			return 1
		})
	}
	return all, nil
}
