package event

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestTimesAreReadInTheZoneWhereTheyNameNone(t *testing.T) {
	for _, c := range []struct{ text, zone, want string }{
		{"2026-05-01T12:00:00Z", "UTC", "2026-05-01T12:00:00.000Z"},
		{"2026-05-01T12:00:00z", "Europe/Berlin", "2026-05-01T12:00:00.000Z"},
		{"2026-05-01t12:00:00.1239Z", "UTC", "2026-05-01T12:00:00.123Z"},
		{"2026-05-01T12:00:00,5+02:00", "UTC", "2026-05-01T10:00:00.500Z"},
		{"2026-05-01T12:00:00+0530", "UTC", "2026-05-01T06:30:00.000Z"},
		{"2026-05-01T12:00:00-03", "UTC", "2026-05-01T15:00:00.000Z"},
		{"2026-05-01 12:00", "Asia/Kolkata", "2026-05-01T06:30:00.000Z"},
		{"2026-05-01T12:00:30.25", "Europe/Berlin", "2026-05-01T10:00:30.250Z"},
		{"2026-05-01", "UTC", "2026-05-01T00:00:00.000Z"},
		{"2026-05-01", "Europe/Berlin", "2026-04-30T22:00:00.000Z"},
		{"2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00.000Z"}, // no midnight: 01:00 came at once
		{"2026-11-01", "America/Havana", "2026-11-01T04:00:00.000Z"},    // midnight twice: the first
		{"2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30:00.000Z"},
		{"2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00.000Z"},
		{"2026-05-01T12:00+0530", "UTC", "2026-05-01T06:30:00.000Z"},
		{"2026-05-01T12:00-03", "UTC", "2026-05-01T15:00:00.000Z"},
		{"2026-10-04T02:45", "Australia/Lord_Howe", "2026-10-03T15:45:00.000Z"}, // skipped from 02:00 to 02:30 only
		{"2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:45:00.000Z"},
		{"2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-04T14:45:00.000Z"}, // twice: the first
	} {
		got, err := ParseTime(c.text, zone(t, c.zone))
		if err != nil || got.Std().Format("2006-01-02T15:04:05.000Z07:00") != c.want {
			t.Errorf("%s in %s: got %v, %v; want %s", c.text, c.zone, got.Std(), err, c.want)
		}
	}
}

func TestWhatIsNoTimeIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "now", "2026", "2026-13-01", "2026-02-30", "2026-05-01T25:00:00Z", "1714557600", "1969-12-31T23:59:59Z",
		"2026-05-01T12:00:00Zz", "2026-05-01T12:00:00 Z", "10000-01-01", "2026-5-1", "2026-05-01T12:00:00+25:00",
	} {
		if got, err := ParseTime(text, time.UTC); err == nil {
			t.Errorf("%q was read as %v", text, got.Std())
		}
	}
}

// A civil hour's start must show that hour, or be the end of the skip, and nothing earlier may show it.
func TestCivilStartIsTheFirstMomentOfItsHour(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca"} {
		loc := zone(t, name)
		for day := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2020; day = day.AddDate(0, 0, 1) {
			for _, hour := range []int{0, 1, 2, 3, 12} {
				y, m, d := day.Date()
				got := CivilStart(y, m, d, hour, loc)
				face := time.Date(y, m, d, hour, 0, 0, 0, time.UTC)
				before := got.Add(-time.Millisecond)
				if shown(got).Before(face) || !shown(before).Before(face) && shown(before).Sub(face) < time.Hour {
					t.Fatalf("%s %v hour %d: %v shows %v, the millisecond before shows %v", name, day, hour, got, shown(got), shown(before))
				}
			}
		}
	}
}

// shown returns what the clocks of t's zone show, as if it were UTC.
func shown(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

func TestTheCommonFormIsReadLikeAllOthers(t *testing.T) {
	bytes := "0123456789-:T.Z+ 93"
	random := rand.New(rand.NewPCG(3, 3))
	taken := 0
	for range 200_000 {
		text := []byte(time.UnixMilli(random.Int64N(int64(TimeMax))).UTC().Format("2006-01-02T15:04:05.000Z"))
		for range random.IntN(3) {
			text[random.IntN(len(text))] = bytes[random.IntN(len(bytes))]
		}
		got, ok := parseCommon(string(text))
		if !ok {
			continue
		}
		taken++
		want, err := time.Parse(time.RFC3339, string(text))
		if err != nil || got != TimeOf(want) {
			t.Fatalf("%s is read as %v; want %v, %v", text, got.Std(), want, err)
		}
	}
	if taken < 50_000 {
		t.Errorf("only %d are taken", taken)
	}
}
