package query

import "slices"

// How several workers walk visitors through one funnel.

// divide makes the pass, and puts together what the workers found.
func (w *trackWalk) divide() error {
	load := workload{visitor: w.waits.most()}
	for _, of := range w.segments {
		load.rows += len(of.times)
		load.visitor = max(load.visitor, lastVisitor(of.ordinals))
	}
	if w.starts != nil {
		load.visitor = max(load.visitor, w.starts.lastVisitor())
	}
	var helpers []*trackWalk
	err := w.r.divide(w, load, func(r *run) blockWalker {
		helpers = append(helpers, w.fork(r))
		return helpers[len(helpers)-1]
	})
	if err != nil {
		return err
	}
	for _, helper := range helpers {
		w.result.join(helper.result)
	}
	return nil
}

// fork makes a walk for a helper, which knows what was found out about segments.
func (w *trackWalk) fork(r *run) *trackWalk {
	see := w.see.fork()
	own := &trackWalk{
		funnelBlocks: &funnelBlocks{
			r: r, see: see, flow: newFlow(see.q), result: newFunnelResult(see.q, see), bare: w.bare, places: w.places, waits: w.waits,
		},
		from: w.from, further: w.further, anyone: w.anyone,
	}
	p := *w.pass
	p.wants, p.size = conditionsOf(nil, nil), func() int { return see.size() + own.result.size() + len(own.lists.nodes) }
	own.pass = &p
	for _, of := range w.segments {
		theirs := *of
		theirs.sealed = of.sealed.openedBy(r)
		own.segments = append(own.segments, &theirs)
	}
	if w.starts != nil {
		own.prepareStarts()
		own.starts.takeOver(w.starts)
	}
	return own
}

// fork makes a sight for a helper. Live events have their groups already, so those have the same numbers.
func (s *sight) fork() *sight {
	own := newSight(s.q, 0)
	own.scanFrom, own.scanTo, own.beginTo = s.scanFrom, s.scanTo, s.beginTo
	own.by = s.by.forHelper(own.by.columns)
	return own
}

// seek goes to the first visitor that isn't below one.
func (w *trackWalk) seek(visitor uint32) {
	w.waits.seek(visitor)
	for _, of := range w.segments {
		of.run, _ = slices.BinarySearch(of.ordinals, visitor)
	}
	if w.starts != nil {
		w.starts.seek(visitor)
	}
}

// lastVisitor returns the last of visitors that rise, 0 where there are none.
func lastVisitor(ordinals []uint32) uint64 {
	if len(ordinals) == 0 {
		return 0
	}
	return uint64(ordinals[len(ordinals)-1])
}

// join adds what a helper found, where no actors are listed.
func (f *funnelResult) join(o *funnelResult) {
	groups := f.see.by.join(o.see.by)
	for number, n := range o.ones {
		if n > 0 {
			*at(&f.ones, groups[number]) += n
		}
	}
	first := len(f.times)
	f.times = append(f.times, o.times...)
	for _, one := range o.outcomes {
		one.group, one.first = groups[one.group], one.first+first
		f.outcomes = append(f.outcomes, one)
	}
}
