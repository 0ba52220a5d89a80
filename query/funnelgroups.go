package query

import (
	"cmp"
	"slices"
)

// crowd is actors of one period: a number of those of depth 1, and the others.
type crowd struct {
	ones   int64
	beyond []someReached
}

func (c *crowd) size() int64 {
	n := c.ones
	for i := range c.beyond {
		n += int64(c.beyond[i].count())
	}
	return n
}

func (c *crowd) add(o *crowd) {
	c.ones += o.ones
	c.beyond = append(c.beyond, o.beyond...)
}

// funnelGroup is the actors of one group, in the range and in the period before.
type funnelGroup struct {
	text      string
	now, then crowd
}

// whole is all actors.
func (f *funnelResult) whole() crowd {
	var all crowd
	for _, p := range f.parts() {
		all.beyond = append(all.beyond, someReached{depthReached: p, all: true})
	}
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

// part gives the actors of each group.
func (f *funnelResult) part(group func(text string, of crowd)) {
	texts := f.see.by.values[0].list
	crowds := make([]crowd, len(texts))
	for number, n := range f.ones {
		crowds[number].ones = n
	}
	for _, p := range f.parts() {
		p.byGroup(len(texts), func(number int, some someReached) {
			crowds[number].beyond = append(crowds[number].beyond, some)
		})
	}
	for number := range crowds {
		if crowds[number].size() > 0 {
			group(texts[number], crowds[number])
		}
	}
}
