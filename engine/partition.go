package engine

import (
	"cmp"
	"slices"
	"strings"

	"millimetric/index"
	"millimetric/index/event"
)

const (
	dayMillis = 24 * 60 * 60 * 1000
	// dayBuckets is the bucket of 1970-01-01, where buckets are days. Those that are months count from
	// the year 0, and stay below it.
	dayBuckets = 1 << 20
	// dayBucketsMax is the longest retention window, in days, of which each day has a cipher key of
	// its own, so that it can be dropped with the day. Keys of longer ones are for a month, so that the
	// keyring stays small with a thousand projects.
	dayBucketsMax = 92
	// dayRowsMin is from when on a day's rows are worth a segment of their own. Smaller ones share one
	// with other days of their bucket, so that late and rare events don't make many tiny segments.
	dayRowsMin = 16 << 10
)

// bucketOf returns the bucket of the cipher key under which an event is kept, where the retention
// window has so many days.
func bucketOf(t event.Time, days int) int32 {
	if daily(days) {
		return dayBuckets + int32(t/dayMillis)
	}
	year, month, _ := t.Std().Date()
	return int32(year*12 + int(month) - 1)
}

// daily reports whether each day has a bucket of its own.
func daily(days int) bool { return days > 0 && days <= dayBucketsMax }

// bucketEnd returns the first moment behind a bucket.
func bucketEnd(bucket int32) event.Time {
	if bucket >= dayBuckets {
		return event.Time(bucket-dayBuckets+1) * dayMillis
	}
	year, month := int(bucket)/12, int(bucket)%12
	return event.TimeOf(monthStart(year, month+1))
}

// rowsPart is what becomes one segment.
type rowsPart struct {
	bucket int32
	day    event.Time // since 1970, of all rows, or -1 where they are of several days
	rows   []index.Row
}

// partition parts rows by bucket and, where a day has at least so many, by day.
func partition(rows []index.Row, days, dayRows int) []rowsPart {
	counts := map[event.Time]int{}
	eachDay(rows, func(day event.Time, rows []index.Row) { counts[day] += len(rows) })
	type placeOf struct {
		bucket int32
		day    event.Time
	}
	parts := map[placeOf]*rowsPart{}
	byDay := map[event.Time]*rowsPart{}
	for day, n := range counts {
		at := placeOf{bucketOf(day*dayMillis, days), day}
		if n < dayRows && at.bucket < dayBuckets {
			at.day = -1
		}
		if parts[at] == nil {
			parts[at] = &rowsPart{bucket: at.bucket, day: at.day}
		}
		byDay[day] = parts[at]
	}
	eachDay(rows, func(day event.Time, rows []index.Row) { byDay[day].rows = append(byDay[day].rows, rows...) })
	var all []rowsPart
	for _, part := range parts {
		all = append(all, *part)
	}
	slices.SortFunc(all, func(a, b rowsPart) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.day, b.day))
	})
	return all
}

// eachDay yields stretches of rows of the same day. Events mostly arrive day by day, so they are long.
func eachDay(rows []index.Row, yield func(day event.Time, rows []index.Row)) {
	for from := 0; from < len(rows); {
		day, to := rows[from].Event.Time/dayMillis, from+1
		for to < len(rows) && rows[to].Event.Time/dayMillis == day {
			to++
		}
		yield(day, rows[from:to])
		from = to
	}
}

// partOf says which part of a segment's bytes a kind of content belongs to.
func partOf(kind string) int {
	switch {
	case kind == "header":
		return partHeader
	case kind == "row sets" || kind == "name visitors":
		return partBitmaps
	case kind == "properties" || kind == "event ids":
		return partRaw
	case strings.HasSuffix(kind, " texts") || kind == "anonymous ids":
		return partDicts
	}
	return partColumns
}
