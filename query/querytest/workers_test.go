package querytest

import (
	"fmt"
	"strconv"
	"testing"

	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// manyBlocks is a history of which the visitors lie in several blocks, in segments and live.
func manyBlocks(t *testing.T) map[string]query.Source {
	events := numbered(eventtest.New(14, 10_000, 80_000).Events(10_000))
	for i := range events {
		if i%9 == 0 { // a visit of many days
			events[i].SessionID, events[i].SessionDerived = "long-"+strconv.Itoa(i%2), false
		}
	}
	sources := map[string]query.Source{"sealed": NewSealed(events, 4)}
	if !testing.Short() {
		sources["sealed otherwise"], sources["hidden"] = NewSealed(events, 8), NewHidden(events, 12)
	}
	return sources
}

// How many work at a question shows neither in the answer nor in what it was about.
func TestAnswersAreTheSameHoweverManyWork(t *testing.T) {
	for name, source := range manyBlocks(t) {
		for _, question := range []string{
			"funnel?step=$pageview&step=add_to_cart&step=purchase",
			"funnel?step=view_item&step=$pageview&step=purchase&window=1d&compare=previous_period",
			"funnel?step=$pageview&step=purchase&breakdown=first_touch.source",
			"funnel?step=$pageview&step=view_item&step=purchase&breakdown=first_touch.campaign&limit=3",
			"funnel?step=$pageview&step=add_to_cart&step=purchase&order=any&list={\"dropped\":2}&limit=20",
			"funnel?step=$pageview&step=signup&order=strict&breakdown=country&limit=3&maturity=mature",
			`funnel?hold=country&exclude=[{"event":"signup"}]&step=$pageview&step=purchase&list={"reached":2}`,
			`funnel?breakdown=first_touch.source&steps=[{"event":"$pageview","filters":[{"field":"country","op":"eq","value":"US"}]},{"event":"purchase"}]`,
			"sessions?group_by=source,exit_path&limit=3",
			"sessions?group_by=country&interval=day&compare=previous_period&tz=Asia/Kolkata&limit=2",
			`sessions?filters=[{"or":[{"field":"entry.source","op":"eq","value":"google"},{"field":"event_name","op":"eq","value":"purchase"}]}]`,
			"sources?compare=previous_period&limit=2",
			`sources?breakdown=source&filters=[{"field":"country","op":"ne","value":"US"}]`,
			"stats?metric=uniques&group_by=path&limit=3",
			"stats?metric=uniques&group_by=path,country&interval=week&limit=4",
			"stats?metric=uniques&group_by=properties.plan&interval=day&compare=previous_period",
			"stats?metric=uniques&group_by=host,event_name,device_type&include_bots=true",
			`stats?metric=uniques&group_by=source,medium,campaign&filters=[{"field":"properties.plan","op":"exists","value":false}]&tz=Asia/Kolkata&interval=day&limit=5`,
		} {
			helped := query.NewWorkers(3, 1)
			for _, days := range []string{"from=2026-03-01&to=2026-04-20", "from=2026-03-03&to=2026-03-05"} {
				sameWithHelp(t, source, helped, 8<<20, name, question+"&explain=true&"+days)
			}
			if _, hired := helped.Counts(); hired < 4 {
				t.Errorf("%s: %s was answered with %d helpers", name, question, hired)
			}
		}
	}
}

// Credit is the same however many share it out.
func TestCreditIsTheSameHoweverManyWork(t *testing.T) {
	for name, source := range manyBlocks(t) {
		helped := query.NewWorkers(3, 1)
		for _, asked := range []string{
			"models=first&lookback=0&from=2026-03-01&to=2026-04-20",
			"models=first&lookback=0&value=properties.amount_cents&compare=previous_period&from=2026-03-03&to=2026-03-05",
			"models=first,last,last_non_direct,linear,position,time_decay,participation&value=properties.seats&from=2026-03-01&to=2026-04-20",
			"models=time_decay&count=first&group_by=source,campaign&limit=3&from=2026-03-01&to=2026-04-20",
			"models=linear,data_driven&from=2026-03-01&to=2026-04-20",
		} {
			for _, conversion := range []string{"$pageview", "purchase"} {
				sameWithHelp(t, source, helped, 8<<20, name, "attribution?explain=true&conversion="+conversion+"&"+asked)
			}
		}
		if _, hired := helped.Counts(); hired < 12 && name != "hidden" { // of segments that hide rows nothing is joined
			t.Errorf("%s: %d helpers shared out credit", name, hired)
		}
	}
}

// Where there is little room, what is known of some segments is joined with others, and by all who work at it.
func TestAnswersAreTheSameHoweverManyJoinWhatIsKnown(t *testing.T) {
	for name, source := range manyBlocks(t) {
		helped := query.NewWorkers(3, 1)
		question := "attribution?conversion=$pageview&models=first,linear&lookback=0&group_by=source,campaign&explain=true&from=2026-03-01&to=2026-04-20"
		sameWithHelp(t, source, helped, 400<<10, name, question)
		if _, hired := helped.Counts(); hired < 4 && name != "hidden" { // of segments that hide rows nothing is joined
			t.Errorf("%s: %d helpers joined", name, hired)
		}
	}
}

func sameWithHelp(t *testing.T, source query.Source, helpers *query.Workers, memoBytes int64, name, question string) {
	t.Helper()
	memo, others := query.NewMemo(memoBytes), query.NewMemo(memoBytes)
	ask := func(workers *query.Workers, memo *query.Memo) string {
		q, err := parse(question)
		if err != nil {
			t.Fatal(err)
		}
		q.Settings().Memo, q.Settings().Workers = memo, workers
		a, err := query.Run(t.Context(), source, q)
		if err != nil {
			t.Fatal(name, question, err)
		}
		cost := fmt.Sprint(" matched ", a.Cost.Matched, " of ", a.Cost.Segments, "-", a.Cost.Skipped)
		a.Explain.Cost = query.Cost{}
		return string(a.AppendJSON(nil)) + cost
	}
	for range 3 { // the first finds out what the memo keeps, or the second
		if alone, helped := ask(nil, others), ask(helpers, memo); alone != helped {
			t.Fatalf("%s: %s\nalone  %s\nhelped %s", name, question, alone, helped)
		}
	}
	if busy, _ := helpers.Counts(); busy != 0 {
		t.Errorf("%s: %s: %d still work", name, question, busy)
	}
}
