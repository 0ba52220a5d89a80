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
	steps     Value // once they are reckoned
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

// shownGroups are groups of which an answer shows those from start to end, and what is still to come as one.
type shownGroups struct {
	all        []*funnelGroup
	start, end int
	other      *funnelGroup // nil where nothing is still to come
}

// groups orders the groups, those of most actors first. There are none where none were asked for.
func (f *funnelResult) groups(before *funnelResult) *shownGroups {
	if f.q.Breakdown == nil {
		return &shownGroups{}
	}
	s := &shownGroups{all: f.joined(before)}
	by := *f.q.Breakdown
	slices.SortFunc(s.all, func(a, b *funnelGroup) int {
		return cmp.Or(cmp.Compare(b.now.size(), a.now.size()), by.compare(a.text, b.text))
	})
	s.start = min(f.q.Page.Skip, len(s.all))
	s.end = min(s.start+f.q.Limit, len(s.all))
	if s.end < len(s.all) {
		s.other = &funnelGroup{}
		for _, g := range s.all[s.end:] {
			s.other.now.add(&g.now)
			s.other.then.add(&g.then)
		}
	}
	return s
}

// reckoned are the groups whose funnels are asked for.
func (s *shownGroups) reckoned() []*funnelGroup {
	shown := s.all[s.start:s.end:s.end]
	if s.other != nil {
		shown = append(shown, s.other)
	}
	return shown
}

// members shows the groups; nothing where none were asked for.
func (s *shownGroups) members(q *Funnel) []Member {
	if q.Breakdown == nil {
		return nil
	}
	var values []Value
	for _, g := range s.all[s.start:s.end] {
		values = append(values, Object(Member{"group", q.Breakdown.value(g.text)}, Member{"steps", g.steps}))
	}
	return []Member{{"groups", List(values)}}
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
