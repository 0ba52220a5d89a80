package querytest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// TestModelAgreesOnVisitsAndTouches asks random questions about visits and touches of histories that
// are dense with what makes them hard: equal times, visits that share names, touches right before and
// after the half-hour, conversions that are touches.
func TestModelAgreesOnVisitsAndTouches(t *testing.T) {
	histories := 1500
	if testing.Short() {
		histories = 40
	}
	agreeOnRows(t, histories, denseVisits, randomVisitQuestion)
}

// denseVisits makes up to 40 events of few visitors within hours, many at the same moment.
func denseVisits(r *rand.Rand) []event.Event {
	events := history(r)
	events = events[:min(len(events), 40)]
	visitors := 1 + r.IntN(4)
	steps := [][]event.Time{{0, 0, 1, 60_000}, {0, 60_000, 1799_999, 1800_000}, {1800_000, 7200_000, 86400_000}}[r.IntN(3)]
	at := eventtest.Start + event.Time(r.IntN(3600_000))
	for i := range events {
		e := &events[i]
		if at += one(r, steps); r.IntN(8) == 0 {
			at += event.Time(r.IntN(5 * 3600_000))
		}
		e.Time = at
		if r.IntN(12) == 0 {
			e.Time -= one(r, []event.Time{1, 1800_000, 3600_000, 26 * 3600_000})
		}
		e.AnonymousID = "v" + strconv.Itoa(r.IntN(visitors))
		switch r.IntN(5) {
		case 0:
			e.Source, e.Medium = "direct", "direct"
		case 1:
			e.Name = "purchase"
		case 2:
			e.URL, e.Referrer = "", ""
		case 3:
			e.Name = "$identify"
		}
		if e.SessionID = "s" + strconv.Itoa(r.IntN(3)); r.IntN(4) != 0 {
			e.SessionID = e.AnonymousID + "-" + strconv.FormatInt(int64(e.Time)/1800_000, 10)
		}
		if e.SessionDerived = e.SessionID[0] == 'v'; r.IntN(12) == 0 { // sent, as if it were made of another half-hour
			e.SessionID, e.SessionDerived = e.AnonymousID+"-"+strconv.FormatInt(int64(e.Time)/1800_000+int64(r.IntN(4))-2, 10), false
		}
		// The model has more digits of such a value than there are in 57.
		e.Properties = strings.ReplaceAll(e.Properties, "1e300", "1e15")
	}
	if r.IntN(3) == 0 {
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for i := range events {
			events[i].Seq = event.Seq(i + 1)
		}
	}
	return events
}

func randomVisitQuestion(r *rand.Rand, events int) string {
	from := eventtest.Start + event.Time(r.IntN(48)-12)*1800_000
	to := from + event.Time(1+r.IntN(96))*1800_000
	if r.IntN(3) != 0 {
		from, to = 0, event.TimeMax
	}
	params := url.Values{"from": {from.Std().Format(time.RFC3339Nano)}, "to": {to.Std().Format(time.RFC3339Nano)}}
	sometimes := func(name string, values ...string) {
		if r.IntN(2) == 0 {
			params.Set(name, one(r, values))
		}
	}
	sometimes("tz", zones...)
	sometimes("include_bots", "true", "false")
	sometimes("actor", "visitor", "user", "person", "session")
	sometimes("limit", "1", "2", "3", "100")
	if r.IntN(4) == 0 {
		params.Set("as_of", strconv.Itoa(r.IntN(events+1)))
	}
	if r.IntN(6) == 0 {
		params.Set("filters", randomFilters(r, 1))
	}
	if from > 0 {
		sometimes("compare", "previous_period")
	}
	if r.IntN(3) == 0 {
		randomSessions(r, params, sometimes)
		return "sessions?" + params.Encode()
	}
	randomAttribution(r, params, sometimes)
	return "attribution?" + params.Encode()
}

func randomSessions(r *rand.Rand, params url.Values, sometimes func(string, ...string)) {
	if r.IntN(3) == 0 {
		entry := fmt.Sprintf(`{"field":"entry.%s","op":%q,"value":"%s"}`, one(r, []string{"path", "source", "event_name", "properties.x"}), one(r, []string{"eq", "ne"}), one(r, []string{"/", "direct", "purchase", "a"}))
		params.Set("filters", one(r, []string{
			"[" + entry + "]", "[" + entry + "," + columnFilter(r) + "]", `[{"or":[` + entry + "," + propertyFilter(r) + "]}]", `[{"not":` + entry + "}]",
		}))
	}
	if r.IntN(4) == 0 {
		params.Set("list", "true")
		params.Del("compare")
		return
	}
	sometimes("interval", "hour", "day", "week", "month")
	sometimes("group_by", "source", "entry_path", "entry_path,exit_path", "entry.properties.x", "country,entry.referrer_host", "exit_path,source,host", "entry.event_name", "properties.a.b")
}

func randomAttribution(r *rand.Rand, params url.Values, sometimes func(string, ...string)) {
	params.Set("conversion", one(r, []string{
		"purchase", "purchase", "signup", "$pageview", `{"event":"purchase","filters":` + randomFilters(r, 2) + `}`,
		`{"any_of":[{"event":"purchase"},{"event":"$identify","filters":[]}]}`,
	}))
	all := []string{"first", "last", "last_non_direct", "linear", "position", "participation"}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	models := all[:1+r.IntN(3)]
	if r.IntN(3) == 0 {
		models = append(slices.Clone(models), "time_decay")
	}
	if r.IntN(3) == 0 {
		models = append([]string{"data_driven"}, models...)
	}
	params.Set("models", strings.Join(models, ","))
	sometimes("touch_filters", "[]", `[{"field":"source","op":"ne","value":"direct"}]`, `[{"field":"medium","op":"in","value":["paid","organic","direct"]}]`, randomFilters(r, 2))
	sometimes("value", "properties.x", "properties.amount_cents", "properties.a.b")
	sometimes("count", "every", "first", "last")
	sometimes("group_by", "source", "medium,campaign", "entry_path", "referrer_host", "entry_path,source", "country", "properties.x", "session_id", "path")
	sometimes("lookback", "0", "1h", "30m", "1s", "3d")
	sometimes("half_life", "1s", "30m", "7h", "1d", "100d")
}

// TestCreditAddsUpToTheEvents holds what attribution gives away against what stats counts, over a
// history that is too long for the model. Numbers are rounded per row, so sums may be off by that.
func TestCreditAddsUpToTheEvents(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	events := numbered(eventtest.New(seed, 300, 60_000).Events(10_000))
	source := stored(t, seed, events)
	const whole = "from=2026-03-28T07:00Z&to=2026-04-20&limit=1000"
	for _, filters := range []string{"[]", `[{"field":"country","op":"in","value":["US","DE"]}]`} {
		want := sum(t, source, "stats?"+whole+"&event=purchase&filters="+url.QueryEscape(filters))
		for _, params := range []string{"group_by=source", "group_by=entry_path,campaign&actor=person", "group_by=referrer_host&lookback=0", "group_by=country,properties.plan&lookback=1h&half_life=3h"} {
			models := []string{"first", "last", "last_non_direct", "linear", "position", "time_decay", "data_driven"}
			text := asked(t, source, "attribution?"+whole+"&conversion=purchase&models="+strings.Join(models, ",")+"&value=properties.amount_cents&"+params+"&filters="+url.QueryEscape(filters))
			var a struct {
				Rows                 []map[string]json.RawMessage
				Totals, Unattributed struct{ Conversions, Value float64 }
			}
			if err := json.Unmarshal([]byte(text), &a); err != nil || int64(a.Totals.Conversions) != want || want == 0 {
				t.Fatalf("seed %d: %s: %v of %d conversions, %v", seed, params, a.Totals, want, err)
			}
			for _, model := range models {
				conversions, value := a.Unattributed.Conversions, a.Unattributed.Value
				for _, row := range a.Rows {
					var got struct{ Conversions, Value float64 }
					if err := json.Unmarshal(row[model], &got); err != nil {
						t.Fatal(err)
					}
					conversions, value = conversions+got.Conversions, value+got.Value
				}
				limit := float64(len(a.Rows)+1) * 1e-6
				if math.Abs(conversions-a.Totals.Conversions) > limit || math.Abs(value-a.Totals.Value) > limit {
					t.Errorf("seed %d: %s: %s gives away %v and %v of %v", seed, params, model, conversions, value, a.Totals)
				}
			}
		}
	}
}

func asked(t *testing.T, source query.Source, question string) string {
	t.Helper()
	q, err := parse(question)
	if err != nil {
		t.Fatalf("%s: %v", readable(question), err)
	}
	return answer(source, q)
}
