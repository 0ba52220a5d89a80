package query

import (
	"cmp"
	"slices"
)

// crowd is actors of one period.
type crowd struct {
	groups []uint32    // their numbers in the period's result
	depths []int64     // how many came to each depth, and no further
	spans  []stepSpans // by step, once they are reckoned
}

func (c *crowd) size() int64 { return c.reached(1) }

// reached returns how many came to a depth, at least.
func (c *crowd) reached(depth int) (n int64) {
	for ; depth < len(c.depths); depth++ {
		n += c.depths[depth]
	}
	return n
}

func (c *crowd) add(o *crowd) {
	c.groups = append(c.groups, o.groups...)
	for depth, n := range o.depths {
		c.enter(depth, n)
	}
}

// funnelGroup is the actors of one group, in the range and in the period before.
type funnelGroup struct {
	text      string
	now, then crowd
	steps     Value // once they are reckoned
}

// whole is all actors.
func (f *funnelResult) whole() (all crowd) {
	for _, c := range f.byGroup() {
		all.add(&c)
	}
	return all
}

// byGroup returns how far the actors of each group came.
func (f *funnelResult) byGroup() []crowd {
	var crowds []crowd
	for group, n := range f.ones {
		at(&crowds, uint32(group)).enter(1, n)
	}
	var counts []int64
	for _, p := range f.parts() {
		clear(counts)
		for _, group := range p.groups {
			*at(&counts, group)++
		}
		for group, n := range counts {
			at(&crowds, uint32(group)).enter(p.depth, n)
		}
	}
	for group := range crowds {
		crowds[group].groups = []uint32{uint32(group)}
	}
	return crowds
}

// enter adds so many who came to a depth, and no further.
func (c *crowd) enter(depth int, n int64) { *at(&c.depths, uint32(depth)) += n }

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
	for number, c := range f.byGroup() {
		if c.size() > 0 {
			group(f.see.by.values[0].list[number], c)
		}
	}
}
