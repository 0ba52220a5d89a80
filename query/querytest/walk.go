package querytest

import (
	"fmt"
	"time"

	"millimetric/index/event"
	"millimetric/query"
)

// step is how far a Walk moves at once. All changes of clocks since 1972 came on whole minutes of
// UTC, and those of 1970 and 1971 on half ones.
const step = 30 * time.Second

// Walk finds the starts of calendar buckets by walking through time and looking at the clock. It
// remembers what it found, as walking takes long.
type Walk struct {
	days  map[string]time.Time
	nexts map[string]event.Time
}

// NewWalk returns a Walk that has found nothing yet.
func NewWalk() *Walk { return &Walk{days: map[string]time.Time{}, nexts: map[string]event.Time{}} }

// start returns the first moment of the bucket that t lies in.
func (w *Walk) start(interval query.Interval, zone *time.Location, t event.Time) event.Time {
	at := t.Std().In(zone)
	if interval == query.IntervalHour {
		return event.TimeOf(hourStart(at))
	}
	// The day of t is the last one that has begun by then.
	year, month, day := at.Date()
	date := time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
	for w.dayStart(zone, date).After(at) {
		date = date.AddDate(0, 0, -1)
	}
	switch interval {
	case query.IntervalWeek:
		for date.Weekday() != time.Monday {
			date = date.AddDate(0, 0, -1)
		}
	case query.IntervalMonth:
		for date.Day() != 1 {
			date = date.AddDate(0, 0, -1)
		}
	}
	return event.TimeOf(w.dayStart(zone, date))
}

// next returns the first moment after the bucket that starts at start.
func (w *Walk) next(interval query.Interval, zone *time.Location, start event.Time) event.Time {
	const hour = 3600 * 1000
	key := fmt.Sprint(zone, interval, start)
	if found, ok := w.nexts[key]; ok {
		return found
	}
	for t := start + hour; ; t += hour {
		if next := w.start(interval, zone, t); next != start {
			w.nexts[key] = next
			return next
		}
	}
}

// dayStart returns the first moment at which the calendar of zone shows the date or a later one.
func (w *Walk) dayStart(zone *time.Location, date time.Time) time.Time {
	key := fmt.Sprint(zone, date)
	if found, ok := w.days[key]; ok {
		return found
	}
	at := date.Add(-36 * time.Hour)
	for face(at.In(zone)).Before(date) {
		at = at.Add(step)
	}
	w.days[key] = at
	return at
}

// hourStart walks back for as long as the clock shows the same hour under the same offset.
func hourStart(at time.Time) time.Time {
	_, offset := at.Zone()
	hour := face(at).Truncate(time.Hour)
	at = at.Truncate(step)
	for {
		before := at.Add(-step)
		if _, o := before.Zone(); o != offset || !face(before).Truncate(time.Hour).Equal(hour) {
			return at
		}
		at = before
	}
}

// face returns what a clock shows, as if it were UTC.
func face(t time.Time) time.Time {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return time.Date(year, month, day, hour, minute, second, 0, time.UTC)
}
