package querytest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

func costOf(t *testing.T, source query.Source, question string) query.Cost {
	t.Helper()
	q, err := parse(question)
	if err != nil {
		t.Fatal(err)
	}
	q.Settings().Explain = true
	a, err := query.Run(t.Context(), source, q)
	if err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	return a.Explain.Cost
}

func someDays(t *testing.T) *Sealed {
	t.Helper()
	events := numbered(eventtest.New(5, 200, 60_000).Events(6_000))
	return NewDays(events)
}

// What has a column is read from it: no question but query, which shows whole events, opens raw
// properties, unless it names one that has no column.
func TestOnlyPropertiesWithoutAColumnAreReadRaw(t *testing.T) {
	source := someDays(t)
	const whole = "from=2026-01-01&to=2027-01-01"
	asked := 0
	for _, c := range questions {
		cost := costOf(t, source, c.question+"&"+whole)
		if strings.HasPrefix(c.question, "query?") {
			continue
		}
		asked++
		if cost.RawBlocks > 0 || cost.BytesRead == 0 || cost.Segments == 0 {
			t.Errorf("%s: %+v", c.name, cost)
		}
	}
	if asked < 20 {
		t.Errorf("only %d questions were asked", asked)
	}
	for _, question := range []string{
		"query?", "stats?metric=sum(unheard_of)", "stats?group_by=properties.unheard.of", "sessions?group_by=properties.unheard_of",
		`stats?filters=[{"field":"properties.unheard_of","op":"eq","value":1}]`,
	} {
		if cost := costOf(t, source, question+"&"+whole); cost.RawBlocks == 0 {
			t.Errorf("%s: no raw properties were read: %+v", question, cost)
		}
	}
	if cost := costOf(t, source, "sessions?list=true&"+whole); cost.RawBlocks > 0 {
		t.Errorf("a list of visits reads raw properties: %+v", cost)
	}
}

// Segments that can't matter are skipped by what their headers say.
func TestSegmentsThatCannotMatterAreSkipped(t *testing.T) {
	source := someDays(t)
	all := len(source.segments)
	if all < 4 {
		t.Fatalf("only %d segments", all)
	}
	for _, c := range []struct {
		question string
		used     int
	}{
		{"stats?from=2026-01-01&to=2027-01-01", all},
		{"stats?from=2026-03-28&to=2026-03-29", 1},
		{"stats?from=2026-01-01&to=2027-01-01&event=nothing_of_the_kind", 0},
		{"stats?from=2026-01-01&to=2027-01-01&as_of=1", 1},
		{"query?from=2026-01-01&to=2027-01-01&limit=1", 1},
		{"query?from=2026-01-01&to=2027-01-01&user_id=zz", 0},
	} {
		cost := costOf(t, source, c.question)
		if cost.Segments != all || cost.Segments-cost.Skipped > c.used || c.used == all && cost.Skipped != 0 {
			t.Errorf("%s: %+v of %d segments, want %d used", c.question, cost, all, c.used)
		}
	}
}

// Visitors are told apart block by block: those of many blocks, in segments and live, must be those that
// a plain set has.
func TestVisitorsOfManyBlocksAreToldApart(t *testing.T) {
	events := eventtest.New(9, 60_000, 40_000).Events(60_000)
	for i := range events {
		e := &events[i]
		e.Seq, e.Path = event.Seq(i+1), "/"+strconv.Itoa(i%3000)
	}
	type cell struct{ bucket, group string }
	wholes, cells := map[cell]map[string]bool{}, map[cell]map[string]bool{}
	add := func(to map[cell]map[string]bool, c cell, visitor string) {
		if to[c] == nil {
			to[c] = map[string]bool{}
		}
		to[c][visitor] = true
	}
	for i := range events {
		if e := &events[i]; e.Bot == "" {
			add(wholes, cell{"", e.Source + " " + e.Medium}, e.AnonymousID)
			add(cells, cell{e.Time.Std().Format("2006-01-02T15:00:00Z"), e.Path}, e.AnonymousID)
		}
	}
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		source := NewSealed(events, seed)
		for _, c := range []struct {
			params string
			want   map[cell]map[string]bool
			key    func(row map[string]any) cell
		}{
			{"group_by=source,medium", wholes, func(row map[string]any) cell {
				return cell{"", fmt.Sprint(row["source"], " ", row["medium"])}
			}},
			{"group_by=path&interval=hour", cells, func(row map[string]any) cell {
				return cell{row["bucket"].(string), row["path"].(string)}
			}},
		} {
			answer := answerFrom(t, source, "stats?metric=uniques&limit=1000&from=2026-01-01&to=2027-01-01&"+c.params)
			if len(answer) < 6 {
				t.Fatalf("only %d rows", len(answer))
			}
			for _, row := range answer {
				if got, want := int(row["value"].(float64)), len(c.want[c.key(row)]); got != want {
					t.Fatalf("seed %d, %s: %v has %d visitors, want %d", seed, c.params, row, got, want)
				}
			}
		}
	}
}

func answerFrom(t *testing.T, source query.Source, question string) []map[string]any {
	t.Helper()
	q, err := parse(question)
	if err != nil {
		t.Fatal(err)
	}
	var a struct{ Rows []map[string]any }
	if err := json.Unmarshal([]byte(answer(source, q)), &a); err != nil {
		t.Fatal(err)
	}
	return a.Rows
}
