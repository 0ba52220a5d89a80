package peers

import (
	"fmt"
	"strings"
	"time"

	"millimetric/index/event"
)

// Scope is what every question can be narrowed by.
type Scope struct {
	From, To event.Time
	Zone     string // IANA; "" is UTC
	Actor    string // "" is visitor
	Bots     bool   // count them, too
	Filter   Filter
}

// Filter is the same condition twice.
type Filter struct {
	JSON []any  // as in a request
	SQL  string // over the columns of the tables; "" holds for all
}

// seqBits is how many bits the position takes in an order key: beyond it the time, so that events
// compare by (time, position) as one number.
const seqBits = 26

// dialect writes the SQL of one database over one table.
type dialect struct {
	Layout
	base event.Time // order keys count from here
}

func (d dialect) duck() bool { return d.Kind == DuckDB }

// pick returns what the dialect calls something.
func (d dialect) pick(clickhouse, duckdb string) string {
	if d.duck() {
		return duckdb
	}
	return clickhouse
}

func (d dialect) moment(at event.Time) string {
	return d.pick("toDateTime64(", "TIMESTAMP ") + quote(at.Std().Format("2006-01-02 15:04:05.000")) + d.pick(", 3, 'UTC')", "")
}

// within is the condition that an event lies in a range of time.
func (d dialect) within(from, to event.Time) string {
	return fmt.Sprintf("ts >= %s AND ts < %s", d.moment(from), d.moment(to))
}

func (d dialect) ms() string { return d.pick("toUnixTimestamp64Milli(ts)", "epoch_ms(ts)") }

// key is the place of an event in the order of events.
func (d dialect) key() string {
	return fmt.Sprintf(d.pick("(toUInt64(%s - %d) * %d + seq)", "((%s - %d) * %d + seq)::BIGINT"), d.ms(), d.base, 1<<seqBits)
}

// keyMS is the time of a key, from the base on.
func (d dialect) keyMS(key string) string {
	return d.pick("intDiv("+key+", 67108864)", "("+key+" >> 26)")
}

func (d dialect) uniques(of string) string {
	return d.pick("uniqExact("+of+")", "count(DISTINCT "+of+")")
}
func (d dialect) first(of string) string {
	return d.pick("argMin("+of+", k)", "arg_min("+of+", k)")
}
func (d dialect) countIf(condition string) string {
	return d.pick("countIf("+condition+")", "count(*) FILTER ("+condition+")")
}

// ratio divides two whole numbers and rounds to four decimals, half to even, as answers do. It is made of whole
// numbers: in floating point 49/160 is no half any more, and DuckDB's round_even takes it up.
func (d dialect) ratio(part, whole string) string {
	scaled := "(10000 * (" + part + "))"
	down, left := d.pick("intDiv("+scaled+", "+whole+")", "("+scaled+" // "+whole+")"), "("+scaled+" % "+whole+")"
	return fmt.Sprintf("(%s + CASE WHEN 2 * %s > %s OR 2 * %s = %s AND %s %% 2 = 1 THEN 1 ELSE 0 END) / 10000.0", down, left, whole, left, whole, down)
}

// actor is who did something, as one value.
func (d dialect) actor(s Scope) string {
	switch s.Actor {
	case "user":
		return "nullif(user_id, '')"
	case "session":
		return "concat(" + d.pick("toString(anonymous_id)", "anonymous_id::VARCHAR") + ", '/', session_id)"
	case "person":
		return d.pick("multiIf(user_id <> '', concat('u', user_id), owner <> '', concat('u', owner), concat('v', toString(anonymous_id)))",
			"CASE WHEN user_id <> '' THEN 'u' || user_id WHEN owner <> '' THEN 'u' || owner ELSE 'v' || anonymous_id END")
	}
	return "anonymous_id"
}

// events begins a statement with the table e: the events that count, each with its actor and its key
// k. The filter isn't part of it, as questions apply it to some of their events only.
//
// A person is found in two steps, as in our meaning: the first link of a visitor, bots' links too,
// says whose its events without a user are.
func (d dialect) events(s Scope) string {
	if s.Actor == "user" {
		return d.only(s, "user_id <> ''")
	}
	return d.only(s, "")
}

func (d dialect) only(s Scope, condition string) string {
	from := d.Table
	if !s.Bots {
		condition = and("NOT bot", condition)
	}
	if condition == "" {
		condition = "true"
	}
	links := ""
	if s.Actor == "person" {
		links = fmt.Sprintf("links AS (SELECT anonymous_id, %s AS owner FROM (SELECT anonymous_id, user_id, %s AS k FROM %s WHERE user_id <> '') GROUP BY anonymous_id), ", d.first("user_id"), d.key(), d.Table)
		from += " LEFT JOIN links USING (anonymous_id)"
	}
	return fmt.Sprintf("WITH %se AS (SELECT *, %s AS actor, %s AS k FROM %s WHERE %s)", links, d.actor(s), d.key(), from, condition)
}

// wanted is the scope's filter as a condition, and its range.
func (d dialect) wanted(s Scope) string { return and(d.within(s.From, s.To), s.Filter.SQL) }

func and(conditions ...string) string {
	var given []string
	for _, c := range conditions {
		if c != "" {
			given = append(given, "("+c+")")
		}
	}
	return strings.Join(given, " AND ")
}

// bucket is the calendar bucket of an event, as a date, or as a time for hours.
func (d dialect) bucket(unit, zone string) string {
	if zone == "" {
		zone = "UTC"
	}
	if !d.duck() {
		of := map[string]string{"hour": "toStartOfHour(toTimeZone(ts, %s))", "day": "toDate(ts, %s)", "week": "toMonday(ts, %s)", "month": "toStartOfMonth(ts, %s)"}[unit]
		return fmt.Sprintf(of, quote(zone))
	}
	local := "ts"
	if zone != "UTC" {
		local = fmt.Sprintf("timezone(%s, timezone('UTC', ts::TIMESTAMP))", quote(zone))
	}
	if unit == "hour" {
		return "date_trunc('hour', " + local + ")"
	}
	return fmt.Sprintf("date_trunc(%s, %s)::DATE", quote(unit), local)
}

// hours is the bucket of hours. Where a zone's clocks move within an hour of theirs (Chatham's from 2:45 to 3:45), what
// is left of that hour is a bucket of its own, which begins with the move. ClickHouse counts it to the hour before, and
// DuckDB names it by a time that never was: so it is named here.
func (d dialect) hours(s Scope) string {
	bucket := d.bucket("hour", s.Zone)
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		panic(fmt.Sprintf("peers: zone %q: %v", s.Zone, err))
	}
	cases := ""
	for at := s.From.Std(); ; {
		_, move := at.In(zone).ZoneBounds()
		if move.IsZero() || !move.Before(s.To.Std()) {
			break
		}
		at = move.In(zone)
		if at.Minute() > 0 {
			left := time.Duration(60-at.Minute()) * time.Minute
			local := quote(at.Format("2006-01-02 15:04:05"))
			cases += fmt.Sprintf("WHEN %s THEN %s ", d.within(event.TimeOf(at), event.TimeOf(at.Add(left))), d.pick("toDateTime("+local+", "+quote(s.Zone)+")", "TIMESTAMP "+local))
		}
	}
	if cases == "" {
		return bucket
	}
	return "CASE " + cases + "ELSE " + bucket + " END"
}

// shown is a bucket of an answer as the databases write it.
func shown(bucket, unit string) string {
	if unit != "hour" || len(bucket) < 19 {
		return bucket[:min(10, len(bucket))]
	}
	return bucket[:10] + " " + bucket[11:19]
}
