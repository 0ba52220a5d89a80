package peers

import "fmt"

// Return asks for retention: births and returns by the name of an event.
type Return struct {
	Birth, Return string
	Unit          string // day, week or month
	Periods       int
	Unbounded     bool
}

// Retention asks who came back. Cells in which nobody came are left out on both sides, as the databases
// have no rows for them. In period 0 a return must be the birth or come after it; in others its bucket
// is enough, also beyond the range.
func Retention(s Scope, r Return) Question {
	own := map[string]any{"birth": r.Birth, "return": r.Return, "period": r.Unit, "periods": r.Periods}
	if r.Unbounded {
		own["mode"] = "unbounded"
	}
	return Question{
		Path: "/v1/retention", Body: s.request(own),
		read: func(answer map[string]any) (rows [][]any) {
			cohorts, _ := answer["cohorts"].([]any)
			for _, c := range cohorts {
				periods, _ := member(c, "periods").([]any)
				for _, p := range periods {
					if number(member(p, "actors")) > 0 {
						rows = append(rows, []any{shown(text(member(c, "cohort")), "day") + "/" + text(member(p, "k")), member(p, "actors")})
					}
				}
			}
			return rows
		},
		sql: func(d dialect) string { return r.sql(d, s) },
	}
}

func (r Return) sql(d dialect, s Scope) string {
	bucket := d.bucket(r.Unit, s.Zone)
	apart := map[string]string{
		"day": d.pick("dateDiff('day', born, b)", "date_diff('day', born, b)"), "week": d.pick("intDiv(dateDiff('day', born, b), 7)", "date_diff('day', born, b) // 7"),
		"month": d.pick("dateDiff('month', born, b)", "date_diff('month', born, b)"),
	}[r.Unit]
	sql := fmt.Sprintf("%s, births AS (SELECT actor, min(k) AS birth, %s AS born FROM e WHERE event_name = %s AND %s GROUP BY actor)",
		d.events(s), d.first(bucket), quote(r.Birth), d.wanted(s)) +
		// A bucket counts from the last of its events on, so that one before the birth doesn't.
		fmt.Sprintf(", returns AS (SELECT actor, %s AS b, max(k) AS latest FROM e WHERE event_name = %s AND %s GROUP BY actor, b)", bucket, quote(r.Return), and("ts >= "+d.moment(s.From), s.Filter.SQL)) +
		fmt.Sprintf(", met AS (SELECT births.actor AS actor, born, %s AS n FROM births JOIN returns ON births.actor = returns.actor WHERE latest >= birth)", apart)
	if r.Unbounded {
		sql += fmt.Sprintf(", lasts AS (SELECT actor, born, max(n) AS n FROM met GROUP BY actor, born), spread AS (SELECT born, %s AS n FROM lasts)", d.pick("arrayJoin(range(toUInt64(n) + 1))", "unnest(range(n + 1))"))
	} else {
		sql += ", spread AS (SELECT born, n FROM met)"
	}
	return sql + fmt.Sprintf(" SELECT concat(%s, '/', %s), count(*) FROM spread WHERE n < %d GROUP BY born, n", d.pick("toString(born)", "born::VARCHAR"), d.pick("toString(n)", "n::VARCHAR"), r.Periods)
}

// Weekly is the retention of one event by itself, for which one pass does: an actor's cohort is the
// first of its weeks.
func Weekly(s Scope, name string, periods int) Question {
	q := Retention(s, Return{Birth: name, Return: name, Unit: "week", Periods: periods})
	slow := q.sql
	q.sql = func(d dialect) string {
		if d.duck() {
			return slow(d)
		}
		return fmt.Sprintf("%s SELECT concat(toString(born), '/', toString(n)), count() FROM (SELECT arrayMin(weeks) AS born, intDiv(arrayJoin(weeks) - born, 7) AS n "+
			"FROM (SELECT groupUniqArray(%s) AS weeks FROM e WHERE event_name = %s AND %s GROUP BY actor)) WHERE n < %d GROUP BY born, n",
			d.events(s), d.bucket("week", s.Zone), quote(name), d.wanted(s), periods)
	}
	return q
}

// Visits measures visits by the country of their entries. A visit is of the range in which it begins,
// with all its events; it bounced if it has one event, identify aside. A median is the nearest-rank
// value.
func Visits(s Scope) Question {
	return Question{
		Path: "/v1/sessions", Body: s.request(map[string]any{"group_by": "country", "limit": 1000}),
		read: rowsOf("rows", "country", "visits", "actors", "bounce_rate", "duration_median_s", "events_per_visit"),
		sql: func(d dialect) string {
			matched := "true"
			if s.Filter.SQL != "" {
				matched = s.Filter.SQL
			}
			v := fmt.Sprintf("%s, v AS (SELECT actor, session_id, %s AS land, min(ts) AS begun, max(%s) - min(%s) AS ms, count(*) AS n, %s AS others, %s AS wanted FROM e GROUP BY actor, session_id)",
				d.events(s), d.first("e.country"), d.ms(), d.ms(), d.countIf("event_name <> '$identify'"), d.countIf(matched))
			median := d.pick("arrayElement(arraySort(groupArray(ms)), toUInt64(intDiv(count() + 1, 2)))", "list_sort(list(ms))[(count(*) + 1) // 2]")
			return fmt.Sprintf("%s SELECT land, count(*), %s, %s, %s / 1000.0, %s FROM v WHERE begun >= %s AND begun < %s AND wanted > 0 GROUP BY land",
				v, d.uniques("actor"), d.ratio(d.countIf("others = 1"), "count(*)"), median, d.ratio("sum(n)", "count(*)"), d.moment(s.From), d.moment(s.To))
		},
	}
}

// pathBranches is how many next pages are told apart.
const pathBranches = 20

// Paths asks which pages came next after a page within the visit. Repeats of a page in a row are one
// stop before anything is counted, which counts if any of them lies in the range. What is beyond the
// branches told apart is one row, "(rest)", with its own count of actors, and "(end)" is that no other
// page came.
func Paths(s Scope, page string) Question {
	return Question{
		Path: "/v1/paths", Body: s.request(map[string]any{
			"start": map[string]any{"event": "$pageview", "filters": []any{map[string]any{"field": "path", "op": "eq", "value": page}}}, "steps": 2, "limit": pathBranches,
		}),
		read: func(answer map[string]any) (rows [][]any) {
			children, _ := member(answer, "root.children").([]any)
			for _, c := range children {
				node := member(c, "node")
				if kind := text(member(c, "kind")); kind != "page" {
					node = "(" + kind + ")"
				}
				rows = append(rows, []any{node, member(c, "count"), member(c, "actors")})
			}
			return rows
		},
		sql: func(d dialect) string {
			lag, lead := d.pick("lagInFrame", "lag"), d.pick("leadInFrame", "lead")
			const whole = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
			return fmt.Sprintf("%s, p AS (SELECT actor, session_id, k, path, CASE WHEN %s THEN 1 ELSE 0 END AS inside, %s(path, 1) OVER w AS prev FROM e WHERE %s WINDOW w AS (PARTITION BY actor, session_id ORDER BY k %s))",
				d.events(s), d.within(s.From, s.To), lag, and("event_name = '$pageview'", s.Filter.SQL), whole) +
				", runs AS (SELECT *, sum(CASE WHEN prev = path THEN 0 ELSE 1 END) OVER (PARTITION BY actor, session_id ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stop FROM p)" +
				", stops AS (SELECT actor, session_id, stop, min(path) AS page, max(inside) AS inside FROM runs GROUP BY actor, session_id, stop)" +
				fmt.Sprintf(", hops AS (SELECT actor, page, inside, coalesce(nullif(%s(page, 1) OVER (PARTITION BY actor, session_id ORDER BY stop %s), ''), '(end)') AS hop FROM stops)", lead, whole) +
				fmt.Sprintf(", anchors AS (SELECT actor, hop FROM hops WHERE page = %s AND inside = 1)", quote(page)) +
				", ranked AS (SELECT hop, row_number() OVER (ORDER BY n DESC, hop) AS place FROM (SELECT hop, count(*) AS n FROM anchors WHERE hop <> '(end)' GROUP BY hop))" +
				fmt.Sprintf(" SELECT CASE WHEN anchors.hop = '(end)' OR place <= %d THEN anchors.hop ELSE '(rest)' END AS shown, count(*), %s FROM anchors LEFT JOIN ranked ON anchors.hop = ranked.hop GROUP BY shown",
					pathBranches, d.uniques("actor"))
		},
	}
}
