package query

import (
	"time"

	"millimetric/index/event"
)

// compare reads whether rows are to be compared with those of the previous period.
func (r *reader) compare() bool {
	_, sent := r.take("compare")
	if sent {
		r.choice("compare", comparePrevious)
	}
	return sent
}

const comparePrevious = "previous_period"

func compareSettings(c *Common, compare bool) []Member {
	if !compare {
		return []Member{{"compare", Value{}}}
	}
	from, _ := c.Previous()
	return []Member{{"compare", Text(comparePrevious)}, {"previous_from", Text(timeText(from))}}
}

// Previous returns the period of the same length right before the range. Where the range is whole
// months of its time zone, the period is as many calendar months.
func (c *Common) Previous() (from, to event.Time) {
	first, last := c.From.Std().In(c.Zone), c.To.Std().In(c.Zone)
	if monthStart(first) == c.From && monthStart(last) == c.To {
		months := 12*(last.Year()-first.Year()) + int(last.Month()-first.Month())
		return event.TimeOf(event.CivilStart(first.Year(), first.Month()-time.Month(months), 1, 0, c.Zone)), c.From
	}
	return c.From - (c.To - c.From), c.From
}

// leftoverLast reports whether the first bucket of the previous period has to stand last: where clocks were set back
// in a range of whole days, the period before begins an hour earlier and so has the rest of a day in front of as
// many days. Buckets stand beside each other by their places, and with that rest in front, each day would
// stand beside one that is a day too early.
func (c *Common) leftoverLast(nows, thens int, firstNow, firstThen event.Time) bool {
	from, _ := c.Previous()
	return thens == nows+1 && firstNow == c.From && firstThen < from
}

// monthStart returns the first moment of a moment's month.
func monthStart(t time.Time) event.Time {
	return event.TimeOf(event.CivilStart(t.Year(), t.Month(), 1, 0, t.Location()))
}

// during asks something of another range than that of the question. What was found out before stays in
// memory beside it: that many entries of tables.
func (r *run) during(c *Common, held int, ask func() error) error {
	common := r.common
	r.common, r.held = c, r.held+held
	err := ask()
	r.common, r.held = common, r.held-held
	return err
}
