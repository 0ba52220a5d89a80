package peers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"millimetric/index/event"
)

func eventTime(d time.Duration) event.Time { return event.Time(d.Milliseconds()) }

// Credit asks what the conversions owe to the visits before them.
type Credit struct {
	Conversion string // name of an event
	Models     []string
	Lookback   time.Duration // 0 is no limit
	ByValue    bool          // share out amount_cents, too
}

// SimpleModels are all but data_driven, which no SQL of a bearable length computes.
var SimpleModels = []string{"first", "last", "last_non_direct", "linear", "position", "time_decay", "participation"}

// halfLife is the default of the server.
const halfLife = 7 * 24 * time.Hour

// Attribution shares out conversions among sources and media.
//
// The databases know no touches. A touch is built in four steps: the first event of each visit with a
// URL or a referrer; without those from the site itself; without direct ones that the half-hour cut
// made (the visit's id was derived and the actor did something in the 30 minutes before); and of these,
// those before the conversion in the order of events, within the lookback. Only actors who convert
// are looked at. Shares are sums in floating point there, decimals rounded once here: they are held
// against each other to within two millionths.
func Attribution(s Scope, c Credit) Question {
	lookback := "0"
	if c.Lookback > 0 {
		lookback = fmt.Sprintf("%ds", int64(c.Lookback.Seconds()))
	}
	own := map[string]any{"conversion": c.Conversion, "models": c.Models, "lookback": lookback, "limit": 1000}
	names := []string{"source", "medium"}
	if c.ByValue {
		own["value"] = "properties.amount_cents"
	}
	for _, model := range c.Models {
		names = append(names, model+".conversions")
		if c.ByValue {
			names = append(names, model+".value")
		}
	}
	return Question{Path: "/v1/attribution", Body: s.request(own), read: rowsOf("rows", names...), sql: func(d dialect) string { return c.sql(d, s) }}
}

func (c Credit) sql(d dialect, s Scope) string {
	conversions := fmt.Sprintf("%s, conv AS (SELECT actor, k AS c, amount_cents AS amount FROM e WHERE event_name = %s AND %s)", d.events(s), quote(c.Conversion), d.wanted(s))
	if slices.Equal(c.Models, []string{"first"}) && c.Lookback == 0 {
		return conversions + c.firstTouch(d)
	}
	touches := d.touches("ts < " + d.moment(s.To) + " AND actor IN (SELECT actor FROM conv)")
	within := "true"
	if c.Lookback > 0 {
		within = fmt.Sprintf("%s - %s <= %d", d.keyMS("c"), d.keyMS("t"), c.Lookback.Milliseconds())
	}
	pairs := fmt.Sprintf(", met AS (SELECT c, amount, t, source, medium, %s - %s AS age FROM conv JOIN touches ON conv.actor = touches.actor WHERE t <= c AND %s)", d.keyMS("c"), d.keyMS("t"), within)
	ranked := fmt.Sprintf(", ranked AS (SELECT *, row_number() OVER up AS i, count(*) OVER every_one AS n, max(CASE WHEN source <> 'direct' THEN t ELSE 0 END) OVER every_one AS lnd, "+
		"sum(pow(2, -age / %d.0)) OVER every_one AS weights, row_number() OVER alike AS nth FROM met "+
		"WINDOW up AS (PARTITION BY c ORDER BY t), every_one AS (PARTITION BY c), alike AS (PARTITION BY c, source, medium ORDER BY t))", halfLife.Milliseconds())
	return conversions + touches + pairs + ranked + c.shares()
}

// touches is the table of the touches of the events that the condition holds for.
func (d dialect) touches(condition string) string {
	previous := d.pick("toInt64(lagInFrame(k, 1, toUInt64(0)) OVER w)", "lag(k, 1, 0) OVER w")
	return fmt.Sprintf(", own AS (SELECT actor, session_id, k, source, medium, session_derived AS derived, url, referrer, %s AS prev FROM e WHERE %s "+
		"WINDOW w AS (PARTITION BY actor ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW))", previous, condition) +
		fmt.Sprintf(", visits AS (SELECT actor, min(k) AS t, %s AS s, %s AS m, %s AS cut, %s AS p FROM own WHERE url <> '' OR referrer <> '' GROUP BY actor, session_id)",
			d.first("source"), d.first("medium"), d.first("derived"), d.first("prev")) +
		fmt.Sprintf(", touches AS (SELECT actor, t, s AS source, m AS medium FROM visits WHERE s <> 'internal' AND NOT (s = 'direct' AND cut AND p > 0 AND %s - %s < 1800000))", d.keyMS("t"), d.keyMS("p"))
}

// shares adds up the shares of each model.
func (c Credit) shares() string {
	of := map[string]string{
		"first":           "CASE WHEN i = 1 THEN 1.0 ELSE 0.0 END",
		"last":            "CASE WHEN i = n THEN 1.0 ELSE 0.0 END",
		"last_non_direct": "CASE WHEN lnd > 0 AND t = lnd OR lnd = 0 AND i = n THEN 1.0 ELSE 0.0 END",
		"linear":          "1.0 / n",
		"position":        "CASE WHEN n = 1 THEN 1.0 WHEN n = 2 THEN 0.5 WHEN i = 1 OR i = n THEN 0.4 ELSE 0.2 / (n - 2) END",
		"time_decay":      fmt.Sprintf("pow(2, -age / %d.0) / weights", halfLife.Milliseconds()),
		"participation":   "CASE WHEN nth = 1 THEN 1.0 ELSE 0.0 END",
	}
	var sums, some []string
	for _, model := range c.Models {
		sums = append(sums, fmt.Sprintf("sum(%s)", of[model]))
		some = append(some, fmt.Sprintf("sum(%s) > 0", of[model]))
		if c.ByValue {
			sums = append(sums, fmt.Sprintf("sum(amount * (%s))", of[model]))
		}
	}
	return fmt.Sprintf(" SELECT source, medium, %s FROM ranked GROUP BY source, medium HAVING %s", strings.Join(sums, ", "), strings.Join(some, " OR "))
}

// firstTouch is a short way for the one model without lookback: in this history an actor's first
// event is a touch.
func (c Credit) firstTouch(d dialect) string {
	value := ""
	if c.ByValue {
		value = ", sum(amount)"
	}
	return fmt.Sprintf(", firsts AS (SELECT actor, %s AS s, %s AS m FROM e WHERE actor IN (SELECT actor FROM conv) GROUP BY actor) SELECT s, m, count(*)%s FROM conv JOIN firsts ON conv.actor = firsts.actor GROUP BY s, m",
		d.first("source"), d.first("medium"), value)
}
