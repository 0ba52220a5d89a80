package query

import "millimetric/index/event"

// trackFlow is a flow (see there) over events of which the name says all, in order "ordered" and without hold. It takes
// them as they come, and keeps of an attempt the times of its steps: what an event was besides is never asked.
type trackFlow struct {
	rules   *flow          // of which window and the like are
	beginTo event.Time     // attempts begin before
	taken   uint32         // the depths, a bit each, at which there is an attempt
	at      []trackAttempt // by depth
	best    trackAttempt
	reached int          // the depth of the best
	times   []event.Time // of the steps of attempts, as many for each as there are steps
}

// trackAttempt is one attempt, by its first event and the times of its steps. When it takes a step, the place of its
// times goes with it to the next depth: there was none, or one that began earlier and matters no more.
type trackAttempt struct {
	first trackBegin
	times int // where they are
}

func newTrackFlow(f *flow, beginTo event.Time) *trackFlow {
	steps := len(f.q.Steps)
	t := &trackFlow{rules: f, beginTo: beginTo, at: make([]trackAttempt, steps), times: make([]event.Time, steps*(steps+1))}
	for depth := range t.at {
		t.at[depth].times = (1 + depth) * steps
	}
	return t
}

// clear begins with another actor.
func (f *trackFlow) clear() { f.taken, f.reached = 0, 0 }

// done tells whether nothing more can matter.
func (f *trackFlow) done() bool { return f.reached == len(f.at) }

// offer offers an event to the attempts, to the deepest first.
func (f *trackFlow) offer(e trackBegin, n *nameMark) {
	if n.bars != 0 {
		f.bar(n.bars)
	}
	for rest := n.steps & f.taken; rest != 0; {
		depth := highest(rest)
		rest &^= 1 << depth
		f.taken &^= 1 << depth
		a := &f.at[depth]
		within := f.rules.within[depth]
		if int64(e.time-a.first.time) <= f.rules.window && (within == 0 || int64(e.time-f.times[a.times+depth-1]) <= within) {
			f.advance(depth, a, e.time)
		}
	}
	if n.steps&1 != 0 {
		f.begin(e)
	}
}

// begin begins an attempt with an event, unless it comes too late.
func (f *trackFlow) begin(e trackBegin) {
	if e.time >= f.beginTo {
		return
	}
	a := &f.at[1]
	a.first, f.times[a.times] = e, e.time
	f.taken |= 1 << 1
	if f.reached == 0 {
		f.best.first, f.times[f.best.times], f.reached = e, e.time, 1
	}
}

// advance lets an attempt take its next step.
func (f *trackFlow) advance(depth int, a *trackAttempt, t event.Time) {
	f.times[a.times+depth] = t
	if depth+1 > f.reached {
		f.best.first, f.reached = a.first, depth+1
		for i := range depth + 1 {
			f.times[f.best.times+i] = f.times[a.times+i]
		}
	}
	if depth+1 < len(f.at) {
		to := &f.at[depth+1]
		to.first = a.first
		to.times, a.times = a.times, to.times
		f.taken |= 1 << (depth + 1)
	}
}

// bestTimes returns the times of the steps of the best attempt. They hold until another actor comes.
func (f *trackFlow) bestTimes() []event.Time { return f.times[f.best.times:][:f.reached] }

// bar ends the attempts whose exclusions an event is one of.
func (f *trackFlow) bar(bars uint32) {
	for depth, barred := range f.rules.barred {
		if bars&barred != 0 {
			f.taken &^= 1 << depth
		}
	}
}
