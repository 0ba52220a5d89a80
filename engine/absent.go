package engine

import (
	"fmt"

	"millimetric/index/bitmap"
	"millimetric/index/ids"
	"millimetric/index/visitors"
)

// Visitors of whom no row is left are forgotten once a day, after what is over was dropped: the runs that number
// visitors would hold a keyed hash of everybody who ever came, and grow for ever. It is done as for an erasure
// (erasegone.go), for all of them together. Their ordinals stay unused: segments name visitors by them.

// forgetAbsent does that for a project with a retention window; now says that it is done even where it was on
// the same day.
func (e *Engine) forgetAbsent(p *project, now bool) error {
	e.merging.Lock()
	defer e.merging.Unlock()
	held, _ := e.hold(p)
	defer held.Release()
	state := held.sealed
	day := retained{e.endingDay(), state.days}
	if state.days == 0 || day == p.forgotten && !now || p.damage() != nil {
		return nil
	}
	gone, some, err := e.absent(p, state)
	done := err == nil && !some
	if some && err == nil {
		done, err = e.dropAbsent(p, state, &leaving{ordinals: gone})
	}
	if err != nil {
		return fmt.Errorf("forget visitors of project %d: %w", p.number, err)
	}
	if done {
		p.forgotten = day
	}
	return nil
}

// absent returns the ordinals that no row has; some reports whether the runs have visitors for them.
func (e *Engine) absent(p *project, state *sealed) (gone bitmap.Set, some bool, err error) {
	stay, err := p.ordinals.live(p)
	if err != nil {
		return gone, false, err
	}
	for _, s := range state.segments {
		own, err := s.VisitorSet()
		if err != nil {
			return gone, false, err
		}
		stay = stay.Or(own)
	}
	all := bitmap.Below(state.ordinals)
	numbered := 0
	for _, r := range state.runs[runVisitors] {
		numbered += r.count
	}
	return all.Without(stay), numbered > all.CountBoth(stay), nil
}

// dropAbsent writes the runs that have such visitors anew. It reports false where one of them has come again
// meanwhile, so that it is to be begun anew.
func (e *Engine) dropAbsent(p *project, state *sealed, l *leaving) (done bool, err error) {
	made := &rewritten{}
	for _, old := range state.runs[runVisitors] {
		var run rewrittenRun
		var changed bool
		if run, changed, err = e.writeRunPresent(p, old, l); changed {
			made.runs = append(made.runs, run)
		}
		if err == nil {
			err = e.stopped()
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		done, err = e.putRewritten(p, state, made, l)
	}
	if !done {
		e.bury(made.things(p))
	}
	return done, err
}

// writeRunPresent writes a run without the absent; changed is false where it has none of them.
func (e *Engine) writeRunPresent(p *project, old runEntry, l *leaving) (out rewrittenRun, changed bool, err error) {
	run, err := visitors.Open(old.stamp, runPieces{e: e, thing: thing{p.number, BucketSets, old.stamp}, direct: true})
	if err != nil {
		return out, false, err
	}
	absent := 0
	if err := run.Each(func(v visitors.Entry) error {
		if l.ordinals.Has(v.Ordinal) {
			absent++
		}
		return nil
	}); err != nil || absent == 0 {
		return out, false, err
	}
	made, err := e.writeRunLess(p, runVisitors, old, absent, func(stamp uint64, emit ids.Emit) error {
		return visitors.Merge(stamp, []*visitors.Run{run}, func(v visitors.Entry) bool { return !l.ordinals.Has(v.Ordinal) }, emit)
	})
	return rewrittenRun{runVisitors, old, made}, true, err
}
