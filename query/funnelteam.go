package query

import (
	"slices"

	"millimetric/index/event"
)

// How several workers walk visitors through one funnel.

// funnelTaker is a walk by rows whose work helpers share.
type funnelTaker struct {
	*funnelBlocks
	helpers []*funnelBlocks
}

func (t *funnelTaker) seekWaiting(visitor uint32) { t.waits.seek(visitor) }
func (t *funnelTaker) lastWaiting() uint64        { return t.waits.most() }

func (t *funnelTaker) forHelper(r *run, p *pass) (*pass, sharedTaker) {
	f := t.funnelBlocks.forHelper(r)
	t.helpers = append(t.helpers, f)
	own := *p
	own.wants, own.visit, own.take, own.size = conditionsOf(nil, nil), nil, f.take, f.helperSize
	return &own, &funnelTaker{funnelBlocks: f}
}

// forHelper makes what a helper walks visitors with.
func (f *funnelBlocks) forHelper(r *run) *funnelBlocks {
	see := f.see.forHelper()
	own := &funnelBlocks{r: r, see: see, flow: newFlow(see.q), result: newFunnelResult(see.q, see), waits: f.waits, bare: f.bare, places: f.places}
	if f.touches != nil {
		own.touches = newTouchFinder(r, see)
	}
	return own
}

// helperSize counts all entries of a helper's tables. Who waits is counted elsewhere.
func (f *funnelBlocks) helperSize() int { return f.see.size() + f.result.size() + len(f.lists.nodes) }

// divide makes the pass, and puts together what the workers found.
func (w *trackWalk) divide() error {
	load := workload{visitor: max(w.waits.most(), w.courses.lastVisitor())}
	if w.courses != nil {
		load.rows = w.courses.events
	}
	for _, of := range w.beside {
		load.rows += len(of.times)
		load.visitor = max(load.visitor, lastVisitor(of.ordinals))
	}
	if w.starts != nil {
		load.visitor = max(load.visitor, w.starts.lastVisitor())
	}
	var helpers []*trackWalk
	err := w.r.divide(w, load, func(r *run) blockWalker {
		helpers = append(helpers, w.forHelper(r))
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

// forHelper makes a walk for a helper, which knows what was found out about segments.
func (w *trackWalk) forHelper(r *run) *trackWalk {
	own := &trackWalk{funnelBlocks: w.funnelBlocks.forHelper(r), seqs: map[uint32]event.Seq{}, from: w.from, further: w.further, anyone: w.anyone}
	own.path = newTrackFlow(own.flow, own.see.beginTo)
	p := *w.pass
	p.wants, p.visit = conditionsOf(nil, nil), nil
	p.size = func() int { return own.helperSize() + own.hits.size() }
	own.pass = &p
	for _, of := range w.segments {
		theirs := of.openedBy(r)
		own.segments = append(own.segments, theirs)
		if of.joined {
			own.joined = append(own.joined, theirs)
		} else {
			own.beside = append(own.beside, theirs)
		}
	}
	own.courses, own.touchKinds, own.noted = w.courses, w.touchKinds, w.noted
	if w.starts != nil {
		own.prepareStarts()
		own.starts.takeOver(w.starts)
	}
	return own
}

// openedBy returns the segment as a worker has opened it.
func (s *trackSegment) openedBy(r *run) *trackSegment {
	own := *s
	own.sealed, own.run = s.sealed.openedBy(r), 0
	return &own
}

// forHelper makes a sight for a helper. Live events have their marks already, so what those name has the same
// numbers.
func (s *sight) forHelper() *sight {
	own := newSight(s.q, 0)
	own.scanFrom, own.scanTo, own.beginTo = s.scanFrom, s.scanTo, s.beginTo
	own.by, own.hold = s.by.forHelper(own.by.columns), s.hold.forHelper(own.hold.columns)
	own.visits.numbering = s.visits.numbering.forHelper()
	own.names, own.who = s.names.forHelper(), s.who.forHelper()
	return own
}

// seek goes to the first visitor that isn't below one.
func (w *trackWalk) seek(visitor uint32) {
	w.waits.seek(visitor)
	w.nextBlock = int(visitor / blockVisitors)
	for _, of := range w.segments {
		if of.eventTracks != nil {
			of.run, _ = slices.BinarySearch(of.ordinals, visitor)
		}
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

// join adds what a helper found.
func (f *funnelResult) join(o *funnelResult) {
	groups := f.see.by.join(o.see.by)
	for number, n := range o.ones {
		if n > 0 {
			*at(&f.ones, groups[number]) += n
		}
	}
	for _, l := range o.listed {
		visitor, user := unpair(o.see.who.list[l.who])
		l.who = f.see.who.number(pair(f.see.names.number(o.see.names.list[visitor]), f.see.names.number(o.see.names.list[user])))
		f.listed = append(f.listed, l)
	}
	f.bytes += o.bytes
	for _, p := range o.parts() {
		for i, group := range p.groups {
			p.groups[i] = groups[group]
		}
		f.others = append(f.others, p)
	}
}
