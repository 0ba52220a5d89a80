package peers

import (
	"fmt"
	"strings"
	"time"
)

// Steps is a funnel over events by name, in the order given.
type Steps struct {
	Names   []string
	Window  time.Duration
	ByTouch bool // split by the source of the actor's first touch
	Strict  bool // nothing of the actor may lie between
}

// Funnel asks who got how far.
//
// What means something else in the databases: windowFunnel takes events of one time in the order of
// the steps, where ours come in the order of arrival; so it is given the order key, which no two
// events share, and a window in its units. Such a window lets in an event one millisecond beyond it
// if that arrived before the one that it is counted from, which is held against by the comparison
// and hasn't happened. Steps after the first may lie past the range.
//
// A touch is found as Attribution does; for visitors there is a short way, as in this history a
// visitor's first event is a touch. That the touch isn't later than the attempt needs no condition: for
// users, whose first touch can come later, the split isn't asked for.
//
// DuckDB has no such function: there, a running maximum carries the latest begin from each step to the
// next, which is exact, as an attempt that began later has more of its window left.
func Funnel(s Scope, f Steps) Question {
	var steps []any
	for _, name := range f.Names {
		steps = append(steps, map[string]any{"event": name})
	}
	own := map[string]any{"steps": steps, "window": fmt.Sprintf("%ds", int64(f.Window.Seconds()))}
	q := Question{Path: "/v1/funnel", read: stepActors, sql: func(d dialect) string { return f.sql(d, s) }}
	if f.Strict {
		own["order"] = "strict"
	}
	if f.ByTouch {
		own["breakdown"], own["limit"] = "first_touch.source", 1000
		q.read = func(answer map[string]any) (rows [][]any) {
			groups, _ := answer["groups"].([]any)
			for _, g := range groups {
				row := []any{member(g, "group")}
				for _, step := range stepActors(g.(map[string]any)) {
					row = append(row, step[1])
				}
				rows = append(rows, row)
			}
			return rows
		}
	}
	q.Body = s.request(own)
	return q
}

func stepActors(answer map[string]any) (rows [][]any) {
	steps, _ := answer["steps"].([]any)
	for i, step := range steps {
		rows = append(rows, []any{i + 1, member(step, "actors")})
	}
	return rows
}

func (f Steps) sql(d dialect, s Scope) string {
	depths := f.running(d, s)
	switch {
	case f.Strict:
		depths = f.strict(d, s)
	case !d.duck():
		depths = f.windowFunnel(d, s)
	}
	var counts []string
	for i := range f.Names {
		counts = append(counts, d.countIf(fmt.Sprintf("depth >= %d", i+1)))
	}
	if f.ByTouch {
		if s.Actor != "" {
			return fmt.Sprintf("%s%s, firsts AS (SELECT actor, %s AS touch FROM touches GROUP BY actor) SELECT coalesce(touch, '') AS of, %s FROM depths LEFT JOIN firsts USING (actor) WHERE depth > 0 GROUP BY of",
				depths, d.touches("true"), strings.ReplaceAll(d.first("source"), "k)", "t)"), strings.Join(counts, ", "))
		}
		if d.duck() {
			return fmt.Sprintf("%s, firsts AS (SELECT actor, %s AS touch FROM e GROUP BY actor) SELECT touch, %s FROM depths JOIN firsts USING (actor) WHERE depth > 0 GROUP BY touch",
				depths, d.first("source"), strings.Join(counts, ", "))
		}
		return fmt.Sprintf("%s SELECT touch, %s FROM depths WHERE depth > 0 GROUP BY touch", depths, strings.Join(counts, ", "))
	}
	// One row per step, as the answer has it.
	var rows []string
	for i, count := range counts {
		rows = append(rows, fmt.Sprintf("SELECT %d AS step, %s FROM depths", i+1, count))
	}
	return depths + " " + strings.Join(rows, " UNION ALL ")
}

// conditions are those of the steps, the first also of the attempt's begin.
func (f Steps) conditions(d dialect, s Scope) []string {
	var list []string
	for i, name := range f.Names {
		reach := "ts >= " + d.moment(s.From)
		if i == 0 {
			reach = d.within(s.From, s.To)
		}
		list = append(list, and("event_name = "+quote(name), s.Filter.SQL, reach))
	}
	return list
}

// reach is the condition that an event may matter at all.
func (f Steps) reach(d dialect, s Scope) string {
	var names []string
	for _, name := range f.Names {
		names = append(names, quote(name))
	}
	window := s.To + eventTime(f.Window)
	return and(d.within(s.From, window+1), "event_name IN ("+strings.Join(names, ", ")+")")
}

// windowFunnel is ClickHouse's. Where a visitor's first touch is asked for, too, one pass over the
// history finds both.
func (f Steps) windowFunnel(d dialect, s Scope) string {
	call := fmt.Sprintf("windowFunnel(%d)(k, %s)", f.Window.Milliseconds()<<seqBits|1<<seqBits-1, strings.Join(f.conditions(d, s), ", "))
	if f.ByTouch && s.Actor == "" {
		return fmt.Sprintf("%s, depths AS (SELECT actor, %s AS depth, %s AS touch FROM e WHERE ts < %s GROUP BY actor)",
			d.events(s), call, d.first("source"), d.moment(s.To+eventTime(f.Window)+1))
	}
	return fmt.Sprintf("%s, depths AS (SELECT actor, %s AS depth FROM e WHERE %s GROUP BY actor)", d.events(s), call, f.reach(d, s))
}

// running is the formulation for DuckDB: b1, b2, … are the begins of the best attempts that have taken
// step 1, 2, … at an event or before it.
func (f Steps) running(d dialect, s Scope) string {
	conditions := f.conditions(d, s)
	marks := ""
	for i, c := range conditions[1:] {
		marks += fmt.Sprintf(", %s AS c%d", c, i+2)
	}
	sql := fmt.Sprintf("%s, f1 AS (SELECT actor, k, CASE WHEN %s THEN k END AS b1%s FROM e WHERE %s)", d.events(s), conditions[0], marks, f.reach(d, s))
	for i := 1; i < len(f.Names); i++ {
		sql += fmt.Sprintf(", g%[1]d AS (SELECT *, max(b%[1]d) OVER (PARTITION BY actor ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS m FROM f%[1]d)"+
			", f%[2]d AS (SELECT * EXCLUDE (m), CASE WHEN c%[2]d AND %[3]s - %[4]s <= %[5]d THEN m END AS b%[2]d FROM g%[1]d)",
			i, i+1, d.keyMS("k"), d.keyMS("m"), f.Window.Milliseconds())
	}
	depth := "CASE"
	for i := len(f.Names); i > 0; i-- {
		depth += fmt.Sprintf(" WHEN count(b%d) > 0 THEN %d", i, i)
	}
	return sql + fmt.Sprintf(", depths AS (SELECT actor, %s ELSE 0 END AS depth FROM f%d GROUP BY actor)", depth, len(f.Names))
}

// strict looks at the actor's very next events, of whatever name.
func (f Steps) strict(d dialect, s Scope) string {
	conditions := f.conditions(d, s)
	marks := ""
	for i, c := range conditions {
		marks += fmt.Sprintf(", CASE WHEN %s THEN 1 ELSE 0 END AS c%d", c, i+1)
	}
	lead, depth := "", "CASE WHEN c1 = 0 THEN 0"
	for i := 1; i < len(f.Names); i++ {
		of := d.pick("leadInFrame", "lead")
		lead += fmt.Sprintf(", %[1]s(c%[2]d, %[3]d) OVER w AS x%[2]d, %[1]s(k, %[3]d) OVER w AS k%[2]d", of, i+1, i)
		depth += fmt.Sprintf(" WHEN NOT (coalesce(x%[1]d, 0) = 1 AND %[2]s - %[3]s <= %[4]d) THEN %[5]d", i+1, d.keyMS(fmt.Sprintf("k%d", i+1)), d.keyMS("k"), f.Window.Milliseconds(), i)
	}
	return fmt.Sprintf("%s, m AS (SELECT actor, k%s FROM e WHERE %s), l AS (SELECT *%s FROM m WINDOW w AS (PARTITION BY actor ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))"+
		", depths AS (SELECT actor, max(%s ELSE %d END) AS depth FROM l GROUP BY actor)",
		d.events(s), marks, "ts >= "+d.moment(s.From), lead, depth, len(f.Names))
}
