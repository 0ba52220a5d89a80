package query

import (
	"slices"

	"millimetric/index/event"
)

// pathRows makes rows of marks, and lays the walks along them into a tree.
type pathRows struct {
	q     *Paths
	tree  *pathTree
	stops []stop // of the row at hand
}

// stop is a run of marks at one node.
type stop struct {
	node        uint32
	first, last event.Time
	anchor      *mark // the first anchor in it that counts, nil where there is none
}

// take takes all marks of an actor, by their visits and in order.
func (p *pathRows) take(list []mark) {
	if !slices.ContainsFunc(list, func(m mark) bool { return m.anchor }) {
		return
	}
	var only *mark
	if p.q.FirstOnly {
		only = firstAnchor(list)
	}
	p.tree.beginActor()
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].visit == list[0].visit {
			n++
		}
		if p.stopsOf(list[:n], only) {
			p.lay()
		}
		list = list[n:]
	}
}

func firstAnchor(list []mark) (only *mark) {
	for i := range list {
		if a := &list[i]; a.anchor && (only == nil || a.time < only.time || a.time == only.time && a.seq < only.seq) {
			only = a
		}
	}
	return only
}

// stopsOf makes repeats in a row one. It tells whether there is an anchor that counts: the only one, or all of
// them where that is nil.
func (p *pathRows) stopsOf(row []mark, only *mark) (anchored bool) {
	p.stops = p.stops[:0]
	for i := range row {
		m := &row[i]
		if n := len(p.stops); n == 0 || p.stops[n-1].node != m.node {
			p.stops = append(p.stops, stop{node: m.node, first: m.time})
		}
		last := &p.stops[len(p.stops)-1]
		if last.last = m.time; m.anchor && last.anchor == nil {
			last.anchor = m
		}
	}
	for i := range p.stops {
		if only != nil && p.stops[i].anchor != only {
			p.stops[i].anchor = nil
		}
		anchored = anchored || p.stops[i].anchor != nil
	}
	return anchored
}

// lay lays a row into the tree, as far as walks go along it.
func (p *pathRows) lay() {
	if p.q.Backwards {
		slices.Reverse(p.stops)
	}
	line := &p.tree.lines[p.tree.period]
	left := 0 // stops that some walk comes to from here on
	for i := range p.stops {
		s := &p.stops[i]
		reach := stepsUnbound
		if s.anchor != nil {
			reach = p.reach(i)
			left = max(left, min(reach, p.q.Steps)+1)
		}
		if left == 0 {
			continue
		}
		left--
		at := line.addStop(s.node, i+1 == len(p.stops))
		if s.anchor != nil {
			p.tree.begin(s.node)
			line.walks.add(pathWalk{at: at, actor: p.tree.actor, steps: reach}, false)
		}
	}
}

// reach returns how many steps the window allows from a place of the row, stepsUnbound where it isn't what ends
// the walk. A stop is in the window if some event of it is: the nearest one to the anchor.
func (p *pathRows) reach(place int) int {
	if p.q.Scope != ScopeWindow {
		return stepsUnbound
	}
	anchor, window := p.stops[place].anchor.time, event.Time(p.q.Window.Milliseconds())
	for taken := 0; taken < p.q.Steps && place+taken+1 < len(p.stops); taken++ {
		if next := &p.stops[place+taken+1]; next.first > anchor+window || next.last < anchor-window {
			return taken
		}
	}
	return stepsUnbound
}
