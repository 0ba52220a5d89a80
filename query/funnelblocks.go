package query

import (
	"millimetric/index"
	"millimetric/index/event"
)

// funnelBlocks walks visitors through a funnel, a block of them at a time. What most events are to the
// steps their name tells, once per segment; only what they can't tell is asked of an event by itself.
//
// Visitors who are tangled (see block) go the plain way: each of their events is marked as if it came from
// anywhere, and their marks are sorted. Of the others, marks come in order, which allows more:
//
//  1. Of several events in a row that can do nothing but begin an attempt, only the first and the last
//     matter: the first reached depth 1 before all others, and an attempt that began last takes the place
//     of those before it (see flow).
//  2. The first touch mostly is the first event of a visitor, so it is looked for from there, and only
//     for those who began an attempt (see touchFinder).
type funnelBlocks struct {
	r       *run
	see     *sight
	flow    *flow
	result  *funnelResult
	touches *touchFinder // nil where the breakdown isn't by first touch
	block   *block

	lists    blockLists[funnelMark]
	waits    waiting[funnelMark]
	segments perSegment[[]nameMark]

	begun visitorBits // of the block: who began an attempt

	bare   bool // the name of an event says all that its mark needs, unless a step has filters
	places bool // marks need no position, only their order
	one    [1]int32
}

// nameMark is what events of one name are to the steps.
type nameMark struct {
	steps, bars uint32
	asks        bool // some of it only if filters hold
}

func newFunnelBlocks(r *run, q *Funnel, see *sight, result *funnelResult) *funnelBlocks {
	f := &funnelBlocks{r: r, see: see, flow: newFlow(q), result: result}
	f.bare = len(q.Filters) == 0 && len(q.Hold) == 0 && q.List == nil && (q.Breakdown == nil || see.touched)
	f.places = f.bare && !see.touched && !see.asks
	if see.touched {
		f.touches = newTouchFinder(r, see)
	}
	return f
}

// count makes the pass.
func (f *funnelBlocks) count() error {
	q := f.see.q
	p := &pass{
		from: f.see.scanFrom, to: f.see.scanTo, wants: conditionsOf(nil, nil), take: f.take, ordered: true,
		size: func() int { return f.see.size() + f.result.size() + len(f.waits.list) + len(f.lists.nodes) },
		idle: func(s *index.Segment) bool { return lastOf(s) < q.From },
		visit: func(e *scanRow) {
			if m, ok := f.see.mark(e); ok {
				f.r.cost.Matched++
				f.waits.add(e.visitor, m)
			}
		},
	}
	if ok, err := f.countTracks(p); ok || err != nil {
		return err
	}
	t := &funnelTaker{funnelBlocks: f}
	if err := f.r.eachBlock(p, t); err != nil {
		return err
	}
	for _, helper := range t.helpers {
		f.result.join(helper.result)
	}
	return nil
}

func (f *funnelBlocks) nextWaiting() uint64 { return f.waits.next() }

func (f *funnelBlocks) begin(b *block) {
	f.lists.clear()
	f.waits.enter(b, &f.lists)
	f.block, f.begun = b, visitorBits{}
}

// namesOf returns what the names of a segment are to the steps, by their codes.
func (f *funnelBlocks) namesOf(v *view) []nameMark {
	names, found := f.segments.turn(v.sealed)
	if found {
		return *names
	}
	*names = make([]nameMark, v.sealed.column(colName).dict.Len())
	for code := range *names {
		(*names)[code] = markOfName(f.see.tests[v.textOf(colName, uint32(code))])
	}
	return *names
}

// markOfName returns what events of a name with these tests are to the steps.
func markOfName(tests []stepTest) (n nameMark) {
	for _, t := range tests {
		n.asks = n.asks || t.asks
		if t.bar {
			n.bars |= t.bit
		} else {
			n.steps |= t.bit
		}
	}
	return n
}

// take takes rows of a view.
func (f *funnelBlocks) take(v *view, chosen []int32) {
	if len(chosen) == 0 {
		return
	}
	names, codes, times := f.namesOf(v), v.codesOf(colName), v.timesOf()
	starts, ordinals := v.sealed.runs.Starts, v.sealed.runs.Ordinals
	v.come(int(chosen[0]))
	run := v.visitor
	strict := f.see.q.Order == OrderStrict
	visitor, end := uint32(0), uint32(0)
	tangled := false
	for _, at := range chosen {
		if row := uint32(v.first) + uint32(at); row >= end {
			for row >= starts[run+1] {
				run++
			}
			visitor, end = ordinals[run]-v.block, starts[run+1]
			tangled = f.block.tangled.has(visitor)
		}
		switch n := &names[codes[at]]; {
		case tangled:
			f.takeTangled(v, at, visitor)
		case n.steps|n.bars == 0 && !strict || times[at] < f.see.q.From:
		case f.bare && !n.asks:
			f.takeBare(v, n, at, visitor)
		default:
			row := scanRow{view: v, at: int(at), time: times[at], visitor: v.come(int(at))}
			if m, ok := f.see.markSteps(&row); ok {
				f.enter(visitor, m)
			}
		}
	}
	v.visitor = run
}

// takeBare takes a row of which the name says all.
func (f *funnelBlocks) takeBare(v *view, n *nameMark, at int32, visitor uint32) {
	q, time := f.see.q, v.times[at]
	m := funnelMark{time: time, steps: n.steps, bars: n.bars}
	m.begins = time < f.see.beginTo && (m.steps&1 != 0 || m.steps != 0 && q.Order == OrderAny)
	onlyBegins := q.Order == OrderOrdered && m.steps == 1 && m.bars == 0
	if onlyBegins && !m.begins {
		return
	}
	m.seq = event.Seq(len(f.lists.nodes))
	if !f.places {
		m.seq = v.seq(int(at))
	}
	if onlyBegins {
		if last := f.lists.latest(visitor); last != nil && last.steps == 1 && last.bars == 0 && !last.opens {
			f.r.cost.Matched++
			*last = m
			return
		}
	}
	f.enter(visitor, m)
}

func (f *funnelBlocks) enter(visitor uint32, m funnelMark) {
	f.r.cost.Matched++
	if m.begins && !f.begun.has(visitor) {
		f.begun.add(visitor)
		m.opens = true
	}
	f.lists.add(visitor, m)
}

func (f *funnelBlocks) takeTangled(v *view, at int32, visitor uint32) {
	row := scanRow{view: v, at: int(at), time: v.times[at], visitor: v.come(int(at))}
	if m, ok := f.see.mark(&row); ok {
		f.r.cost.Matched++
		f.lists.add(visitor, m)
	}
}

// end finds how far the visitors of a block came.
func (f *funnelBlocks) end(b *block) error {
	if err := f.r.overBudget(f.see.size() + f.result.size() + len(f.lists.nodes)); err != nil {
		return err
	}
	if f.touches != nil {
		if err := f.findTouches(b); err != nil {
			return err
		}
	}
	for _, visitor := range f.lists.met {
		marks := f.lists.of(visitor, compareMarks)
		var touch *funnelMark
		switch {
		case f.touches == nil:
		case b.tangled.has(visitor):
			touch = f.see.firstTouch(marks)
		default:
			touch = f.touches.of(visitor)
		}
		if trail := f.best(marks); trail != nil {
			f.result.add(f.flow.marks, trail, touch)
		}
	}
	return nil
}

// findTouches looks for the first touches of those who began an attempt.
func (f *funnelBlocks) findTouches(b *block) error {
	f.touches.begin()
	for _, visitor := range f.lists.met {
		if f.begun.has(visitor) {
			f.touches.want(visitor)
		}
	}
	return f.touches.find(b)
}

// best returns the reported attempt. Where nothing can go on after a beginning, it is the first of these.
func (f *funnelBlocks) best(marks []funnelMark) []int32 {
	if f.see.q.Order == OrderOrdered && len(f.see.q.Hold) == 0 && len(marks) <= 2 {
		all := marks[0].steps | marks[len(marks)-1].steps
		if all == 1 {
			for i := range marks {
				if marks[i].begins {
					f.flow.marks, f.one[0] = marks, int32(i)
					return f.one[:]
				}
			}
			return nil
		}
	}
	return f.flow.best(marks)
}
