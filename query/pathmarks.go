package query

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

// mark is one event as a path sees it.
type mark struct {
	time   event.Time
	seq    event.Seq // or what orders events of one time as this does
	visit  uint64    // 0 where the scope is a window
	actor  uint32    // 0 where marks are of one actor
	node   uint32
	anchor bool // and in the range
}

// compareMarksOfPath brings marks into the order of rows: actor by actor, visit by visit, and in the order of
// events.
func compareMarksOfPath(a, b mark) int {
	switch {
	case a.actor != b.actor:
		return cmp.Compare(a.actor, b.actor)
	case a.visit != b.visit:
		return cmp.Compare(a.visit, b.visit)
	case a.time != b.time:
		return cmp.Compare(a.time, b.time)
	}
	return cmp.Compare(a.seq, b.seq)
}

// node is where an event was: on a page, or doing something else.
type node struct {
	page bool
	name string // the path of a page, "" where it is missing; the name of another event
}

func nodeOf(e *scanRow) node {
	if e.name() == event.EventPageview {
		return node{page: true, name: e.path()}
	}
	return node{name: e.name()}
}

func (n node) compare(o node) int {
	if (n.name == "") != (o.name == "") {
		return cmp.Compare(bit(n.name == ""), bit(o.name == "")) // missing ones last
	}
	return cmp.Or(cmp.Compare(n.name, o.name), cmp.Compare(bit(n.page), bit(o.page)))
}

// markWeight is what a mark weighs in entries of a table: lists of them double as they grow.
const markWeight = 2

// layMarks lays walks of actors who may be several visitors: all marks are made first, and sorted.
func (q *Paths) layMarks(r *run, t *pathTree) error {
	list, err := q.marks(r, t)
	if err != nil {
		return err
	}
	slices.SortFunc(list, compareMarksOfPath)
	rows := pathRows{q: q, tree: t}
	for from, to := range stretches(len(list), func(i int) uint32 { return list[i].actor }) {
		rows.take(list[from:to])
		if from/lookEvery != to/lookEvery {
			if err := r.overBudget(markWeight*len(list) + t.size()); err != nil {
				return err
			}
		}
	}
	return nil
}

// marks makes the marks of all events that may hold an anchor, or come to be stops. Within visits, only those
// visits are looked at that hold an anchor in the range; they are looked at whole, before and after the range, too.
func (q *Paths) marks(r *run, t *pathTree) ([]mark, error) {
	who, err := r.actors()
	if err != nil {
		return nil, err
	}
	sessions, isAnchor := newSessionNumbers(), q.Anchor.matcher()
	wanted := map[string]bool{}
	for _, name := range q.Events {
		wanted[name] = true
	}
	from, to := event.TimeMin, event.TimeMax+1
	if q.Scope == ScopeWindow {
		from, to = q.reach()
	} else {
		if err := r.scan(nil, func() int { return t.size() + len(sessions.list) }, func(e *scanRow) {
			if isAnchor(e) {
				sessions.number(e)
			}
		}); err != nil || len(sessions.list) == 0 {
			return nil, err
		}
	}
	var list []mark
	size := func() int { return t.size() + len(sessions.list) + markWeight*len(list) + who.size() }
	err = r.scanRange(from, to, nil, size, func(e *scanRow) {
		found := mark{time: e.time}
		if q.Scope == ScopeVisit {
			visit, ok := sessions.find(e)
			if !ok {
				return
			}
			found.visit = uint64(visit)
		}
		anchor := isAnchor(e)
		if !anchor && !wanted[e.name()] {
			return
		}
		var ok bool
		if found.actor, ok = who.number(e); !ok {
			return
		}
		found.seq = e.seq()
		found.anchor = anchor && e.time >= q.From && e.time < q.To
		found.node = t.nodes.number(nodeOf(e))
		list = append(list, found)
	})
	return list, err
}
