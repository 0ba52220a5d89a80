package query

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"time"

	"millimetric/index/event"
)

const (
	periodsDefault = 8
	periodsMax     = 52 // a year of weeks; the periods of an actor are the bits of one word

	// cohortsMax bounds an answer: each cohort has up to 52 cells. Ten years of days are fewer.
	cohortsMax = 4000
)

// The modes of Retention, and where it looks for births.
const (
	modeExact     = "exact"
	modeUnbounded = "unbounded"
	birthRange    = "range"
	birthEver     = "ever"
)

// Retention asks how many of those who began in one period came back in the periods after it. Its
// Filters hold for births and returns.
type Retention struct {
	Common
	Birth, Return Step
	Period        Interval
	Periods       int
	Unbounded     bool // a return counts for the periods before it, too
	BirthEver     bool // the birth is the first ever, not the first of the range
	Compare       bool // each cohort has the one at its place in the previous period
}

func parseRetention(r *reader) Question {
	q := &Retention{Common: r.common()}
	q.Explain = true
	q.Birth = r.namedStep("birth", &q.Common)
	q.Return = r.namedStep("return", &q.Common)
	q.Period = Interval(r.choice("period", string(IntervalDay), string(IntervalWeek), string(IntervalMonth)))
	q.Periods = r.limit("periods", periodsDefault, periodsMax)
	q.Unbounded = r.choice("mode", modeExact, modeUnbounded) == modeUnbounded
	q.BirthEver = r.choice("birth_in", birthRange, birthEver) == birthEver
	q.Compare = r.compare()
	return q
}

// namedStep reads a field that is a step, or, in short, the name of an event.
func (r *reader) namedStep(name string, c *Common) Step {
	f, sent := r.take(name)
	if !sent {
		r.errs.Add(name, "Required")
		return Step{}
	}
	if _, isText := textOf(f.json); isText || f.json == nil && !strings.HasPrefix(f.text, "{") {
		text, _ := r.text(name)
		return Step{Name: text, Event: text}
	}
	var s Step
	r.object(name, func(n *reader) { s = n.step(c) })
	return s
}

func (q *Retention) own() []Member {
	mode, birthIn := modeExact, birthRange
	if q.Unbounded {
		mode = modeUnbounded
	}
	if q.BirthEver {
		birthIn = birthEver
	}
	return append([]Member{
		{"birth", q.Birth.setting()}, {"return", q.Return.setting()}, {"period", Text(string(q.Period))},
		{"periods", Int(int64(q.Periods))}, {"mode", Text(mode)}, {"birth_in", Text(birthIn)},
	}, compareSettings(&q.Common, q.Compare)...)
}

// stay is what a retention keeps of one event.
type stay struct {
	time    event.Time
	seq     event.Seq
	births  bool
	returns bool
}

func compareStays(a, b stay) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq))
}

// cohort is the actors who were born in one bucket.
type cohort struct {
	starts []event.Time // of its periods, and of what comes after the last
	size   int64
	came   []int64 // by period
}

func (q *Retention) answer(r *run) (*Answer, error) {
	clock, err := r.clock()
	if err != nil {
		return nil, err
	}
	now, err := q.measure(r)
	if err != nil {
		return nil, err
	}
	list := now.sorted()
	if !q.Compare {
		values := make([]Value, len(list))
		for i, in := range list {
			values[i] = Object(now.members(in, clock)...)
		}
		return &Answer{Head: []Member{{"cohorts", List(values)}}}, nil
	}
	past := *q
	past.From, past.To = q.Previous()
	var before *cohorts
	err = r.during(&past.Common, len(now.of)*q.Periods, func() error {
		before, err = past.measure(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	value, err := now.beside(before, clock)
	return &Answer{Head: []Member{{"cohorts", value}}}, err
}

// measure finds, per actor, the first birth, and from there on walks the returns once.
func (q *Retention) measure(r *run) (*cohorts, error) {
	c := &cohorts{q: q, calendar: newCalendar(q.Period, q.Zone), of: map[event.Time]*cohort{}}
	from, to := q.From, event.TimeMax+1
	if q.BirthEver {
		from = event.TimeMin
	}
	if !q.Unbounded {
		to = c.starts(q.To - 1)[q.Periods]
	}
	var err error
	if name, ok := q.plainName(); ok {
		err = newRetentionSets(r, q, c, name).count(from, to)
	} else {
		err = c.follow(r, from, to)
	}
	return c, err
}

// follow finds, per actor, the first birth, and from there on walks the returns once.
func (c *cohorts) follow(r *run, from, to event.Time) error {
	q := c.q
	birth, back, filters := q.Birth.matcher(), q.Return.matcher(), compile(q.Filters)
	lines, err := gather(r, gathering[stay]{
		from: from, to: to, order: compareStays, weight: 1,
		size: func() int { return 0 },
		keep: func(e *scanRow) (stay, bool) {
			s := stay{time: e.time, births: e.time < q.To && birth(e), returns: e.time >= q.From && back(e)}
			if !s.births && !s.returns || !filters(e) {
				return s, false
			}
			s.seq = e.seq()
			return s, true
		},
	})
	if err != nil {
		return err
	}
	looked := 0
	for i := range lines {
		if looked += len(lines[i].events) + 1; looked >= lookEvery {
			looked = 0
			if err := r.overBudget(len(c.of) * q.Periods); err != nil {
				return err
			}
		}
		c.add(lines[i].events)
		if len(c.of) > cohortsMax {
			return tooManyCohorts()
		}
	}
	return nil
}

func tooManyCohorts() error {
	return &event.Error{Kind: event.ErrLimit, Code: codeTooLarge, Notes: []string{"Has too many cohorts: narrow from and to, or choose a longer period"}}
}

// cohorts holds the cohorts by the start of their bucket.
type cohorts struct {
	q        *Retention
	calendar *calendar
	of       map[event.Time]*cohort
}

// starts returns the start of the bucket of t, those of the buckets after it, and the end of the
// last period.
func (c *cohorts) starts(t event.Time) []event.Time {
	start, end := c.calendar.bounds(t)
	starts := []event.Time{start}
	for range c.q.Periods {
		starts = append(starts, end)
		_, end = c.calendar.bounds(end)
	}
	return starts
}

// cohort returns the cohort of a birth.
func (c *cohorts) cohort(birth event.Time) *cohort {
	start := c.calendar.starts[c.calendar.number(birth)]
	if c.of[start] == nil {
		c.of[start] = &cohort{starts: c.starts(birth), came: make([]int64, c.q.Periods)}
	}
	return c.of[start]
}

// add counts one actor.
func (c *cohorts) add(stays []stay) {
	born := slices.IndexFunc(stays, func(s stay) bool { return s.births })
	if born < 0 || stays[born].time < c.q.From {
		return // with birth_in=ever, born before the range
	}
	in := c.cohort(stays[born].time)
	in.size++
	for periods := c.periods(in, stays[born:]); periods != 0; periods &= periods - 1 {
		in.came[bits.TrailingZeros64(periods)]++
	}
}

// periods returns the periods in which an actor counts, as bits.
func (c *cohorts) periods(in *cohort, stays []stay) uint64 {
	var periods uint64
	period := 0
	for i := range stays {
		if !stays[i].returns {
			continue
		}
		for period < c.q.Periods && stays[i].time >= in.starts[period+1] {
			period++
		}
		switch {
		case c.q.Unbounded:
			// This period and all before it; a return after the last period counts for every one.
			periods = 1<<min(period+1, c.q.Periods) - 1
		case period < c.q.Periods:
			periods |= 1 << period
		}
	}
	return periods
}

// sorted lists the cohorts, the earliest first.
func (c *cohorts) sorted() []*cohort {
	var list []*cohort
	for _, in := range c.of {
		list = append(list, in)
	}
	slices.SortFunc(list, func(a, b *cohort) int { return cmp.Compare(a.starts[0], b.starts[0]) })
	return list
}

// members shows one cohort; one that has no periods has no date.
func (c *cohorts) members(in *cohort, clock event.Time) []Member {
	date := Value{}
	if in.starts != nil {
		date = Text(in.starts[0].Std().In(c.q.Zone).Format(time.DateOnly))
	}
	cells := make([]Value, c.q.Periods)
	for k := range cells {
		partial := in.starts != nil && in.starts[k+1] > clock
		cells[k] = Object(Member{"k", Int(int64(k))}, Member{"actors", Int(in.came[k])},
			Member{"share", RoundedRatio(in.came[k], in.size)}, Member{"partial", Bool(partial)})
	}
	return []Member{{"cohort", date}, {"size", Int(in.size)}, {"periods", List(cells)}}
}
