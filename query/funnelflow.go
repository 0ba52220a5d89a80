package query

import (
	"cmp"
	"slices"
)

// flow finds the attempt of an actor that a funnel reports, in one pass over the actor's marks.
//
// An actor may begin an attempt at each of its events, so to walk every attempt takes the square of
// their number. What makes one pass enough is that attempts merge:
//
//  1. An attempt always takes the earliest event that it can. So of two attempts that are under way,
//     the one that began later is never ahead: it has taken no step before the other did (for order
//     any: what it has served, the other has served too; see step 5).
//  2. Hence, of all attempts that have taken exactly k steps, the one that took step k last is also
//     the one that began last. It has the most of the window and of step k+1's "within" left, and all
//     of them wait for the same events and fear the same exclusions: if any of them takes step k+1 at
//     an event, this one does. And if two reach a depth with the same event, the one that began last
//     is the one reported. So one attempt per depth is enough: the place of depth k holds the last one.
//  3. An event is offered to the deepest place first, so that it serves one step of an attempt. A
//     place that couldn't take its event in time (window, within) never can again, and is cleared.
//     Exclusions clear the places that they are about before the event is offered.
//  4. The first event that leads to a depth decides what is reported for it: best is replaced by
//     deeper attempts only.
//  5. Order any: an event with the steps m serves the least of m that isn't served yet. Let an earlier
//     attempt have served S and a later one T, T within S. If the least of m without T isn't in S, it
//     is the least of m without S, too; if it is in S, nothing is lost: T stays within S. So the sets
//     are a chain, sets of one size are equal, and again one place per depth is enough.
//  6. Strict: after an event, the attempts that go on have all taken that event, each one step
//     further than before; there is one per depth by nature.
//  7. Hold: in order "ordered", events of another combination of values are passed over, so each
//     combination has a pass of its own. In strict order they end the attempt.
//
// Every event costs one step of work per step that it matches (strict and any: per depth).
type flow struct {
	q      *Funnel
	window int64
	within []int64  // by step, 0 for no limit
	barred []uint32 // by depth: the exclusions that end an attempt there

	marks  []funnelMark
	places []attempt // by depth
	nodes  []flowNode
	taken  []int32 // the marks of the best attempt
	reach  attempt // the best attempt so far
	depth  int     // and its depth
}

// attempt is one attempt, by its first and its last node.
type attempt struct {
	start  int32  // index of its first mark
	last   int32  // index of its last node, none where there is no attempt
	served uint32 // in order any: the steps served
}

const none = -1

// flowNode is one step of attempts: attempts that part later share their beginning.
type flowNode struct {
	mark   int32
	parent int32
}

func newFlow(q *Funnel) *flow {
	f := &flow{q: q, window: q.Window.Milliseconds(), barred: make([]uint32, len(q.Steps)+1), places: make([]attempt, len(q.Steps)+1)}
	for _, s := range q.Steps {
		f.within = append(f.within, s.Within.Milliseconds())
	}
	for i, x := range q.Exclude {
		for depth := x.After; depth < x.Before; depth++ {
			f.barred[depth] |= 1 << i
		}
	}
	return f
}

// best returns the reported attempt: the indices of its events in f.marks; nil where there is no
// attempt. It may change the order of marks, and what it returns holds until it is called again.
func (f *flow) best(marks []funnelMark) []int32 {
	f.marks, f.nodes, f.reach, f.depth = marks, f.nodes[:0], attempt{last: none}, 0
	switch {
	case f.q.Order == OrderStrict:
		f.pass(0, len(marks), f.strict)
	case f.q.Order == OrderAny:
		f.pass(0, len(marks), f.any)
	case len(f.q.Hold) > 0:
		f.held()
	default:
		f.pass(0, len(marks), f.ordered)
	}
	return f.trail()
}

// held makes one pass per combination of held values, and keeps the best of all.
func (f *flow) held() {
	slices.SortFunc(f.marks, func(a, b funnelMark) int {
		return cmp.Or(cmp.Compare(a.held, b.held), compareMarks(a, b))
	})
	var reach attempt
	depth := 0
	for from, to := 0, 0; from < len(f.marks); from = to {
		for to = from; to < len(f.marks) && f.marks[to].held == f.marks[from].held; {
			to++
		}
		f.reach, f.depth = attempt{last: none}, 0
		f.pass(from, to, f.ordered)
		if f.depth > depth || f.depth == depth && depth > 0 && f.lastMark(f.reach).isBefore(f.lastMark(reach)) {
			reach, depth = f.reach, f.depth
		}
	}
	f.reach, f.depth = reach, depth
	if depth == 0 {
		f.reach.last = none
	}
}

func (f *flow) lastMark(a attempt) *funnelMark { return &f.marks[f.nodes[a.last].mark] }

// pass offers the marks from..to to empty places.
func (f *flow) pass(from, to int, offer func(int32)) {
	for i := range f.places {
		f.places[i].last = none
	}
	for i := from; i < to; i++ {
		offer(int32(i))
	}
}

func (f *flow) ordered(i int32) {
	m := &f.marks[i]
	f.bar(m)
	for rest := m.steps &^ 1; rest != 0; {
		depth := highest(rest)
		rest &^= 1 << depth
		a := f.places[depth]
		if a.last == none {
			continue
		}
		f.places[depth].last = none
		if f.inTime(a, depth, m) {
			f.put(depth+1, attempt{start: a.start, last: f.node(i, a.last)})
		}
	}
	f.begin(i, m)
}

func (f *flow) strict(i int32) {
	m := &f.marks[i]
	f.bar(m)
	for depth := len(f.places) - 2; depth > 0; depth-- {
		a := f.places[depth]
		f.places[depth].last = none
		if a.last != none && m.steps>>depth&1 != 0 && m.held == f.marks[a.start].held && f.inTime(a, depth, m) {
			f.put(depth+1, attempt{start: a.start, last: f.node(i, a.last)})
		}
	}
	f.begin(i, m)
}

func (f *flow) any(i int32) {
	m := &f.marks[i]
	if m.steps == 0 {
		return
	}
	for depth := len(f.places) - 2; depth > 0; depth-- {
		a := f.places[depth]
		if a.last == none {
			continue
		}
		left := m.steps &^ a.served
		switch {
		case !f.inTime(a, 0, m):
			f.places[depth].last = none
		case left != 0:
			f.places[depth].last = none
			f.put(depth+1, attempt{start: a.start, last: f.node(i, a.last), served: a.served | left&-left})
		}
	}
	f.begin(i, m)
}

// bar ends the attempts whose exclusions m is one of.
func (f *flow) bar(m *funnelMark) {
	if m.bars == 0 {
		return
	}
	for depth := range f.places {
		if m.bars&f.barred[depth] != 0 {
			f.places[depth].last = none
		}
	}
}

// inTime tells whether m comes early enough to be the next step of an attempt; step is its index.
func (f *flow) inTime(a attempt, step int, m *funnelMark) bool {
	if int64(m.time-f.marks[a.start].time) > f.window {
		return false
	}
	within := f.within[step]
	return within == 0 || int64(m.time-f.lastMark(a).time) <= within
}

// begin begins an attempt.
func (f *flow) begin(i int32, m *funnelMark) {
	if m.begins {
		f.put(1, attempt{start: i, last: f.node(i, none), served: m.steps & -m.steps})
	}
}

// put lets an attempt have reached a depth.
func (f *flow) put(depth int, a attempt) {
	f.places[depth] = a
	if depth > f.depth {
		f.reach, f.depth = a, depth
	}
}

func (f *flow) node(i, parent int32) int32 {
	f.nodes = append(f.nodes, flowNode{mark: i, parent: parent})
	return int32(len(f.nodes) - 1)
}

// trail lists the marks of the best attempt.
func (f *flow) trail() []int32 {
	if f.depth == 0 {
		return nil
	}
	trail := slices.Grow(f.taken[:0], f.depth)[:f.depth]
	f.taken = trail
	for at, i := f.reach.last, f.depth-1; i >= 0; i-- {
		trail[i], at = f.nodes[at].mark, f.nodes[at].parent
	}
	return trail
}
