package query

import (
	"millimetric/index/event"
)

// touchFinder finds the first touches of visitors of a block whose events come in order, segment by
// segment: mostly the first event of a visitor tells. Each visitor's rows are looked at until his touch is
// found, and nobody else's.
type touchFinder struct {
	r      *run
	see    *sight
	people *columnTest
	kinds  touchKinds
	views  map[*sealed]*view

	wanted  visitorBits
	found   visitorBits
	left    int
	touches [blockVisitors]funnelMark // by visitor: the touch, or, before it is found, the event met last
	began   visitorBits               // some event was met
	visits  map[visitKey]struct{}     // that can have no touch any more
}

func newTouchFinder(r *run, see *sight) *touchFinder {
	return &touchFinder{r: r, see: see, people: peopleTest(), views: map[*sealed]*view{}, visits: map[visitKey]struct{}{}}
}

// begin begins a block.
func (f *touchFinder) begin() {
	f.wanted, f.found, f.began, f.left = visitorBits{}, visitorBits{}, visitorBits{}, 0
	clear(f.visits)
}

func (f *touchFinder) want(visitor uint32) {
	f.wanted.add(visitor)
	f.left++
}

// of returns the first touch of a visitor, nil where he has none.
func (f *touchFinder) of(visitor uint32) *funnelMark {
	if !f.found.has(visitor) {
		return nil
	}
	return &f.touches[visitor]
}

// find looks for the touches of all who are wanted.
func (f *touchFinder) find(b *block) error {
	for _, w := range b.walkers {
		if f.left == 0 || w.sealed.firstTime() >= f.see.q.To {
			return nil
		}
		for run := w.from; run < w.run; run++ {
			visitor := w.sealed.runs.Ordinals[run] - b.first
			if !f.wanted.has(visitor) || f.found.has(visitor) {
				continue
			}
			if err := f.look(w, run, visitor); err != nil {
				return err
			}
		}
		w.sealed.used = w.sealed.used || w.from < w.run
		if v := f.views[w.sealed]; v != nil {
			v.settle(w.over())
		}
	}
	return nil
}

// look goes through the rows of a visitor in a segment.
func (f *touchFinder) look(w *walker, run int, visitor uint32) error {
	v := f.views[w.sealed]
	if v == nil {
		v = f.r.newView()
		f.views[w.sealed] = v
	}
	for row := w.sealed.runs.Starts[run]; row < w.sealed.runs.Starts[run+1]; row++ {
		v.reach(w.sealed, int(row), w.end())
		at := int(row) - v.first
		f.r.cost.Scanned++
		time := v.timesOf()[at]
		if time >= f.see.q.To || v.err != nil {
			return v.err
		}
		ok, err := f.counts(v, at, time)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		e := scanRow{view: v, at: at, time: time, visitor: w.sealed.runs.Ordinals[run]}
		if f.isTouch(&e, visitor) {
			f.found.add(visitor)
			f.left--
			f.touches[visitor] = funnelMark{time: time, seq: e.seq(), group: f.see.by.number(&e)}
			return v.err
		}
	}
	return v.err
}

// counts tells whether a row is one of those that the question sees.
func (f *touchFinder) counts(v *view, at int, time event.Time) (bool, error) {
	if time < f.r.source.Floor() || time >= ceilingOf(f.r.source) {
		return false, nil
	}
	if _, greatest := v.sealed.segment.SeqRange(); greatest > f.r.asOf && v.seq(at) > f.r.asOf {
		return false, nil
	}
	if v.sealed.segment.Hides() && v.sealed.segment.Hidden().Has(uint32(v.first+at)) {
		return false, nil
	}
	if f.r.common.IncludeBots {
		return true, nil
	}
	own, err := f.people.open(v.sealed)
	if err != nil || own.all {
		return err == nil, err
	}
	return f.people.verdict(v, own, v.codesOf(colBot)[at]) == verdictYes, nil
}

// isTouch tells whether an event is the first touch of a visitor all of whose events before it were met.
func (f *touchFinder) isTouch(e *scanRow, visitor uint32) bool {
	first := !f.began.has(visitor)
	before := f.touches[visitor].time
	f.began.add(visitor)
	f.touches[visitor].time = e.time
	kind := f.kinds.of(e)
	if kind == touchNone {
		return false
	}
	counts := kind == touchWanted || kind == touchCut && (first || e.time-before >= event.Time(touchCutBelow.Milliseconds()))
	if first && counts {
		return true
	}
	met := len(f.visits)
	f.visits[visitOf(e, visitor)] = struct{}{}
	return counts && len(f.visits) > met
}
