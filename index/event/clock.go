package event

import (
	"errors"
	"strings"
	"time"
)

// errTime says what ParseTime takes. It is short enough to stand in an answer.
var errTime = errors.New("Expected an ISO 8601 date or time, such as 2026-05-01T12:00:00Z")

// timeLayouts are the forms of ISO 8601 that ParseTime takes once the separator is a "T". Go's
// parser accepts a fraction of a second after a dot or a comma where the layout has none.
var timeLayouts = []struct {
	layout string
	zoned  bool
}{
	{"2006-01-02T15:04:05Z07:00", true},
	{"2006-01-02T15:04:05Z0700", true},
	{"2006-01-02T15:04:05Z07", true},
	{"2006-01-02T15:04Z07:00", true},
	{"2006-01-02T15:04Z0700", true},
	{"2006-01-02T15:04Z07", true},
	{"2006-01-02T15:04:05", false},
	{"2006-01-02T15:04", false},
}

// ParseTime reads an ISO 8601 time, cut to the millisecond. A time without an offset is read in
// zone, and a date alone is the first moment of that day there.
func ParseTime(text string, zone *time.Location) (Time, error) {
	if t, ok := parseCommon(text); ok {
		return t, nil
	}
	if len(text) == len("2006-01-02") {
		date, err := time.Parse("2006-01-02", text)
		if err != nil {
			return 0, errTime
		}
		return bounded(CivilStart(date.Year(), date.Month(), date.Day(), 0, zone))
	}
	if len(text) > 10 && (text[10] == ' ' || text[10] == 't') {
		text = text[:10] + "T" + text[11:]
	}
	if zulu, ok := strings.CutSuffix(text, "z"); ok {
		text = zulu + "Z"
	}
	for _, form := range timeLayouts {
		t, err := time.Parse(form.layout, text)
		if err != nil {
			continue
		}
		if !form.zoned {
			t = civil(t, zone)
		}
		return bounded(t)
	}
	return 0, errTime
}

// parseCommon reads the form that nearly all clients send, 2026-05-01T12:00:00.000Z, and takes no time
// that ParseTime wouldn't.
func parseCommon(text string) (Time, bool) {
	if len(text) != len("2006-01-02T15:04:05.000Z") || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
		text[13] != ':' || text[16] != ':' || text[19] != '.' || text[23] != 'Z' {
		return 0, false
	}
	whole := true
	number := func(digits string) (n int) {
		for i := range len(digits) {
			digit := digits[i] - '0'
			whole = whole && digit <= 9
			n = 10*n + int(digit)
		}
		return n
	}
	year, month, day := number(text[:4]), number(text[5:7]), number(text[8:10])
	hour, minute, second, milli := number(text[11:13]), number(text[14:16]), number(text[17:19]), number(text[20:23])
	if !whole || year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	date := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if date.Day() != day { // of another month
		return 0, false
	}
	return Time(date.Unix()*1000 + int64(milli)), true
}

// civil reads t's clock face in zone: the first moment that shows it, or, where the zone skips it,
// what it would be had the clocks not been changed yet.
func civil(t time.Time, zone *time.Location) time.Time {
	face := t.UTC()
	if first, ok := firstShowing(face, zone); ok {
		return first
	}
	_, before := face.Add(-24 * time.Hour).In(zone).Zone()
	return face.Add(-time.Duration(before) * time.Second)
}

func bounded(t time.Time) (Time, error) {
	ms := TimeOf(t)
	if ms < TimeMin || ms > TimeMax {
		return 0, errors.New("Must lie between 1970 and 9999")
	}
	return ms, nil
}

// CivilStart returns the first moment at which the clocks of zone show the given date and hour, or,
// where they skip it, the moment of the skip. time.Date leaves both cases open.
func CivilStart(year int, month time.Month, day, hour int, zone *time.Location) time.Time {
	face := time.Date(year, month, day, hour, 0, 0, 0, time.UTC)
	if first, ok := firstShowing(face, zone); ok {
		return first
	}
	// Skipped: the offset before the skip puts the face after it; the skip began that zone period.
	_, before := face.Add(-24 * time.Hour).In(zone).Zone()
	start, _ := face.Add(-time.Duration(before) * time.Second).In(zone).ZoneBounds()
	return start
}

// firstShowing returns the first moment at which the clocks of zone show face, which is spelt in
// UTC. ok is false where they skip it.
func firstShowing(face time.Time, zone *time.Location) (first time.Time, ok bool) {
	// The offsets that can be in force at this face are those a day before and a day after it.
	for _, near := range []time.Time{face.Add(-24 * time.Hour), face.Add(24 * time.Hour)} {
		_, offset := near.In(zone).Zone()
		t := face.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, there := t.Zone(); there == offset && (!ok || t.Before(first)) {
			first, ok = t, true
		}
	}
	return first, ok
}
