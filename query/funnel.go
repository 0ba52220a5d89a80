package query

import (
	"slices"
	"strconv"
	"time"

	"millimetric/index/event"
)

// Limits of one funnel.
const (
	stepsMin = 2  // one step is a count
	stepsMax = 32 // the steps that an event may serve are the bits of one word
	// exclusionsMax is as many as there are bits in a word, too.
	exclusionsMax = 32
	holdMax       = 8 // fields; each is read of every event that may serve a step

	funnelLimit    = 50
	funnelLimitMax = 1000
	windowDefault  = 7 * 24 * time.Hour
)

// Order says how the steps of a funnel follow each other.
type Order string

// The orders. OrderOrdered is the default.
const (
	OrderOrdered Order = "ordered" // anything may happen between two steps
	OrderStrict  Order = "strict"  // nothing may
	OrderAny     Order = "any"     // the steps may come in any order
)

// The maturities of Funnel.
const (
	maturityAll    = "all"
	maturityMature = "mature"
)

// Funnel asks how far actors get through some steps. Its Filters hold for the events of all steps.
type Funnel struct {
	Common
	Steps     []FunnelStep
	Window    time.Duration // from an attempt's first event
	Order     Order
	Exclude   []Exclusion
	Hold      []Field
	Breakdown *Field
	Mature    bool // only attempts that began at least one window ago
	List      *ActorList
	Compare   bool // each step has what was in the previous period
	Limit     int  // of groups, and of listed actors
}

// FunnelStep is one step; Within is the longest time since the step before, 0 for no limit.
type FunnelStep struct {
	Step
	Within time.Duration
}

// Exclusion is a step that ends an attempt which has taken step After and not yet step Before. Steps
// are counted from 1.
type Exclusion struct {
	Step
	After, Before int
}

// ActorList asks for the actors who reached a step, or dropped out after it.
type ActorList struct {
	Dropped bool
	Step    int
}

func parseFunnel(r *reader) Question {
	q := &Funnel{Common: r.common()}
	q.Explain = true
	q.Order = Order(r.choice("order", string(OrderOrdered), string(OrderStrict), string(OrderAny)))
	q.Steps = r.funnelSteps(q)
	q.Window = r.positive("window", windowDefault)
	q.Exclude = r.exclusions(q)
	q.Hold = r.hold(q)
	if name, ok := r.text("breakdown"); ok {
		f, known := fieldOf(name, true)
		if !known {
			r.errs.Add("breakdown", "Unknown field; expected a column or properties.<name>, alone or after first_touch.")
		}
		q.Breakdown = &f
	}
	q.Mature = r.choice("maturity", maturityAll, maturityMature) == maturityMature
	q.clocked = q.Mature
	q.List = r.actorList(len(q.Steps))
	q.Compare = r.compare()
	q.Limit = r.limit("limit", funnelLimit, funnelLimitMax)
	return q
}

// funnelSteps reads steps, or the names of events one by one.
func (r *reader) funnelSteps(q *Funnel) []FunnelStep {
	var steps []FunnelStep
	names, named := r.words(paramRepeated)
	if !named {
		r.each("steps", stepsMin, stepsMax, func(n *reader) {
			s := FunnelStep{Step: n.step(&q.Common), Within: n.positive("within", 0)}
			switch {
			case s.Within != 0 && len(steps) == 0:
				n.errs.Add("within", "Doesn't go with the first step: there is none before it")
			case s.Within != 0 && q.Order == OrderAny:
				n.errs.Add("within", "Doesn't go with order any")
			}
			steps = append(steps, s)
		})
		return steps
	}
	if _, both := r.take("steps"); both {
		r.errs.Add(paramRepeated, "Must not stand beside steps")
	}
	if len(names) < stepsMin || len(names) > stepsMax {
		r.errs.Add(paramRepeated, "Must have "+strconv.Itoa(stepsMin)+" to "+strconv.Itoa(stepsMax)+" elements")
	}
	for _, name := range names {
		steps = append(steps, FunnelStep{Step: Step{Name: name, Event: name}})
	}
	return steps
}

// positive reads a length of time that mustn't be nothing.
func (r *reader) positive(name string, preset time.Duration) time.Duration {
	d, sent := r.duration(name)
	if !sent {
		return preset
	}
	if d == 0 {
		r.errs.Add(name, "Must be longer than 0")
	}
	return d
}

func (r *reader) exclusions(q *Funnel) []Exclusion {
	var list []Exclusion
	most := max(len(q.Steps), stepsMin)
	r.each("exclude", 0, exclusionsMax, func(n *reader) {
		x := Exclusion{Step: n.step(&q.Common), After: n.limit("after", 1, most-1), Before: n.limit("before", most, most)}
		if x.After >= x.Before && len(n.errs["before"]) == 0 {
			n.errs.Add("before", "Must be later than after")
		}
		list = append(list, x)
	})
	if q.Order == OrderAny && len(list) > 0 {
		r.errs.Add("exclude", "Doesn't go with order any")
	}
	return list
}

func (r *reader) hold(q *Funnel) []Field {
	var fields []Field
	for _, name := range r.list("hold") {
		f, known := fieldOf(name, false)
		switch {
		case !known:
			r.errs.Add("hold", "Unknown field; expected columns or properties.<name>")
		case slices.Contains(fields, f):
			r.errs.Add("hold", "Names "+name+" twice")
		}
		fields = append(fields, f)
	}
	switch {
	case len(fields) > holdMax:
		r.errs.Add("hold", "Too many fields; at most "+strconv.Itoa(holdMax))
	case len(fields) > 0 && q.Order == OrderAny:
		r.errs.Add("hold", "Doesn't go with order any")
	}
	return fields
}

// actorList reads {"reached": k} or {"dropped": k}.
func (r *reader) actorList(steps int) *ActorList {
	var list *ActorList
	steps = max(steps, stepsMin)
	r.object("list", func(n *reader) {
		_, reached := n.take("reached")
		_, dropped := n.take("dropped")
		switch {
		case reached == dropped:
			n.errs.Add("reached", "Must stand alone or be replaced by dropped")
		case reached:
			list = &ActorList{Step: n.limit("reached", 1, steps)}
		default:
			list = &ActorList{Dropped: true, Step: n.limit("dropped", 1, steps-1)}
		}
	})
	return list
}

func (q *Funnel) own() []Member {
	steps := make([]Value, len(q.Steps))
	for i := range q.Steps {
		steps[i] = q.Steps[i].setting(Member{"within", durationOrNull(q.Steps[i].Within)})
	}
	exclude := make([]Value, len(q.Exclude))
	for i := range q.Exclude {
		x := &q.Exclude[i]
		exclude[i] = x.setting(Member{"after", Int(int64(x.After))}, Member{"before", Int(int64(x.Before))})
	}
	hold := make([]string, len(q.Hold))
	for i, f := range q.Hold {
		hold[i] = f.String()
	}
	breakdown, maturity, list := Value{}, maturityAll, Value{}
	if q.Breakdown != nil {
		breakdown = Text(q.Breakdown.String())
	}
	if q.Mature {
		maturity = maturityMature
	}
	if q.List != nil {
		verb := "reached"
		if q.List.Dropped {
			verb = "dropped"
		}
		list = Object(Member{verb, Int(int64(q.List.Step))})
	}
	members := []Member{
		{"steps", List(steps)}, {"window", Text(durationText(q.Window))}, {"order", Text(string(q.Order))},
		{"exclude", List(exclude)}, {"hold", Texts(hold)}, {"breakdown", breakdown},
		{"maturity", Text(maturity)}, {"list", list},
	}
	members = append(members, compareSettings(&q.Common, q.Compare)...)
	return append(members, Member{"limit", Int(int64(q.Limit))})
}

func durationOrNull(d time.Duration) Value {
	if d == 0 {
		return Value{}
	}
	return Text(durationText(d))
}

func (q *Funnel) answer(r *run) (*Answer, error) {
	clock, err := r.clock()
	if err != nil {
		return nil, err
	}
	q.Now = clock
	now, err := q.measure(r, clock)
	if err != nil {
		return nil, err
	}
	if !q.Compare {
		return now.answer(r, nil)
	}
	past := *q
	past.From, past.To = q.Previous()
	past.List = nil // who is listed was there in the range
	var before *funnelResult
	err = r.during(&past.Common, now.size(), func() error {
		before, err = past.measure(r, clock)
		return err
	})
	if err != nil {
		return nil, err
	}
	return now.answer(r, before)
}

// measure finds out how far actors got whose attempts began in the question's range.
func (q *Funnel) measure(r *run, clock event.Time) (*funnelResult, error) {
	see := newSight(q, clock)
	result := newFunnelResult(q, see)
	r.reads(see.scanFrom, see.scanTo)
	if q.Actor == ActorVisitor && !see.entries {
		return result, newFunnelBlocks(r, q, see, result).count()
	}
	return result, q.follow(r, see, result)
}

// follow follows actors whose events lie anywhere.
func (q *Funnel) follow(r *run, see *sight, result *funnelResult) error {
	lines, err := gather(r, gathering[funnelMark]{
		from: see.scanFrom, to: see.scanTo,
		keep: see.mark, order: compareMarks, weight: 1, size: see.size,
	})
	if err != nil {
		return err
	}
	flow := newFlow(q)
	looked := 0
	for i := range lines {
		marks := lines[i].events
		if looked += len(marks) + 1; looked >= lookEvery {
			looked = 0
			if err := r.overBudget(see.size() + result.size()); err != nil {
				return err
			}
		}
		touch := see.firstTouch(marks)
		if trail := flow.best(marks); trail != nil {
			result.add(flow.marks, trail, touch)
		}
		lines[i].events = nil
	}
	return nil
}
