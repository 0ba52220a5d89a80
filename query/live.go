package query

import (
	"cmp"
	"slices"
	"time"

	"millimetric/index/event"
)

const (
	liveWindow    = 5 * time.Minute
	liveWindowMax = 24 * time.Hour // what is longer is no look at now
	liveLimit     = 10             // a glance
	liveLimitMax  = 100
)

// Live asks who is there now: in the window that ends with the moment of asking.
type Live struct {
	Common
	Window time.Duration
	Limit  int // of paths, and of sources
}

func parseLive(r *reader) Question {
	q := &Live{Common: r.commonButRange(r.zone("tz")), Window: liveWindow}
	q.Explain = true
	if window, sent := r.duration("window"); sent {
		if window == 0 || window > liveWindowMax {
			r.errs.Add("window", "Must be longer than 0 and at most "+durationText(liveWindowMax))
		}
		q.Window = window
	}
	q.Limit = r.limit("limit", liveLimit, liveLimitMax)
	return q
}

// Range is the window: later than its length before now, and not later than now.
func (q *Live) Range() (from, to event.Time) {
	return q.Now - event.Time(q.Window.Milliseconds()) + 1, q.Now + 1
}

func (q *Live) own() []Member {
	return []Member{{"window", Text(durationText(q.Window))}, {"now", Text(timeText(q.Now))}, {"limit", Int(int64(q.Limit))}}
}

func (q *Live) answer(r *run) (*Answer, error) {
	clock, err := r.clock()
	if err != nil {
		return nil, err
	}
	q.Now = clock
	who, err := r.actors()
	if err != nil {
		return nil, err
	}
	all := newTally(true)
	paths, sources := newPresence(event.ColumnPath), newPresence(event.ColumnSource)
	size := func() int { return who.size() + all.size() + paths.size() + sources.size() }
	from, to := q.Range()
	err = r.scanRange(from, to, nil, size, func(e *scanRow) {
		actor, ok := who.number(e)
		if !ok {
			return
		}
		all.add(0, actor)
		sources.add(e, actor)
		if e.name() == event.EventPageview {
			paths.add(e, actor)
		}
	})
	if err != nil {
		return nil, err
	}
	answer := &Answer{Head: []Member{
		{"actors", Int(all.of(0))}, {"window", Text(durationText(q.Window))}, {"paths", paths.top(q.Limit)}, {"sources", sources.top(q.Limit)},
	}}
	if paths.by.met > q.Limit {
		answer.Cut = append(answer.Cut, Member{"paths_total", Int(int64(paths.by.met))})
	}
	if sources.by.met > q.Limit {
		answer.Cut = append(answer.Cut, Member{"sources_total", Int(int64(sources.by.met))})
	}
	return answer, nil
}

// presence counts the actors and the events at each value of a column.
type presence struct {
	column event.Column
	by     *groups
	actors *tally
	events *tally
}

func newPresence(column event.Column) *presence {
	return &presence{column: column, by: newGroups([]event.Column{column}), actors: newTally(true), events: newTally(false)}
}

func (p *presence) add(e *scanRow, actor uint32) {
	group := p.by.number(e)
	p.actors.add(group, actor)
	p.events.add(group, 0)
}

func (p *presence) size() int { return p.by.size() + p.actors.size() + p.events.size() }

// top lists the values with the most actors, then with the most events.
func (p *presence) top(limit int) Value {
	ranked := p.by.ranked(func(group uint32) amount { return countAmount(p.actors.of(group)) })
	slices.SortStableFunc(ranked, func(a, b group) int {
		return cmp.Or(b.total.compare(a.total), cmp.Compare(p.events.of(b.number), p.events.of(a.number)))
	})
	ranked = ranked[:min(limit, len(ranked))]
	rows := make([]Value, len(ranked))
	for i, g := range ranked {
		value := p.by.show(nil, g.values)[0]
		rows[i] = Object(Member{string(p.column), value}, Member{"actors", g.total.value()}, Member{"events", Int(p.events.of(g.number))})
	}
	return List(rows)
}
