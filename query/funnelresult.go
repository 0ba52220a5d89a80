package query

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

// funnelResult gathers what actors reached, and makes the answer of it.
type funnelResult struct {
	q      *Funnel
	see    *sight
	ones   []int64         // by group: the actors of depth 1, of whom nothing else is asked
	own    []*depthReached // by depth: the others; nil where there are none
	others []*depthReached // that are full, or that helpers found
	listed []listed
	bytes  int          // of all actors but those of depth 1
	line   []event.Time // of the attempt at hand
}

// listed is one actor of the list: who it was at the event that reached the step.
type listed struct {
	time event.Time
	seq  event.Seq
	who  uint32
}

func newFunnelResult(q *Funnel, see *sight) *funnelResult { return &funnelResult{q: q, see: see} }

// add takes the reported attempt of one actor. touch is the actor's first touch, nil for none.
func (f *funnelResult) add(marks []funnelMark, trail []int32, touch *funnelMark) {
	f.line = f.line[:0]
	for _, i := range trail {
		f.line = append(f.line, marks[i].time)
	}
	f.enter(f.groupOf(&marks[trail[0]], touch), f.line)
	if list := f.q.List; list != nil && len(trail) >= list.Step && (!list.Dropped || len(trail) == list.Step) {
		m := &marks[trail[list.Step-1]]
		f.listed = append(f.listed, listed{time: m.time, seq: m.seq, who: m.who})
	}
}

// groupOf returns the group of an attempt by its first event.
func (f *funnelResult) groupOf(first, touch *funnelMark) uint32 {
	switch {
	case !f.see.touched:
		return first.group
	case touch == nil || first.isBefore(touch):
		return f.see.untouched
	}
	return touch.group
}

// enter takes the reported attempt of one actor, by the times of its steps.
func (f *funnelResult) enter(group uint32, times []event.Time) {
	if len(times) == 1 {
		f.addOne(group)
		return
	}
	f.enterBeyond(group, times)
}

// enterBeyond takes one who came beyond depth 1. Where his group isn't known yet, it may be set later.
func (f *funnelResult) enterBeyond(group uint32, times []event.Time) *uint32 {
	own := *at(&f.own, uint32(len(times)))
	if own == nil || len(own.groups) == cap(own.groups) {
		own = f.openPart(len(times))
	}
	own.groups = append(own.groups, group)
	own.add(times, f.spanNeedsUpper())
	return &own.groups[len(own.groups)-1]
}

// partMin is for how many actors there is room in the first part of a depth.
const partMin = 64

// openPart makes room for more actors of a depth: twice as many as before, in a part of its own, so that nothing is
// copied.
func (f *funnelResult) openPart(depth int) *depthReached {
	room := partMin
	if full := f.own[depth]; full != nil {
		f.others, room = append(f.others, full), 2*cap(full.groups)
	}
	own := &depthReached{depth: depth, groups: make([]uint32, 0, room), spans: make([]uint32, 0, room*(depth-1))}
	if f.spanNeedsUpper() {
		own.upper = make([]uint32, 0, room*(depth-1))
	}
	f.own[depth] = own
	f.bytes += 4 * (cap(own.groups) + cap(own.spans) + cap(own.upper))
	return own
}

// addOne takes an actor of depth 1.
func (f *funnelResult) addOne(group uint32) { *at(&f.ones, group)++ }

// addOnes takes so many actors who came no further than depth 1, where nothing tells them apart.
func (f *funnelResult) addOnes(n int) {
	if n > 0 {
		*at(&f.ones, 0) += int64(n)
	}
}

// parts returns all who came beyond depth 1.
func (f *funnelResult) parts() []*depthReached {
	parts := slices.Clone(f.others)
	for _, own := range f.own {
		if own != nil {
			parts = append(parts, own)
		}
	}
	return parts
}

// size counts entries, and what takes little by its bytes.
func (f *funnelResult) size() int {
	return len(f.listed) + len(f.ones) + f.bytes/entryBytes
}

// answer makes the answer; before is what was in the previous period, nil where that wasn't asked for.
func (f *funnelResult) answer(r *run, before *funnelResult) (*Answer, error) {
	all := &funnelGroup{now: f.whole()}
	if before != nil {
		all.then = before.whole()
	}
	groups := f.groups(before)
	if err := f.reckon(r, before, all, groups.reckoned()); err != nil {
		return nil, err
	}
	answer := &Answer{Head: append([]Member{{"steps", all.steps}}, groups.members(f.q)...)}
	if groups.other != nil {
		answer.Cut = r.cutAt(groups.end, len(groups.all), Object(Member{"steps", groups.other.steps}))
		answer.Left = len(groups.all) - groups.end
	}
	if f.q.List != nil {
		actors, cut := f.actors()
		answer.Head = append(answer.Head, actors...)
		if cut && groups.other == nil {
			answer.Cut = []Member{{"next", Text(f.q.Cursor(r.asOf, Page{Skip: f.q.Page.Skip + f.q.Limit}))}}
		}
	}
	return answer, nil
}

// reckon finds the funnels of all, and of some groups.
func (f *funnelResult) reckon(r *run, before *funnelResult, all *funnelGroup, groups []*funnelGroup) error {
	var now, then []*crowd
	for _, g := range groups {
		now, then = append(now, &g.now), append(then, &g.then)
	}
	if err := f.reckonSpans(r, &all.now, now); err != nil {
		return err
	}
	if before != nil {
		if err := before.reckonSpans(r, &all.then, then); err != nil {
			return err
		}
	}
	for _, g := range append(groups, all) {
		g.steps = f.steps(before, g)
	}
	return nil
}

// actors lists who reached the step, or dropped out there, the latest first.
func (f *funnelResult) actors() (members []Member, cut bool) {
	slices.SortFunc(f.listed, func(a, b listed) int {
		return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(b.seq, a.seq))
	})
	var rows []Value
	start := min(f.q.Page.Skip, len(f.listed))
	end := min(start+f.q.Limit, len(f.listed))
	for _, l := range f.listed[start:end] {
		visitor, user := unpair(f.see.who.list[l.who])
		rows = append(rows, Object(
			Member{"anonymous_id", Text(f.see.names.list[visitor])},
			Member{"user_id", TextOrNull(f.see.names.list[user])},
			Member{"at", Text(timeText(l.time))},
		))
	}
	return []Member{{"actors", List(rows)}, {"actors_total", Int(int64(len(f.listed)))}}, end < len(f.listed)
}

// steps is the funnel of some actors; before is nil where there is no comparison.
func (f *funnelResult) steps(before *funnelResult, of *funnelGroup) Value {
	now := f.numbers(&of.now)
	var then [][]Member
	if before != nil {
		then = before.numbers(&of.then)
	}
	values := make([]Value, len(now))
	for i := range now {
		members := append([]Member{{"name", Text(f.q.Steps[i].Name)}}, now[i]...)
		if before != nil {
			members = append(members, Member{"previous", Object(then[i]...)})
		}
		values[i] = Object(members...)
	}
	return List(values)
}

// numbers reckons what each step says of some actors.
func (f *funnelResult) numbers(of *crowd) [][]Member {
	n := len(f.q.Steps)
	reached := make([]int64, n+2) // by depth; nobody gets beyond the last
	for depth := range reached {
		reached[depth] = of.reached(depth)
	}
	numbers := make([][]Member, n)
	for i := range numbers {
		depth := i + 1
		before := reached[max(i, 1)]
		drop := reached[depth] - reached[depth+1]
		if depth == n {
			drop = 0 // there is nothing to drop out of
		}
		numbers[i] = []Member{
			{"actors", Int(reached[depth])},
			{"conversion", RoundedRatio(reached[depth], reached[1])}, {"step_conversion", RoundedRatio(reached[depth], before)},
			{"drop_off", Int(drop)},
		}
		if i == 0 {
			continue
		}
		previous, start := &of.spans[i].fromPrevious, &of.spans[i].fromStart
		numbers[i] = append(numbers[i], Member{"from_previous", previous.value()}, Member{"from_start", start.value()})
	}
	return numbers
}
