package query

import (
	"slices"
	"time"

	"millimetric/index/event"
)

// Interval is the length of a calendar bucket.
type Interval string

// The intervals. IntervalNone is one bucket for all.
const (
	IntervalNone  Interval = ""
	IntervalHour  Interval = "hour"
	IntervalDay   Interval = "day"
	IntervalWeek  Interval = "week"
	IntervalMonth Interval = "month"
)

// calendar gives dense numbers to the buckets of a time zone, in the order in which it meets them.
//
// A day, week or month lasts from the first moment of its first date to that of the next one's. An
// hour is a stretch in which the clocks show one hour under one offset: the hour that comes twice
// when clocks go back is two buckets, told apart by their offsets.
type calendar struct {
	interval Interval
	zone     *time.Location
	spans    []span // sorted, never overlapping
	latest   span   // where the last event fell: the next one is mostly near
	starts   []event.Time
}

type span struct {
	start, end event.Time
	number     uint32
}

func newCalendar(interval Interval, zone *time.Location) *calendar {
	return &calendar{interval: interval, zone: zone}
}

// number returns the number of the bucket that t falls in.
func (c *calendar) number(t event.Time) uint32 {
	if t >= c.latest.start && t < c.latest.end {
		return c.latest.number
	}
	at, _ := slices.BinarySearchFunc(c.spans, t, func(s span, t event.Time) int {
		if s.end <= t {
			return -1
		}
		return 1 // so that the search ends at the first span that ends after t
	})
	if at == len(c.spans) || c.spans[at].start > t {
		found := span{number: uint32(len(c.starts))}
		found.start, found.end = c.bounds(t)
		c.spans = slices.Insert(c.spans, at, found)
		c.starts = append(c.starts, found.start)
	}
	c.latest = c.spans[at]
	return c.latest.number
}

// bucketsMax bounds the buckets that an answer lists whether or not they hold anything: more than
// ten years of hours.
const bucketsMax = 100_000

// over returns the numbers of all buckets of a range, in their order; ok is false where there are
// more than bucketsMax.
func (c *calendar) over(from, to event.Time) (numbers []uint32, ok bool) {
	for at := from; at < to; at = c.latest.end {
		if len(numbers) == bucketsMax {
			return nil, false
		}
		numbers = append(numbers, c.number(at))
	}
	return numbers, true
}

// Buckets returns the starts of all buckets of a range, in their order; ok is false where there are more
// than an answer may list.
func Buckets(interval Interval, zone *time.Location, from, to event.Time) (starts []event.Time, ok bool) {
	c := newCalendar(interval, zone)
	_, ok = c.over(from, to)
	return c.starts, ok
}

// text is the start of a bucket, with its offset.
func (c *calendar) text(number uint32) string {
	return c.starts[number].Std().In(c.zone).Format(time.RFC3339)
}

// bounds returns where the bucket of t begins and ends.
func (c *calendar) bounds(t event.Time) (start, end event.Time) {
	local := t.Std().In(c.zone)
	if c.interval == IntervalHour {
		return hourBounds(local)
	}
	year, month, day := local.Date()
	years, months, days := 0, 0, 1
	switch c.interval {
	case IntervalWeek:
		day -= (int(local.Weekday()) + 6) % 7 // back to Monday
		days = 7
	case IntervalMonth:
		day, months, days = 1, 1, 0
	}
	first := event.CivilStart(year, month, day, 0, c.zone)
	for {
		next := event.CivilStart(year+years, month+time.Month(months), day+days, 0, c.zone)
		// Clocks that go back over midnight show the old date again after the new one has begun.
		if local.Before(next) {
			return event.TimeOf(first), event.TimeOf(next)
		}
		first, year, month, day = next, year+years, month+time.Month(months), day+days
	}
}

// hourBounds returns the stretch around t in which clocks show its hour under its offset.
func hourBounds(t time.Time) (start, end event.Time) {
	_, offset := t.Zone()
	face := t.Unix() + int64(offset)
	into := face % 3600 // no face of an event lies so far before 1970 that this could be negative
	if into < 0 {
		into += 3600
	}
	first := time.Unix(t.Unix()-into, 0).In(t.Location())
	next := first.Add(time.Hour)
	if began, _ := t.ZoneBounds(); began.After(first) && offsetAt(began.Add(-time.Second)) != offset {
		first = began
	}
	if _, ends := t.ZoneBounds(); !ends.IsZero() && ends.Before(next) && offsetAt(ends) != offset {
		next = ends
	}
	return event.TimeOf(first), event.TimeOf(next)
}

func offsetAt(t time.Time) int {
	_, offset := t.Zone()
	return offset
}
