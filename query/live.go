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
	Window  time.Duration
	Compare bool // everything has what was in the window right before
	Limit   int  // of paths, and of sources
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
	q.Compare = r.compare()
	q.Limit = r.limit("limit", liveLimit, liveLimitMax)
	return q
}

// Range is the window: later than its length before now, and not later than now.
func (q *Live) Range() (from, to event.Time) {
	return q.Now - event.Time(q.Window.Milliseconds()) + 1, q.Now + 1
}

func (q *Live) comparison() string {
	if q.Compare {
		return comparePrevious
	}
	return ""
}

// ranges are the window and, where it is to be compared, the one right before it.
func (q *Live) ranges() [][2]event.Time {
	from, to := q.Range()
	if !q.Compare {
		return [][2]event.Time{{from, to}}
	}
	return [][2]event.Time{{from, to}, {from - (to - from), from}}
}

func (q *Live) own() []Member {
	return []Member{{"window", Text(durationText(q.Window))}, {"now", Text(timeText(q.Now))},
		{"compare", TextOrNull(q.comparison())}, {"limit", Int(int64(q.Limit))}}
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
	ranges := q.ranges()
	all, paths, sources := make([]*tally, len(ranges)), newPresence(event.ColumnPath, len(ranges)), newPresence(event.ColumnSource, len(ranges))
	size := func() int {
		n := who.size() + paths.size() + sources.size()
		for _, t := range all {
			if t != nil {
				n += t.size()
			}
		}
		return n
	}
	for period, span := range ranges {
		all[period] = newTally(true)
		err = r.scanRange(span[0], span[1], nil, size, func(e *scanRow) {
			actor, ok := who.number(e)
			if !ok {
				return
			}
			all[period].add(0, actor)
			sources.add(period, e, actor)
			if e.name() == event.EventPageview {
				paths.add(period, e, actor)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	head := []Member{{"actors", Int(all[0].of(0))}, {"window", Text(durationText(q.Window))}, {"paths", paths.top(q.Limit)}, {"sources", sources.top(q.Limit)}}
	if q.Compare {
		head = append(head, Member{"previous", Object(Member{"actors", Int(all[1].of(0))})})
	}
	answer := &Answer{Head: head}
	if paths.by.met > q.Limit {
		answer.Cut = append(answer.Cut, Member{"paths_total", Int(int64(paths.by.met))})
	}
	if sources.by.met > q.Limit {
		answer.Cut = append(answer.Cut, Member{"sources_total", Int(int64(sources.by.met))})
	}
	return answer, nil
}

// presence counts, in one period or two, the actors and the events at each value of a column.
type presence struct {
	column  event.Column
	by      *groups
	periods []attendance
}

type attendance struct{ actors, events *tally }

func newPresence(column event.Column, periods int) *presence {
	p := &presence{column: column, by: newGroups([]event.Column{column})}
	for range periods {
		p.periods = append(p.periods, attendance{actors: newTally(true), events: newTally(false)})
	}
	return p
}

func (p *presence) add(period int, e *scanRow, actor uint32) {
	group := p.by.number(e)
	p.periods[period].actors.add(group, actor)
	p.periods[period].events.add(group, 0)
}

func (p *presence) size() int {
	n := p.by.size()
	for _, a := range p.periods {
		n += a.actors.size() + a.events.size()
	}
	return n
}

// top lists the values with the most actors, then with the most events.
func (p *presence) top(limit int) Value {
	now := p.periods[0]
	ranked := p.by.ranked(p.by.met, func(group uint32) amount { return countAmount(now.actors.of(group)) })
	slices.SortStableFunc(ranked, func(a, b group) int {
		return cmp.Or(b.total.compare(a.total), cmp.Compare(now.events.of(b.number), now.events.of(a.number)))
	})
	ranked = ranked[:min(limit, len(ranked))]
	rows := make([]Value, len(ranked))
	for i, g := range ranked {
		row := append([]Member{{string(p.column), p.by.show(nil, g.values)[0]}}, now.members(g.number)...)
		if len(p.periods) > 1 {
			row = append(row, Member{"previous", Object(p.periods[1].members(g.number)...)})
		}
		rows[i] = Object(row...)
	}
	return List(rows)
}

func (a attendance) members(group uint32) []Member {
	return []Member{{"actors", Int(a.actors.of(group))}, {"events", Int(a.events.of(group))}}
}
