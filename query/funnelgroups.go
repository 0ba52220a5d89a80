package query

import (
	"cmp"
	"slices"
)

// crowd is actors of one period: a number of those of depth 1, and what the others reached.
type crowd struct {
	ones     int64
	outcomes []outcome
}

func (c *crowd) size() int64 { return c.ones + int64(len(c.outcomes)) }

func (c *crowd) add(o *crowd) {
	c.ones += o.ones
	c.outcomes = append(c.outcomes, o.outcomes...)
}

// funnelGroup is the actors of one group, in the range and in the period before.
type funnelGroup struct {
	text      string
	now, then crowd
}

// whole is all actors.
func (f *funnelResult) whole() crowd {
	all := crowd{outcomes: f.outcomes}
	for _, n := range f.ones {
		all.ones += n
	}
	return all
}

// groups shows the groups of most actors; those still to come together are one more funnel.
func (f *funnelResult) groups(r *run, before *funnelResult, answer *Answer) (members []Member, cut bool) {
	groups := f.joined(before)
	by := *f.q.Breakdown
	slices.SortFunc(groups, func(a, b *funnelGroup) int {
		return cmp.Or(cmp.Compare(b.now.size(), a.now.size()), by.compare(a.text, b.text))
	})
	start := min(f.q.Page.Skip, len(groups))
	end := min(start+f.q.Limit, len(groups))
	var values []Value
	for _, g := range groups[start:end] {
		values = append(values, Object(Member{"group", by.value(g.text)}, Member{"steps", f.steps(before, g)}))
	}
	if end < len(groups) {
		other := &funnelGroup{}
		for _, g := range groups[end:] {
			other.now.add(&g.now)
			other.then.add(&g.then)
		}
		answer.Cut = r.cutAt(end, len(groups), Object(Member{"steps", f.steps(before, other)}))
	}
	return []Member{{"groups", List(values)}}, end < len(groups)
}

// joined lists the groups of both periods. The periods number their values apart, so groups meet by text.
func (f *funnelResult) joined(before *funnelResult) []*funnelGroup {
	at := map[string]*funnelGroup{}
	var groups []*funnelGroup
	group := func(text string) *funnelGroup {
		g := at[text]
		if g == nil {
			g = &funnelGroup{text: text}
			at[text] = g
			groups = append(groups, g)
		}
		return g
	}
	f.part(func(text string, of crowd) { group(text).now = of })
	if before != nil {
		before.part(func(text string, of crowd) { group(text).then = of })
	}
	return groups
}

// part gives the actors of each group. It sorts the outcomes.
func (f *funnelResult) part(group func(text string, of crowd)) {
	slices.SortFunc(f.outcomes, func(a, b outcome) int { return cmp.Compare(a.group, b.group) })
	text := f.see.by.values[0].list
	ones := slices.Clone(f.ones)
	for own := range chunks(f.outcomes, func(a, b *outcome) bool { return a.group == b.group }) {
		count := at(&ones, own[0].group)
		group(text[own[0].group], crowd{ones: *count, outcomes: own})
		*count = 0
	}
	for number, n := range ones {
		if n > 0 {
			group(text[number], crowd{ones: n})
		}
	}
}
