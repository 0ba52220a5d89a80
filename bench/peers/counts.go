package peers

import (
	"fmt"
	"strings"
)

// Events counts events by bucket. unit is hour, day, week or month.
func Events(s Scope, unit string) Question {
	return buckets(s, unit, "count", func(dialect) string { return "count(*)" })
}

// UniquesBy counts actors by bucket.
func UniquesBy(s Scope, unit string) Question {
	return buckets(s, unit, "uniques", func(d dialect) string { return d.uniques("actor") })
}

func buckets(s Scope, unit, metric string, measure func(dialect) string) Question {
	return Question{
		Path: "/v1/stats", Body: s.request(map[string]any{"metric": metric, "interval": unit}),
		read: func(answer map[string]any) [][]any {
			rows := rowsOf("rows", "bucket", "value")(answer)
			for _, row := range rows {
				row[0] = shown(text(row[0]), unit)
			}
			return rows
		},
		sql: func(d dialect) string {
			bucket := d.bucket(unit, s.Zone)
			if unit == "hour" {
				bucket = d.hours(s)
			}
			return fmt.Sprintf("%s SELECT %s AS bucket, %s FROM e WHERE %s GROUP BY bucket", d.events(s), bucket, measure(d), d.wanted(s))
		},
	}
}

// Uniques counts actors.
func Uniques(s Scope) Question {
	return Question{
		Path: "/v1/stats", Body: s.request(map[string]any{"metric": "uniques"}), read: rowsOf("rows", "value"),
		sql: func(d dialect) string {
			return fmt.Sprintf("%s SELECT %s FROM e WHERE %s", d.events(s), d.uniques("actor"), d.wanted(s))
		},
	}
}

// Sources asks where events and actors come from.
func Sources(s Scope, limit int) Question {
	return Question{
		Path: "/v1/sources", Body: s.request(map[string]any{"limit": limit}), read: rowsOf("rows", "source", "medium", "events", "uniques", "paid_share"),
		sql: func(d dialect) string {
			return fmt.Sprintf("%s SELECT source, medium, count(*) AS events, %s, %s FROM e WHERE %s GROUP BY source, medium ORDER BY events DESC, source, medium LIMIT %d",
				d.events(s), d.uniques("actor"), d.ratio(d.countIf("medium = 'paid'"), "count(*)"), d.wanted(s), limit)
		},
	}
}

// Top groups by columns and gives the greatest groups. Missing values come last of those with the same
// value, where the databases, for which they are empty texts, would put them first.
func Top(s Scope, metric string, by []string, limit int) Question {
	names := append(append([]string{}, by...), "value")
	return Question{
		Path: "/v1/stats", Body: s.request(map[string]any{"metric": metric, "group_by": strings.Join(by, ","), "limit": limit}), read: rowsOf("rows", names...),
		sql: func(d dialect) string {
			measure := "count(*)"
			if metric == "uniques" {
				measure = d.uniques("actor")
			}
			var order []string
			for _, column := range by {
				order = append(order, column+" = ''", column)
			}
			return fmt.Sprintf("%s SELECT %s, %s AS value FROM e WHERE %s GROUP BY %s ORDER BY value DESC, %s LIMIT %d",
				d.events(s), strings.Join(by, ", "), measure, d.wanted(s), strings.Join(by, ", "), strings.Join(order, ", "), limit)
		},
	}
}

// Amounts measures the property amount_cents of the events of a name, by country. Events without it
// don't count; the databases keep 0 for these, which no event has otherwise. A percentile is the
// nearest-rank value; both databases have it as a discrete quantile, of which ClickHouse rounds the
// rank otherwise: there it is taken from the sorted values.
func Amounts(s Scope, name, measure string) Question {
	s.Filter = Filter{
		JSON: append([]any{map[string]any{"field": "event_name", "op": "eq", "value": name}}, s.Filter.JSON...),
		SQL:  and("event_name = "+quote(name), s.Filter.SQL),
	}
	return Question{
		Path: "/v1/stats", Body: s.request(map[string]any{"metric": measure + "(amount_cents)", "group_by": "country", "limit": 1000}), read: rowsOf("rows", "country", "value"),
		sql: func(d dialect) string {
			of := map[string]string{"sum": "sum(amount_cents)", "min": "min(amount_cents)", "max": "max(amount_cents)", "avg": "avg(amount_cents)"}[measure]
			if of == "" {
				percent := measure[1:]
				of = d.pick("arrayElement(arraySort(groupArray(amount_cents)), toUInt64(greatest(1, intDiv(count() * "+percent+" + 99, 100))))",
					"list_sort(list(amount_cents))[greatest(1, (count(*) * "+percent+" + 99) // 100)]")
			}
			return fmt.Sprintf("%s SELECT country, %s AS value FROM e WHERE %s AND amount_cents > 0 GROUP BY country", d.events(s), of, d.wanted(s))
		},
	}
}

// Latest gives a user's last raw events; they are compared by their ids. Events of one time come
// newest arrival first.
func Latest(s Scope, user string, limit int) Question {
	return Question{
		Path: "/v1/query", Body: s.request(map[string]any{"user_id": user, "limit": limit}), read: rowsOf("rows", "event_id"),
		sql: func(d dialect) string {
			bots := " AND NOT bot"
			if s.Bots {
				bots = ""
			}
			return fmt.Sprintf("SELECT event_id, * FROM %s WHERE user_id = %s AND %s%s ORDER BY ts DESC, seq DESC LIMIT %d", d.Table, quote(user), d.wanted(s), bots, limit)
		},
	}
}
