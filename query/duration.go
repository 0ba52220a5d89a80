package query

import (
	"strconv"
	"time"
)

// durationMax is the longest duration that a question may name: ten years of days.
const durationMax = 3660 * 24 * time.Hour

// duration reads a length of time: a whole number and one of s, m, h, d and w. A day has 24 hours.
// sent is false where the field is missing or wrong.
func (r *reader) duration(name string) (d time.Duration, sent bool) {
	text, ok := r.text(name)
	if !ok {
		return 0, false
	}
	if text == "0" {
		return 0, true
	}
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	unit, known := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	switch {
	case !known || err != nil:
		r.errs.Add(name, "Must be a length of time such as 90s, 30m, 12h, 7d or 2w")
	case n > uint64(durationMax/unit):
		r.errs.Add(name, "Must be at most "+durationText(durationMax))
	default:
		return time.Duration(n) * unit, true
	}
	return 0, false
}

// durationText spells a length of time as duration reads it, in the largest unit up to days that
// fits.
func durationText(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d > 0 && d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}
