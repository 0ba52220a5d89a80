package querytest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// Laws that hold for histories too long for the model.
func TestFunnelsNeverGrowAndTheirGroupsAddUp(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	events := numbered(eventtest.New(seed, 300, 60_000).Events(10_000))
	const whole = "&from=2026-03-20&to=2026-04-20&step=$pageview&step=view_item&step=signup&step=purchase"
	source := stored(t, seed, events)
	ask := func(params string) funnelReply {
		t.Helper()
		q, err := parse("funnel?" + params + whole)
		if err != nil {
			t.Fatal(err)
		}
		var f funnelReply
		if err := json.Unmarshal([]byte(answer(source, q)), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	actors := func(steps []funnelStep) (list []int) {
		for _, s := range steps {
			n := 0
			if err := json.Unmarshal(s.Actors, &n); err != nil {
				t.Fatal(err)
			}
			list = append(list, n)
		}
		return list
	}
	for _, params := range []string{"breakdown=country", "breakdown=first_touch.source&actor=person", "breakdown=properties.plan&order=any&window=1h", "breakdown=path&order=strict&limit=2", "breakdown=os&hold=country&window=12h"} {
		f := ask(params)
		all := actors(f.Steps)
		for i := 1; i < len(all); i++ {
			if all[i] > all[i-1] || all[0] == 0 {
				t.Errorf("seed %d: %s: %v", seed, params, all)
			}
		}
		sum := make([]int, len(all))
		groups := [][]funnelStep{f.Other.Steps}
		for _, g := range f.Groups {
			groups = append(groups, g.Steps)
		}
		for _, steps := range groups {
			for i, n := range actors(steps) {
				sum[i] += n
			}
		}
		for i := range all {
			if sum[i] != all[i] {
				t.Errorf("seed %d: %s: groups add up to %v of %v", seed, params, sum, all)
			}
		}
	}
	ordered, strict, anyOrder := actors(ask("window=6h").Steps), actors(ask("window=6h&order=strict").Steps), actors(ask("window=6h&order=any").Steps)
	for i := range ordered {
		if strict[i] > ordered[i] || ordered[i] > anyOrder[i] {
			t.Errorf("seed %d: strict %v, ordered %v, any %v", seed, strict, ordered, anyOrder)
		}
	}
}

// Whoever acts, credit and what has none add up to what stats say of the same events.
func TestConversionsAddUpToStatsOfTheSameActor(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	source := stored(t, seed, numbered(eventtest.New(seed, 300, 60_000).Events(10_000)))
	const whole = "from=2026-03-20&to=2026-04-20"
	seen := map[int64]bool{}
	for _, actor := range []string{"visitor", "user", "person", "session"} {
		var credit struct{ Totals struct{ Conversions int64 } }
		if err := json.Unmarshal([]byte(asked(t, source, "attribution?"+whole+"&conversion=purchase&actor="+actor)), &credit); err != nil {
			t.Fatal(err)
		}
		n := credit.Totals.Conversions
		if counted := sum(t, source, "stats?"+whole+"&event=purchase&actor="+actor); counted != n || n == 0 {
			t.Errorf("seed %d: of %ss %d purchases count and %d are conversions", seed, actor, counted, n)
		}
		seen[n] = true
	}
	if len(seen) < 2 {
		t.Errorf("seed %d: everybody is a user", seed)
	}
}

func TestQuestionsAboutActorsKeepTheirBudgets(t *testing.T) {
	var events []event.Event
	for day := range 5000 {
		events = append(events, event.Event{Seq: event.Seq(day + 1), Time: event.Time(day) * 24 * 3600_000, Name: "a", AnonymousID: "v" + time.UnixMilli(int64(day)).String(), SessionID: "s", Properties: "{}"})
	}
	ended, cancel := context.WithDeadline(t.Context(), time.UnixMilli(0))
	defer cancel()
	for _, c := range []struct {
		ctx            context.Context
		question, want string
	}{
		{ended, "funnel?step=a&step=b", "Took too long"},
		{ended, "retention?birth=a&return=a", "Took too long"},
		{t.Context(), "retention?birth=a&return=a&periods=1", "too many cohorts"},
	} {
		q, err := parse(c.question + "&from=1970-01-01&to=2030-01-01")
		if err != nil {
			t.Fatal(err)
		}
		_, err = query.Run(c.ctx, Slice(events), q)
		var e *event.Error
		if !errors.As(err, &e) || e.Code != "query_too_large" || !strings.Contains(strings.Join(e.Notes, ""), c.want) {
			t.Errorf("%s: %v", c.question, err)
		}
	}
}
