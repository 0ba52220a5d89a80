package query

import "millimetric/index/event"

// beside shows the cohorts with those of the previous period that stand at the same places among the
// buckets of theirs. A place at which neither period has a cohort has no row.
func (c *cohorts) beside(before *cohorts, clock event.Time) (Value, error) {
	nows, ok := Buckets(c.q.Period, c.q.Zone, c.q.From, c.q.To)
	thens, okThen := Buckets(c.q.Period, c.q.Zone, before.q.From, before.q.To)
	if !ok || !okThen {
		return Value{}, tooManyBuckets()
	}
	if c.q.leftoverLast(len(nows), len(thens), nows[0], thens[0]) {
		thens = append(thens[1:], thens[0])
	}
	var values []Value
	for place := range max(len(nows), len(thens)) {
		now, then := c.at(nows, place), before.at(thens, place)
		if now.size+then.size == 0 {
			continue
		}
		row := append(c.members(now, clock), Member{"previous", Object(before.members(then, clock)...)})
		values = append(values, Object(row...))
	}
	return List(values), nil
}

// at returns the cohort at a place: an empty one where nobody was born, and one without periods where
// there is no such place.
func (c *cohorts) at(starts []event.Time, place int) *cohort {
	if place >= len(starts) {
		return &cohort{came: make([]int64, c.q.Periods)}
	}
	if in := c.of[starts[place]]; in != nil {
		return in
	}
	return &cohort{starts: c.starts(starts[place]), came: make([]int64, c.q.Periods)}
}
