package peers

import (
	"encoding/json"
	"strings"
	"testing"

	"millimetric/index/event"
)

func TestTablesAreComparedCellByCellInAnyOrder(t *testing.T) {
	n := func(text string) json.Number { return json.Number(text) }
	for _, c := range []struct {
		name string
		a, b [][]any
		same bool
	}{
		{"the same", [][]any{{"a", n("1")}, {"b", n("2")}}, [][]any{{"b", "2"}, {"a", n("1")}}, true},
		{"missing is empty", [][]any{{nil, n("1")}}, [][]any{{"", n("1")}}, true},
		{"a little apart", [][]any{{"a", n("0.333333")}}, [][]any{{"a", n("0.33333333")}}, true},
		{"too far apart", [][]any{{"a", n("0.3333")}}, [][]any{{"a", n("0.33333333")}}, false},
		{"another number", [][]any{{"a", n("1")}}, [][]any{{"a", n("2")}}, false},
		{"another text", [][]any{{"a", n("1")}}, [][]any{{"A", n("1")}}, false},
		{"a row more", [][]any{{"a", n("1")}}, [][]any{{"a", n("1")}, {"b", n("1")}}, false},
		{"a row twice", [][]any{{"a", n("1")}, {"b", n("1")}}, [][]any{{"a", n("1")}, {"a", n("1")}}, false},
		{"a column less", [][]any{{"a", n("1")}}, [][]any{{"a"}}, false},
	} {
		if d := Same(c.a, c.b); (d == "") != c.same {
			t.Errorf("%s: %q", c.name, d)
		}
	}
}

func TestAnAnswerIsReadAsATable(t *testing.T) {
	q := Sources(Scope{}, 5)
	rows, err := q.Table([]byte(`{"rows":[{"source":"google","medium":"paid","events":6,"uniques":5,"paid_share":1.0}]}`))
	if err != nil || Same(rows, [][]any{{"google", "paid", 6, 5, 1}}) != "" {
		t.Errorf("%v, %v", rows, err)
	}
	q = Funnel(Scope{}, Steps{Names: []string{"a", "b"}, ByTouch: true})
	rows, err = q.Table([]byte(`{"steps":[],"groups":[{"group":"google","steps":[{"actors":3},{"actors":1}]},{"group":null,"steps":[{"actors":2},{"actors":0}]}]}`))
	if err != nil || Same(rows, [][]any{{"google", 3, 1}, {"", 2, 0}}) != "" {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestARequestAndItsStatementNameTheSameScope(t *testing.T) {
	s := Scope{From: 1782864000000, To: 1782950400000, Zone: "Europe/Berlin", Filter: Filter{JSON: []any{map[string]any{"field": "country", "op": "eq", "value": "US"}}, SQL: "country = 'US'"}}
	q := UniquesBy(s, "day")
	body, err := q.Request()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"from":"2026-07-01T00:00:00.000Z"`, `"to":"2026-07-02T00:00:00.000Z"`, `"tz":"Europe/Berlin"`, `"value":"US"`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	for _, l := range []Layout{ByDay, ByArrival} {
		sql := q.SQL(l, event.Time(1782864000000))
		for _, want := range []string{"2026-07-01 00:00:00.000", "2026-07-02 00:00:00.000", "Europe/Berlin", "country = 'US'", "NOT bot", l.Table} {
			if !strings.Contains(sql, want) {
				t.Errorf("%s: no %s in %s", l.Kind, want, sql)
			}
		}
	}
}

// Chatham's clocks go from 2:45 to 3:45 on 2026-09-27, at 14:00 UTC of the day before.
func TestTheRestOfAnHourAfterAClockMovedIsABucket(t *testing.T) {
	day := event.Time(24 * 60 * 60 * 1000)
	move := event.Time(1790431200000)
	for _, c := range []struct {
		zone string
		from event.Time
		want []string
	}{
		{"Pacific/Chatham", move - day, []string{"CASE WHEN ts >= ", "2026-09-26 14:00:00.000", "2026-09-26 14:15:00.000", "'2026-09-27 03:45:00'"}},
		{"Pacific/Chatham", move + 1, nil},
		{"Europe/Berlin", move - 300*day, nil},
		{"", move - day, nil},
	} {
		q := Events(Scope{From: c.from, To: c.from + 2*day, Zone: c.zone}, "hour")
		for _, l := range []Layout{ByDay, ByArrival} {
			sql := q.SQL(l, move-2*day)
			if strings.Contains(sql, "CASE WHEN ts >=") != (c.want != nil) {
				t.Errorf("%s from %v: %s", c.zone, c.from.Std(), sql)
			}
			for _, want := range c.want {
				if !strings.Contains(sql, want) {
					t.Errorf("%s: no %s in %s", l.Kind, want, sql)
				}
			}
		}
	}
}
