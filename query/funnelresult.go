package query

import (
	"cmp"
	"math/big"
	"slices"

	"millimetric/index/event"
)

// funnelResult gathers what actors reached, and makes the answer of it.
type funnelResult struct {
	q        *Funnel
	see      *sight
	outcomes []outcome
	ones     []int64      // by group: the actors of depth 1, of whom nothing else is asked
	times    []event.Time // of the events of all outcomes, one after the other
	listed   []listed
}

// outcome is how far one actor came.
type outcome struct {
	group uint32
	depth int32
	first int // its events begin here in times
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
	first := &marks[trail[0]]
	o := outcome{group: first.group, depth: int32(len(trail)), first: len(f.times)}
	if f.see.touched {
		o.group = f.see.untouched
		if touch != nil && !first.isBefore(touch) {
			o.group = touch.group
		}
	}
	if o.depth == 1 {
		*at(&f.ones, o.group)++
	} else {
		f.outcomes = append(f.outcomes, o)
		for _, i := range trail {
			f.times = append(f.times, marks[i].time)
		}
	}
	if list := f.q.List; list != nil && len(trail) >= list.Step && (!list.Dropped || len(trail) == list.Step) {
		m := &marks[trail[list.Step-1]]
		f.listed = append(f.listed, listed{time: m.time, seq: m.seq, who: m.who})
	}
}

// size counts entries: an outcome is two, and its times are sorted apart.
func (f *funnelResult) size() int {
	return 2*len(f.outcomes) + 3*len(f.times) + len(f.listed) + len(f.ones)
}

func (f *funnelResult) answer() *Answer {
	answer := &Answer{Head: []Member{{"steps", f.steps(f.whole())}}}
	if f.q.Breakdown != nil {
		answer.Head = append(answer.Head, f.groups()...)
	}
	if f.q.List != nil {
		answer.Head = append(answer.Head, f.actors()...)
	}
	return answer
}

// funnelGroup is the actors of one group, or of several.
type funnelGroup struct {
	group    uint32
	ones     int64
	outcomes []outcome // of depth 2 and more
}

func (g *funnelGroup) actors() int64 { return g.ones + int64(len(g.outcomes)) }

// whole is all actors.
func (f *funnelResult) whole() *funnelGroup {
	g := &funnelGroup{outcomes: f.outcomes}
	for _, n := range f.ones {
		g.ones += n
	}
	return g
}

// groups shows the groups of most actors; the rest of them together is one more funnel.
func (f *funnelResult) groups() []Member {
	groups := f.parted()
	by, text := *f.q.Breakdown, f.see.by.values[0].list
	slices.SortFunc(groups, func(a, b *funnelGroup) int {
		return cmp.Or(cmp.Compare(b.actors(), a.actors()), by.compare(text[a.group], text[b.group]))
	})
	shown := min(f.q.Limit, len(groups))
	var values []Value
	for _, g := range groups[:shown] {
		values = append(values, Object(Member{"group", by.value(text[g.group])}, Member{"steps", f.steps(g)}))
	}
	members := []Member{{"groups", List(values)}}
	if shown == len(groups) {
		return members
	}
	other := &funnelGroup{}
	for _, g := range groups[shown:] {
		other.ones += g.ones
		other.outcomes = append(other.outcomes, g.outcomes...)
	}
	return append(members, Member{"groups_total", Int(int64(len(groups)))},
		Member{"other", Object(Member{"steps", f.steps(other)})})
}

// parted parts the actors by group.
func (f *funnelResult) parted() []*funnelGroup {
	slices.SortFunc(f.outcomes, func(a, b outcome) int { return cmp.Compare(a.group, b.group) })
	var groups []*funnelGroup
	ones := slices.Clone(f.ones)
	for own := range chunks(f.outcomes, func(a, b *outcome) bool { return a.group == b.group }) {
		count := at(&ones, own[0].group)
		groups = append(groups, &funnelGroup{group: own[0].group, ones: *count, outcomes: own})
		*count = 0
	}
	for group, n := range ones {
		if n > 0 {
			groups = append(groups, &funnelGroup{group: uint32(group), ones: n})
		}
	}
	return groups
}

// chunks cuts a list between neighbours that aren't alike.
func chunks[T any](list []T, alike func(a, b *T) bool) func(yield func([]T) bool) {
	return func(yield func([]T) bool) {
		for from, to := 0, 0; from < len(list); from = to {
			for to = from + 1; to < len(list) && alike(&list[from], &list[to]); {
				to++
			}
			if !yield(list[from:to:to]) {
				return
			}
		}
	}
}

// actors lists who reached the step, or dropped out there, the latest first.
func (f *funnelResult) actors() []Member {
	slices.SortFunc(f.listed, func(a, b listed) int {
		return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(b.seq, a.seq))
	})
	var rows []Value
	for _, l := range f.listed[:min(f.q.Limit, len(f.listed))] {
		visitor, user := unpair(f.see.who.list[l.who])
		rows = append(rows, Object(
			Member{"anonymous_id", Text(f.see.names.list[visitor])},
			Member{"user_id", TextOrNull(f.see.names.list[user])},
			Member{"at", Text(timeText(l.time))},
		))
	}
	return []Member{{"actors", List(rows)}, {"actors_total", Int(int64(len(f.listed)))}}
}

// steps is the funnel of some actors.
func (f *funnelResult) steps(g *funnelGroup) Value {
	n, outcomes := len(f.q.Steps), g.outcomes
	reached := make([]int64, n+2) // by depth; nobody gets beyond the last
	reached[1] = g.ones
	for _, o := range outcomes {
		for depth := 1; depth <= int(o.depth); depth++ {
			reached[depth]++
		}
	}
	values := make([]Value, n)
	for i := range values {
		depth := i + 1
		before := reached[max(i, 1)]
		drop := reached[depth] - reached[depth+1]
		if depth == n {
			drop = 0 // there is nothing to drop out of
		}
		members := []Member{
			{"name", Text(f.q.Steps[i].Name)}, {"actors", Int(reached[depth])},
			{"conversion", RoundedRatio(reached[depth], reached[1])}, {"step_conversion", RoundedRatio(reached[depth], before)},
			{"drop_off", Int(drop)},
		}
		if i > 0 {
			members = append(members, Member{"from_previous", f.spans(outcomes, i-1, i)}, Member{"from_start", f.spans(outcomes, 0, i)})
		}
		values[i] = Object(members...)
	}
	return List(values)
}

// spans sums up the times between two events of the attempts that have both.
func (f *funnelResult) spans(outcomes []outcome, from, to int) Value {
	var spans []int64
	var sum int64 // as many times as a budget has entries, each ten years, are less than 2^63
	for _, o := range outcomes {
		if int(o.depth) > to {
			span := int64(f.times[o.first+to] - f.times[o.first+from])
			spans = append(spans, span)
			sum += span
		}
	}
	var median, p90, mean Value
	if n := len(spans); n > 0 {
		slices.Sort(spans)
		median = Seconds(big.NewInt(nearestRank(spans, 50)), 1)
		p90 = Seconds(big.NewInt(nearestRank(spans, 90)), 1)
		mean = Seconds(big.NewInt(sum), int64(n))
	}
	return Object(Member{"median_s", median}, Member{"p90_s", p90}, Member{"mean_s", mean})
}

// nearestRank is the least of sorted values that at least so many of a hundred don't exceed.
func nearestRank(sorted []int64, percent int) int64 {
	return sorted[(len(sorted)*percent+99)/100-1]
}
