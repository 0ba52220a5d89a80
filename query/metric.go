package query

import (
	"slices"
	"strconv"
	"strings"
)

// Metric says what Stats makes of the events of a group.
type Metric string

// The metrics. Those after MetricUniques are over a property: events whose property is no number
// are left out.
const (
	MetricCount   Metric = "count"
	MetricUniques Metric = "uniques"
	MetricSum     Metric = "sum"
	MetricAvg     Metric = "avg"
	MetricMin     Metric = "min"
	MetricMax     Metric = "max"
	MetricP50     Metric = "p50"
	MetricP90     Metric = "p90"
	MetricP95     Metric = "p95"
	MetricP99     Metric = "p99"
)

func numericMetrics() []Metric {
	return []Metric{MetricSum, MetricAvg, MetricMin, MetricMax, MetricP50, MetricP90, MetricP95, MetricP99}
}

// metric reads a metric such as count or sum(amount). "properties." before the name is optional.
func (r *reader) metric(name string) (metric Metric, property string) {
	text, sent := r.text(name)
	if !sent || text == string(MetricCount) {
		return MetricCount, ""
	}
	if text == string(MetricUniques) {
		return MetricUniques, ""
	}
	word, rest, _ := strings.Cut(text, "(")
	property, closed := strings.CutSuffix(rest, ")")
	property = strings.TrimPrefix(property, propertyPrefix)
	if !slices.Contains(numericMetrics(), Metric(word)) || !closed || property == "" || len(property) > propertyNameMax {
		words := []string{string(MetricCount), string(MetricUniques)}
		for _, m := range numericMetrics() {
			words = append(words, string(m)+"(p)")
		}
		r.errs.Add(name, "Must be one of: "+strings.Join(words, ", ")+", where p is the name of a property")
		return MetricCount, ""
	}
	return Metric(word), property
}

// spelled is the metric as it is sent, without "properties.".
func (m Metric) spelled(property string) string {
	if property == "" {
		return string(m)
	}
	return string(m) + "(" + property + ")"
}

// sample is what a metric needs of an event.
type sample struct {
	actor  uint32
	number amount
}

// sampler returns what takes samples of events into s; it returns false for the events that the
// metric leaves out. It is not safe for concurrent use.
func (m Metric) sampler(property string, who *actors, s *sample) predicate {
	switch {
	case m == MetricUniques:
		return func(e *scanRow) (ok bool) {
			s.actor, ok = who.number(e)
			return ok
		}
	case property == "":
		return func(*scanRow) bool { return true }
	}
	find := newPropertyReader(property).of
	var d decimal
	return func(e *scanRow) (ok bool) {
		text := find(e)
		if text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
			return false
		}
		d.read(text)
		s.number, ok = d.amount()
		return ok
	}
}

// measure works a metric out for each of some dense numbers.
type measure interface {
	add(number uint32, s *sample)
	// of returns the value of a number; where it was never added to, that of no events.
	of(number uint32) amount
	size() int
}

func (m Metric) measure() measure {
	switch m {
	case MetricCount:
		return counting{newTally(false)}
	case MetricUniques:
		return counting{newTally(true)}
	case MetricSum, MetricAvg:
		return &sums{average: m == MetricAvg}
	case MetricMin:
		return &extremes{sign: -1}
	case MetricMax:
		return &extremes{sign: 1}
	}
	percent, err := strconv.Atoi(string(m[1:]))
	if err != nil {
		panic("measure " + string(m) + ", which is no metric")
	}
	return &percentiles{percent: percent}
}

// counting is a tally as a measure.
type counting struct{ *tally }

func (c counting) add(number uint32, s *sample) { c.tally.add(number, s.actor) }
func (c counting) of(number uint32) amount      { return countAmount(c.tally.of(number)) }

// at returns the place of a number in a list, which grows to have it.
func at[T any](list *[]T, number uint32) *T {
	for int(number) >= len(*list) {
		var zero T
		*list = append(*list, zero)
	}
	return &(*list)[number]
}

type sums struct {
	average bool
	totals  []total
}

func (m *sums) add(number uint32, s *sample) { at(&m.totals, number).add(s.number) }

func (m *sums) of(number uint32) amount {
	var t total
	if int(number) < len(m.totals) {
		t = m.totals[number]
	}
	if m.average {
		return t.average()
	}
	return t.sum()
}

func (m *sums) size() int { return len(m.totals) }

// extremes keeps the least (sign -1) or the greatest number of each.
type extremes struct {
	sign int
	met  []bool
	best []amount
}

func (m *extremes) add(number uint32, s *sample) {
	met, best := at(&m.met, number), at(&m.best, number)
	if !*met || s.number.compare(*best) == m.sign {
		*met, *best = true, s.number
	}
}

func (m *extremes) of(number uint32) amount {
	if int(number) >= len(m.met) || !m.met[number] {
		return amount{null: true}
	}
	return m.best[number]
}

func (m *extremes) size() int { return len(m.best) }

// percentiles keeps all numbers: an exact percentile can't be had for less.
type percentiles struct {
	percent int
	numbers [][]amount
	held    int
}

// wideWeight is how many bytes of a number's text weigh as much as an entry of a table.
const wideWeight = 32

func (m *percentiles) add(number uint32, s *sample) {
	list := at(&m.numbers, number)
	*list = append(*list, s.number)
	m.held += 1 + len(s.number.wide)/wideWeight
}

// of returns the nearest rank: the least number that at least so many percent don't exceed.
func (m *percentiles) of(number uint32) amount {
	if int(number) >= len(m.numbers) || len(m.numbers[number]) == 0 {
		return amount{null: true}
	}
	list := m.numbers[number]
	slices.SortFunc(list, amount.compare)
	return list[(m.percent*len(list)+99)/100-1]
}

func (m *percentiles) size() int { return m.held + len(m.numbers) }
