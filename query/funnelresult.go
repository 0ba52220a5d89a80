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
	line     []event.Time // of the attempt at hand
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
		*at(&f.ones, group)++
		return
	}
	f.outcomes = append(f.outcomes, outcome{group: group, depth: int32(len(times)), first: len(f.times)})
	f.times = append(f.times, times...)
}

// addOnes takes so many actors who came no further than depth 1, where nothing tells them apart.
func (f *funnelResult) addOnes(n int) {
	if n > 0 {
		*at(&f.ones, 0) += int64(n)
	}
}

// size counts entries: an outcome is two, and its times are sorted apart.
func (f *funnelResult) size() int {
	return 2*len(f.outcomes) + 3*len(f.times) + len(f.listed) + len(f.ones)
}

// answer makes the answer; before is what was in the previous period, nil where that wasn't asked for.
func (f *funnelResult) answer(r *run, before *funnelResult) *Answer {
	all := &funnelGroup{now: f.whole()}
	if before != nil {
		all.then = before.whole()
	}
	answer := &Answer{Head: []Member{{"steps", f.steps(before, all)}}}
	cutGroups, cutActors := false, false
	var groups, actors []Member
	if f.q.Breakdown != nil {
		groups, cutGroups = f.groups(r, before, answer)
	}
	if f.q.List != nil {
		actors, cutActors = f.actors()
	}
	answer.Head = slices.Concat(answer.Head, groups, actors)
	if cutActors && !cutGroups {
		answer.Cut = []Member{{"next", Text(f.q.Cursor(r.asOf, Page{Skip: f.q.Page.Skip + f.q.Limit}))}}
	}
	return answer
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
	n, outcomes := len(f.q.Steps), of.outcomes
	reached := make([]int64, n+2) // by depth; nobody gets beyond the last
	reached[1] = of.ones
	for _, o := range outcomes {
		for depth := 1; depth <= int(o.depth); depth++ {
			reached[depth]++
		}
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
		start := f.spans(outcomes, 0, i, reached[depth])
		previous := start
		if i > 1 {
			previous = f.spans(outcomes, i-1, i, reached[depth])
		}
		numbers[i] = append(numbers[i], Member{"from_previous", previous}, Member{"from_start", start})
	}
	return numbers
}

// spans sums up the times between two events of the attempts that have both, which are so many.
func (f *funnelResult) spans(outcomes []outcome, from, to int, reached int64) Value {
	spans := make([]int64, 0, reached)
	var sum int64 // as many times as a budget has entries, each ten years, are less than 2^63
	for i := range outcomes {
		if o := &outcomes[i]; int(o.depth) > to {
			span := int64(f.times[o.first+to] - f.times[o.first+from])
			spans = append(spans, span)
			sum += span
		}
	}
	var median, p90, mean Value
	if n := len(spans); n > 0 {
		half := nearestRank(n, 50)
		median = Seconds(big.NewInt(ranked(spans, half)), 1)
		p90 = Seconds(big.NewInt(ranked(spans[half:], nearestRank(n, 90)-half)), 1) // none before is greater
		mean = Seconds(big.NewInt(sum), int64(n))
	}
	return Object(Member{"median_s", median}, Member{"p90_s", p90}, Member{"mean_s", mean})
}

// nearestRank is the rank, from 0 on, of the least of so many values that at least so many of a hundred don't exceed.
func nearestRank(n, percent int) int { return (n*percent+99)/100 - 1 }

// ranked returns the value of a rank. It changes the order of values: those before the rank are no greater then, and
// those after it no less.
func ranked(values []int64, rank int) int64 {
	// The pivot of three keeps most lists from being halved badly; what remains long after some tries is sorted.
	for range 64 {
		if len(values) < 16 {
			break
		}
		a, b, c := values[0], values[len(values)/2], values[len(values)-1]
		less, equal := partition(values, max(min(a, b), min(max(a, b), c)))
		switch {
		case rank < less:
			values = values[:less]
		case rank < equal:
			return values[less]
		default:
			values, rank = values[equal:], rank-equal
		}
	}
	slices.Sort(values)
	return values[rank]
}

// partition brings what is less than a value to the front, and what is greater to the end. It returns where
// the values that are equal begin and end.
func partition(values []int64, pivot int64) (less, equal int) {
	end := len(values)
	for equal < end {
		switch v := values[equal]; {
		case v < pivot:
			values[less], values[equal] = v, values[less]
			less++
			equal++
		case v > pivot:
			end--
			values[equal], values[end] = values[end], v
		default:
			equal++
		}
	}
	return less, equal
}
