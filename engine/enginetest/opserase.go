package enginetest

import (
	"context"
	"fmt"

	"millimetric/engine"
	"millimetric/index/event"
)

// erase erases somebody who has events, or had, and at times waits until nothing of them is on the disk.
func (r *opsRun) erase() change {
	p := event.Project(1 + r.random.IntN(projects))
	who, ok := r.somebody(p)
	if !ok || !r.erases {
		return r.append()
	}
	finish := r.random.IntN(2) == 0
	known := r.e.LastErasure(p)
	did := func(at, last event.Time) error {
		what := "a user is erased"
		if who.UserID == "" {
			what = "a visitor is erased"
		}
		r.count(what)
		if r.model.Erase(p, who, at, last) > 0 {
			r.count("an erasure takes events")
		}
		r.forgetSent(p)
		return nil
	}
	var at event.Time
	return change{"erase", []*changePart{{
		do: func(e *engine.Engine) error {
			x, err := e.Erase(context.Background(), p, who)
			at = x.Before
			if err == nil && finish {
				_, err = e.FinishErasures(context.Background())
			}
			return err
		},
		done: func() error { return did(at, r.e.LastErasure(p)) },
		found: func() error {
			last := r.e.LastErasure(p)
			if last == known {
				r.count("an erasure that wasn't acknowledged is not there")
				return nil
			}
			r.count("an erasure that wasn't acknowledged is there")
			// It may have got its time before the cut, and that of the user's visitors after it. Whoever got
			// no answer asks again, and then its time is known.
			x, err := r.e.Erase(context.Background(), p, who)
			if err != nil {
				return err
			}
			return did(x.Before, last)
		},
	}}}
}

// somebody picks a user or a visitor. Where events are back in the window that once were out of it, it isn't
// known whether their links are still there: then no user is picked.
func (r *opsRun) somebody(p event.Project) (who engine.Person, ok bool) {
	all := r.model.events[p]
	if len(all) == 0 {
		return who, false
	}
	e := all[r.random.IntN(len(all))]
	users := true
	floor := r.model.Floor(p)
	for i := range all {
		if all[i].UserID != "" && r.model.gone[p][i] && !r.model.erased[p][i] && all[i].Time >= floor {
			users = false
		}
	}
	if users && r.random.IntN(3) > 0 {
		who.UserID = e.UserID
		if who.UserID == "" {
			who.UserID = fmt.Sprint("u", r.random.IntN(4))
		}
		return who, true
	}
	who.AnonymousID = e.AnonymousID
	return who, true
}

// forgetSent forgets the ids of events that are erased: whether they are known is nobody's promise.
func (r *opsRun) forgetSent(p event.Project) {
	kept := r.sent[p][:0]
	for _, s := range r.sent[p] {
		if !r.model.erased[p][s.seq-1] {
			kept = append(kept, s)
		}
	}
	r.sent[p] = kept
}
