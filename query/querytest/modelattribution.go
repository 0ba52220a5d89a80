package querytest

import (
	"encoding/json"
	"math/big"
	"slices"
	"sort"
	"strings"

	"millimetric/index/event"
	"millimetric/query"
)

// isStep tells whether an event is one of those that a step names.
func isStep(e event.Event, s query.Step) bool {
	if len(s.AnyOf) > 0 {
		return slices.ContainsFunc(s.AnyOf, func(one query.Step) bool { return isStep(e, one) })
	}
	return e.Name == s.Event && holdsAll(e, nil, s.Filters)
}

// aTouch is the touch of a visit.
type aTouch struct {
	event acted
	group string // its values as JSON, joined
}

// worth is a number of conversions and their value.
type worth struct{ conversions, value *big.Rat }

func zero() worth { return worth{new(big.Rat), new(big.Rat)} }

func (w worth) add(share *big.Rat, of worth) {
	w.conversions.Add(w.conversions, new(big.Rat).Mul(share, of.conversions))
	w.value.Add(w.value, new(big.Rat).Mul(share, of.value))
}

func (w worth) json() raw {
	return raw(object("conversions", raw(roundedText(w.conversions, 6)), "value", raw(roundedText(w.value, 6))))
}

var whole = big.NewRat(1, 1)

// aConversion is a conversion with its touches.
type aConversion struct {
	worth   worth
	touches []aTouch
}

// credits is what the models give the groups of one period, and what there is to give.
type credits struct {
	total, unattributed worth
	missing             int
	got                 []map[string]worth // by model
}

func (m Model) credits(q *query.Attribution) credits {
	c := credits{total: zero(), unattributed: zero()}
	var conversions, credited []aConversion
	conversions, c.missing = m.conversions(q)
	for _, one := range conversions {
		c.total.add(whole, one.worth)
		if len(one.touches) == 0 {
			c.unattributed.add(whole, one.worth)
		} else {
			credited = append(credited, one)
		}
	}
	for _, model := range q.Models {
		if model == query.ModelDataDriven {
			c.got = append(c.got, m.dataDriven(q, credited))
		} else {
			c.got = append(c.got, creditOf(q, model, credited))
		}
	}
	return c
}

func (m Model) attribution(q *query.Attribution, asOf event.Seq) string {
	periods := []credits{m.credits(q)}
	if q.Compare {
		before := *q
		before.From, before.To = m.previous(&q.Common)
		periods = append(periods, m.credits(&before))
	}
	totals := func(c credits) []any {
		return []any{"conversions", raw(roundedText(c.total.conversions, 6)), "value", raw(roundedText(c.total.value, 6)), "missing_value", c.missing}
	}
	none := func(c credits) []any {
		return []any{"conversions", raw(roundedText(c.unattributed.conversions, 6)), "value", raw(roundedText(c.unattributed.value, 6))}
	}
	return creditRows(q, periods, asOf) + `,"totals":` + withPrevious(periods, totals) + `,"unattributed":` + withPrevious(periods, none)
}

// withPrevious makes an object of the members of the first period, with those of the second, if there is
// one, nested in it.
func withPrevious[T any](periods []T, members func(T) []any) string {
	all := members(periods[0])
	if len(periods) > 1 {
		all = append(all, "previous", raw(object(members(periods[1])...)))
	}
	return object(all...)
}

// creditRows are the groups that any model gives credit to.
func creditRows(q *query.Attribution, periods []credits, asOf event.Seq) string {
	var groups []string
	for _, c := range periods {
		for _, of := range c.got {
			for group, w := range of {
				if w.conversions.Sign() > 0 && !slices.Contains(groups, group) {
					groups = append(groups, group)
				}
			}
		}
	}
	first := func(group string) *big.Rat {
		if w, ok := periods[0].got[0][group]; ok {
			return number(roundedText(w.conversions, 6)) // what is shown decides the order
		}
		return new(big.Rat)
	}
	sort.Slice(groups, func(i, j int) bool {
		if order := first(groups[i]).Cmp(first(groups[j])); order != 0 {
			return order > 0
		}
		return valuesBefore(valuesIn(groups[i]), valuesIn(groups[j]))
	})
	// of adds up what some groups got.
	of := func(some ...string) func(credits) []any {
		return func(c credits) []any {
			var members []any
			for i, model := range q.Models {
				sum := zero()
				for _, group := range some {
					if w, ok := c.got[i][group]; ok {
						sum.add(whole, w)
					}
				}
				members = append(members, string(model), sum.json())
			}
			return members
		}
	}
	var rows []string
	start := min(q.Page.Skip, len(groups))
	end := min(start+q.Limit, len(groups))
	for _, group := range groups[start:end] {
		var row []any
		for i, d := range q.GroupBy {
			row = append(row, d.Name, raw(valuesIn(group)[i]))
		}
		rest := withPrevious(periods, of(group))
		rows = append(rows, strings.TrimSuffix(object(row...), "}")+","+rest[1:])
	}
	if end == len(groups) {
		return list(rows)
	}
	return list(rows) + cut(&q.Common, asOf, end, len(groups), withPrevious(periods, of(groups[end:]...)))
}

func valuesIn(group string) []string {
	var values []json.RawMessage
	if err := json.Unmarshal([]byte(group), &values); err != nil {
		panic(err)
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}

// conversions returns those that count, each with its touches, and how many of them lack a value.
func (m Model) conversions(q *query.Attribution) (list []aConversion, missing int) {
	events := m.seen(&q.Common)
	touches := touchesOf(q, events)
	for i, e := range events {
		same := func(other acted) bool { return other.actor == e.actor && converts(q, other.Event) }
		if !converts(q, e.Event) ||
			q.Count == query.CountFirst && slices.ContainsFunc(events[:i], same) ||
			q.Count == query.CountLast && slices.ContainsFunc(events[i+1:], same) {
			continue
		}
		c := aConversion{worth: worth{whole, whole}}
		if q.Value != "" {
			if c.worth.value = numberIn(e.Event, q.Value); c.worth.value == nil {
				c.worth.value = new(big.Rat)
				missing++
			}
		}
		for _, t := range touches {
			late := e.Before(&t.event.Event)
			old := q.Lookback != 0 && e.Time.Std().Sub(t.event.Time.Std()) > q.Lookback
			if t.event.actor == e.actor && !late && !old {
				c.touches = append(c.touches, t)
			}
		}
		list = append(list, c)
	}
	return list, missing
}

func converts(q *query.Attribution, e event.Event) bool {
	return e.Time >= q.From && e.Time < q.To && holdsAll(e, nil, q.Filters) && isStep(e, q.Conversion)
}

// touchesOf returns all touches that aren't dropped, in their order.
func touchesOf(q *query.Attribution, events []acted) []aTouch {
	var touches []aTouch
	for _, v := range visitsOf(events) {
		at := slices.IndexFunc(v.events, func(e event.Event) bool { return e.URL != "" || e.Referrer != "" })
		if at < 0 {
			continue
		}
		e := acted{v.events[at], v.actor}
		if e.Source == "internal" || !holdsAll(e.Event, nil, q.TouchFilters) {
			continue
		}
		if e.Source == "direct" && e.SessionDerived && sinceEventBefore(events, e) < 30*60*1000 {
			continue
		}
		var values []string
		for _, d := range q.GroupBy {
			values = append(values, keyOf(d, e.Event, v))
		}
		touches = append(touches, aTouch{event: e, group: list(values)})
	}
	sort.Slice(touches, func(i, j int) bool { return touches[i].event.Before(&touches[j].event.Event) })
	return touches
}

// sinceEventBefore returns how many milliseconds lie between an event and its actor's event before it.
func sinceEventBefore(events []acted, e acted) event.Time {
	since := event.TimeMax
	for _, other := range events {
		if other.actor == e.actor && other.Before(&e.Event) {
			since = e.Time - other.Time
		}
	}
	return since
}

// creditOf shares out each conversion by a model.
func creditOf(q *query.Attribution, model query.CreditModel, conversions []aConversion) map[string]worth {
	got := map[string]worth{}
	for _, c := range conversions {
		give := func(t aTouch, share *big.Rat) {
			if _, ok := got[t.group]; !ok {
				got[t.group] = zero()
			}
			got[t.group].add(share, c.worth)
		}
		n := len(c.touches)
		switch model {
		case query.ModelFirst:
			give(c.touches[0], whole)
		case query.ModelLast:
			give(c.touches[n-1], whole)
		case query.ModelLastNonDirect:
			chosen := c.touches[n-1]
			for _, t := range c.touches {
				if t.event.Source != "direct" {
					chosen = t
				}
			}
			give(chosen, whole)
		case query.ModelParticipation:
			met := map[string]bool{}
			for _, t := range c.touches {
				if !met[t.group] {
					give(t, whole)
				}
				met[t.group] = true
			}
		default:
			weights := weightsOf(q, model, c)
			sum := new(big.Rat)
			for _, w := range weights {
				sum.Add(sum, w)
			}
			for i, t := range c.touches {
				give(t, new(big.Rat).Quo(weights[i], sum))
			}
		}
	}
	return got
}

// weightsOf returns the weights of a conversion's touches, of which only the proportions matter.
func weightsOf(q *query.Attribution, model query.CreditModel, c aConversion) []*big.Rat {
	n := len(c.touches)
	var weights []*big.Rat
	for i, t := range c.touches {
		w := big.NewRat(1, 1)
		switch {
		case model == query.ModelPosition && n > 2 && (i == 0 || i == n-1):
			w = big.NewRat(40, 100)
		case model == query.ModelPosition && n > 2:
			w = big.NewRat(20, 100*int64(n-2))
		case model == query.ModelTimeDecay:
			// Ages against the newest touch have the same proportions as ages against the conversion.
			w = halved(int64(c.touches[n-1].event.Time-t.event.Time), q.HalfLife.Milliseconds())
		}
		weights = append(weights, w)
	}
	return weights
}

// halved returns 2^(-age/half), exactly where that is a power of two, else to 300 bits, by the series
// of exp(-x·ln 2) for the part of a half-life that is left over.
func halved(age, half int64) *big.Rat {
	const bits = 300
	x := new(big.Float).SetPrec(bits).Quo(new(big.Float).SetPrec(bits).SetInt64(age%half), new(big.Float).SetPrec(bits).SetInt64(half))
	x.Mul(x, ln2(bits))
	sum := new(big.Float).SetPrec(bits).SetInt64(1)
	term := new(big.Float).SetPrec(bits).SetInt64(1)
	for k := int64(1); term.Sign() != 0 && term.MantExp(nil) > -bits; k++ {
		term.Mul(term, x)
		term.Quo(term, new(big.Float).SetPrec(bits).SetInt64(-k))
		sum.Add(sum, term)
	}
	// What is halved a thousand times shows in no answer, but it is still more than nothing.
	sum.SetMantExp(sum, -int(min(age/half, 1000)))
	exact, _ := sum.Rat(nil)
	return exact
}

// ln2 is the sum of 1/(k·2^k).
func ln2(bits uint) *big.Float {
	sum := new(big.Float).SetPrec(bits)
	for k := int64(1); k <= int64(bits); k++ {
		term := new(big.Float).SetPrec(bits).Quo(new(big.Float).SetPrec(bits).SetInt64(1), new(big.Float).SetPrec(bits).SetInt64(k))
		sum.Add(sum, term.SetMantExp(term, -int(k)))
	}
	return sum
}
