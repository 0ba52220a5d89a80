package query

import (
	"slices"

	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// A segment of which all rows are wanted, but in several buckets of time, is walked once: what each bucket
// holds is remembered. The same serves a range that ends within a segment, if it ends between buckets.

// partsMax is how many buckets of a segment are told apart: days of two months.
const partsMax = 62

// stretch is a bucket of time, and who counts in it.
type stretch struct {
	from, to event.Time
	people   counted
}

// partsOf returns what a segment holds, by the buckets of a calendar that lie in the range of a pass; ok is
// false where that doesn't go. The visitors are left out unless they are asked for.
func (r *run) partsOf(p *pass, s *sealed, c *calendar, visitors bool) (parts []stretch, ok bool, err error) {
	kind := memoRows
	if visitors {
		kind = memoVisitors
	}
	return r.partsNamed(p, s, c, kind, "", nil)
}

// partsNamed does so for the events of a name that a test holds of, or for all where there is none.
func (r *run) partsNamed(p *pass, s *sealed, c *calendar, kind memoKind, event string, test *columnTest) (parts []stretch, ok bool, err error) {
	_, greatest := s.segment.SeqRange()
	if r.common.Memo == nil || greatest > r.asOf || s.segment.Hides() || p.wants.others != nil {
		return nil, false, nil
	}
	for _, t := range p.wants.tests {
		if own, err := t.open(s); err != nil || !own.all {
			return nil, false, err
		}
	}
	empty, ok := emptyParts(p, s, c)
	if !ok {
		return nil, false, nil
	}
	name := string(c.interval) + " " + c.zone.String() + " " + event
	found, ok, err := remembered(r, s, kind, name, func() (counted, bool, error) {
		err := r.fillParts(p, s, empty, kind != memoRows, test)
		return counted{parts: empty}, err == nil, err
	})
	if err != nil || !ok {
		return nil, false, err
	}
	// Zones of one name may differ, so buckets are held against each other.
	same := slices.EqualFunc(found.parts, empty, func(a, b stretch) bool { return a.from == b.from && a.to == b.to })
	inRange := slices.Clone(found.parts)
	inRange = slices.DeleteFunc(inRange, func(own stretch) bool { return own.from < p.from || own.to > p.to || own.people.rows == 0 })
	return inRange, same, nil
}

// emptyParts returns the buckets that a segment touches; ok is false where the range cuts one of them, or
// where they are too many.
func emptyParts(p *pass, s *sealed, c *calendar) (parts []stretch, ok bool) {
	first, last := s.segment.TimeRange()
	for at := first; at <= last; {
		own := stretch{}
		own.from, own.to = c.bounds(at)
		cut := own.from < p.from && p.from < own.to || own.from < p.to && p.to < own.to
		if cut || len(parts) == partsMax {
			return nil, false
		}
		parts = append(parts, own)
		at = own.to
	}
	return parts, true
}

// fillParts walks a segment.
func (r *run) fillParts(p *pass, s *sealed, parts []stretch, visitors bool, test *columnTest) error {
	lists, met, near := make([]visitorList, len(parts)), 0, 0
	err := r.eachChunk(p, s, func() int { return met / 4 }, func(v *view, chosen []int32) {
		if test != nil {
			chosen = test.choose(v, chosen)
		}
		times := v.timesOf()
		for _, at := range chosen {
			if t := times[at]; t < parts[near].from || t >= parts[near].to {
				near = partAt(parts, t)
			}
			parts[near].people.rows++
			if visitors && lists[near].meet(v.come(int(at))) {
				met++
			}
		}
	})
	if err != nil {
		return err
	}
	for i := range lists {
		if visitors {
			parts[i].people.visitors = bitmap.Of(lists[i].ordinals)
		}
	}
	return nil
}

// partAt returns the number of the part that a time falls in, which there is.
func partAt(parts []stretch, t event.Time) int {
	at, found := slices.BinarySearchFunc(parts, t, func(own stretch, t event.Time) int { return int(own.from - t) })
	if !found {
		at--
	}
	return at
}

// calendarOf returns the calendar by which segments are parted: days where the answer has no buckets.
func (c *counter) calendarOf(r *run) *calendar {
	if c.buckets != nil {
		return c.buckets
	}
	return newCalendar(IntervalDay, r.common.Zone)
}

// parted returns what counts a segment by buckets, where there is one group.
func (c *counter) parted(r *run, p *pass) func(s *sealed) (bool, error) {
	days := c.calendarOf(r)
	return func(s *sealed) (bool, error) {
		parts, ok, err := r.partsOf(p, s, days, false)
		if err != nil || !ok {
			return false, err
		}
		for i := range parts {
			n := parts[i].people.rows
			r.cost.Matched += n
			c.groups.met = 1
			if c.events != nil {
				*at(&c.events.counts, 0) += int64(n)
			}
			if c.buckets != nil {
				*at(&c.parts.counts, c.cells.number(0, c.buckets.number(parts[i].from))) += int64(n)
			}
		}
		return true, nil
	}
}
