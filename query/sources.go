package query

import "millimetric/index/event"

const (
	sourcesLimit    = 50
	sourcesLimitMax = 200
)

// The breakdowns of Sources.
const (
	breakdownSourceMedium = "source_medium"
	breakdownSource       = "source"
)

// mediumPaid is the medium of everything that was paid for.
const mediumPaid = "paid"

// Sources asks where events came from.
type Sources struct {
	Common
	Breakdown string // source_medium or source
	Compare   bool   // each row has what was in the previous period
	Limit     int
}

func parseSources(r *reader) Question {
	return &Sources{
		Common:    r.common(),
		Breakdown: r.choice("breakdown", breakdownSourceMedium, breakdownSource),
		Compare:   r.compare(),
		Limit:     r.limit("limit", sourcesLimit, sourcesLimitMax),
	}
}

func (q *Sources) own() []Member {
	members := append([]Member{{"breakdown", Text(q.Breakdown)}}, compareSettings(&q.Common, q.Compare)...)
	return append(members, Member{"limit", Int(int64(q.Limit))})
}

// Columns are the columns that the question breaks down by.
func (q *Sources) Columns() []event.Column {
	if q.Breakdown == breakdownSource {
		return []event.Column{event.ColumnSource}
	}
	return []event.Column{event.ColumnSource, event.ColumnMedium}
}

// origins is what is counted of one period, per group.
type origins struct {
	events, uniques, paid *tally
}

func (o *origins) size() int { return o.events.size() + o.uniques.size() + o.paid.size() }

// members are what a row has beside its group.
func (o *origins) members(group uint32) []Member {
	events := o.events.of(group)
	return []Member{{"events", Int(events)}, {"uniques", Int(o.uniques.of(group))}, {"paid_share", Ratio(o.paid.of(group), events)}}
}

// gather counts each period's events of some groups, in groups by the columns; among is nil for all.
func (q *Sources) gather(r *run, by *groups, among *remainder) (periods []*origins, err error) {
	ranges := [][2]event.Time{{q.From, q.To}}
	if q.Compare {
		from, to := q.Previous()
		ranges = append(ranges, [2]event.Time{from, to})
	}
	who, err := r.actors()
	if err != nil {
		return nil, err
	}
	size := func() int {
		n := by.size() + who.size()
		for _, o := range periods {
			n += o.size()
		}
		return n
	}
	for _, span := range ranges {
		o := &origins{events: newTally(false), uniques: newTally(true), paid: newTally(false)}
		periods = append(periods, o)
		if q.Actor == "" || q.Actor == ActorVisitor {
			c := &counter{groups: by, among: among, events: o.events, paid: o.paid, uniques: o.uniques}
			if err := c.count(r, span[0], span[1], nil, size); err != nil {
				return nil, err
			}
			continue
		}
		err := r.scanRange(span[0], span[1], nil, size, func(e *scanRow) {
			if among != nil && !among.has(e) {
				return
			}
			group := by.number(e)
			o.events.add(group, 0)
			if actor, ok := who.number(e); ok {
				o.uniques.add(group, actor)
			}
			if e.text(colMedium) == mediumPaid {
				o.paid.add(group, 0)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return periods, nil
}

// row is what all periods have of a group: the first one's members, and the second's in one more.
func row(periods []*origins, group uint32) []Member {
	members := periods[0].members(group)
	if len(periods) > 1 {
		members = append(members, Member{"previous", Object(periods[1].members(group)...)})
	}
	return members
}

func (q *Sources) answer(r *run) (*Answer, error) {
	by := newGroups(q.Columns())
	periods, err := q.gather(r, by, nil)
	if err != nil {
		return nil, err
	}
	ranked := by.ranked(q.Page.Skip+q.Limit, func(group uint32) amount { return countAmount(periods[0].events.of(group)) })
	shown, end := q.page(ranked, q.Limit)
	answer := &Answer{Head: []Member{{"breakdown", Text(q.Breakdown)}}, Columns: names(q.Columns()), Left: len(ranked) - end}
	for _, m := range row(periods, 0) {
		answer.Columns = append(answer.Columns, m.Name)
	}
	for _, g := range shown {
		values := by.show(nil, g.values)
		for _, m := range row(periods, g.number) {
			values = append(values, m.Value)
		}
		answer.Rows = append(answer.Rows, values)
	}
	if q.Explain && end < len(ranked) {
		whole, err := q.gather(r, newGroups(nil), &remainder{by, rest(ranked, end)})
		if err != nil {
			return nil, err
		}
		answer.Cut = r.cut(ranked, end, Object(row(whole, 0)...))
	}
	return answer, nil
}
