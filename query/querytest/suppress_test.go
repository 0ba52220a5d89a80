package querytest

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// TestNoAnswerShowsAFewVisitors asks random questions with k and looks at every number of actors, and of every
// cell of a table at the visitors behind it.
func TestNoAnswerShowsAFewVisitors(t *testing.T) {
	const k = 3
	rounds := 4000
	if testing.Short() {
		rounds = 400
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d rounds", seed, rounds)
	asks := []func(*rand.Rand, int) string{randomQuestion, randomVisitQuestion, randomFunnel, randomRetention, randomPaths}
	shown, hid, refused := 0, 0, 0
	for i := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		events := eventtest.New(r.Uint64(), 1+r.IntN(40), 1+r.IntN(6*3600*1000)).Events(r.IntN(150))
		for j := range events {
			events[j].Seq = event.Seq(j + 1)
		}
		question := asks[i%len(asks)](r, len(events))
		q, err := parse(question)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, readable(question), err)
		}
		source := NewSealed(events, r.Uint64())
		q.Settings().K = k
		if r.IntN(4) > 0 { // else nearly all would be refused
			q.Settings().Actor, q.Settings().Replay = query.ActorVisitor, false
		}
		got := answer(source, q)
		if strings.Contains(got, "The key shows numbers") {
			refused++
			continue
		}
		var value any
		if err := json.Unmarshal([]byte(got), &value); err != nil {
			t.Fatalf("seed %d: %s", seed, got)
		}
		if few := fewIn(value, k, &shown); few != "" {
			t.Fatalf("seed %d, round %d: %s: %s in %s", seed, i, readable(question), few, got)
		}
		if strings.Contains(got, `"suppressed":true`) {
			hid++
		}
		if stats, ok := q.(*query.Stats); ok {
			checkCells(t, source, stats, got, k)
		}
	}
	t.Logf("%d numbers of actors shown, %d answers with something hidden, %d questions refused", shown, hid, refused)
	if shown == 0 || hid == 0 || refused == 0 || refused > rounds*3/4 {
		t.Errorf("seed %d: nothing was shown, hidden or refused, or nearly all", seed)
	}
}

// fewIn finds a number of actors that is too small.
func fewIn(value any, k float64, shown *int) string {
	switch v := value.(type) {
	case []any:
		for _, child := range v {
			if few := fewIn(child, k, shown); few != "" {
				return few
			}
		}
	case map[string]any:
		for name, child := range v {
			if name == "settings" || name == "cost" {
				continue
			}
			if n, ok := child.(float64); ok && (name == "actors" || name == "uniques" || name == "size" || name == "drop_off") {
				if *shown++; n > 0 && n < k {
					return name
				}
			}
			if few := fewIn(child, k, shown); few != "" {
				return few
			}
		}
	}
	return ""
}

// checkCells counts, without k, the visitors of all cells that are shown.
func checkCells(t *testing.T, source query.Source, q *query.Stats, got string, k float64) {
	t.Helper()
	plain := *q
	plain.K, plain.Metric, plain.Property, plain.Actor, plain.Limit, plain.Compare, plain.Fill = 0, query.MetricUniques, "", query.ActorVisitor, 1_000_000, false, false
	if q.Actor == query.ActorUser { // what nobody did isn't counted
		plain.Filters = append(slices.Clone(q.Filters), query.Filter{Column: event.ColumnUserID, Op: query.OpExists, Values: []query.Literal{{Kind: query.LiteralBool, Text: "true"}}})
	}
	if q.Property != "" {
		return // those without a number aren't told apart here
	}
	visitors := map[string]float64{}
	for _, row := range rowsIn(t, answer(source, &plain)) {
		visitors[cellName(row)] = row["value"].(float64)
	}
	for _, row := range rowsIn(t, got) {
		if n := visitors[cellName(row)]; n > 0 && n < k {
			t.Fatalf("a cell of %v visitors is shown: %v in %s", n, row, got)
		}
	}
}

func rowsIn(t *testing.T, text string) []map[string]any {
	t.Helper()
	var a struct{ Rows []map[string]any }
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return a.Rows
}

// cellName names a cell by all but its numbers.
func cellName(row map[string]any) string {
	group := map[string]any{}
	for name, value := range row {
		if name != "value" && name != "previous" {
			group[name] = value
		}
	}
	text, _ := json.Marshal(group)
	return string(text)
}
