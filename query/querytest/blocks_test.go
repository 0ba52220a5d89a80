package querytest

import (
	"strconv"
	"strings"
	"testing"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// Of visitors without users, questions about visitors go through blocks of them, and questions about
// persons one by one, whatever segments their events lie in: the answers must be the same.
func TestBlocksOfVisitorsAnswerAsPersonsDo(t *testing.T) {
	const whole = "&from=2026-03-28&to=2026-04-20"
	events := eventtest.New(11, 30_000, 80_000).Events(25_000)
	for i := range events {
		e := &events[i]
		e.Seq, e.UserID = event.Seq(i+1), ""
		if i%9 == 0 { // a visit of many days
			e.SessionID, e.SessionDerived = "long-"+strconv.Itoa(i%2), false
		}
	}
	sources := map[string]*Sealed{"days": NewDays(events), "cut 1": NewSealed(events, 1)}
	if !testing.Short() {
		sources["cut 2"], sources["cut 3"] = NewSealed(events, 2), NewSealed(events, 3)
	}
	for name, sealed := range sources {
		for _, question := range []string{
			"funnel?step=$pageview&step=add_to_cart&step=purchase",
			"funnel?step=view_item&step=$pageview&step=purchase&window=1d",
			"funnel?step=signup&step=$pageview&order=strict",
			"funnel?step=signup&step=$pageview&step=purchase&order=any",
			"funnel?step=$pageview&step=purchase&maturity=mature",
			"funnel?step=$pageview&step=purchase&hold=country",
			"funnel?step=$pageview&step=purchase&breakdown=country&include_bots=true",
			"funnel?step=$pageview&step=purchase&breakdown=first_touch.source",
			"funnel?step=view_item&step=signup&breakdown=first_touch.campaign&window=3d",
			`funnel?breakdown=first_touch.medium&steps=[{"event":"$pageview","filters":[{"field":"country","op":"eq","value":"US"}]},{"event":"purchase"}]`,
			`funnel?exclude=[{"event":"signup","after":1,"before":2}]&step=$pageview&step=purchase`,
			"attribution?conversion=purchase&models=first,last,last_non_direct,linear,time_decay&value=properties.amount_cents",
			"attribution?conversion=signup&models=linear,participation&lookback=0&group_by=campaign",
			"attribution?conversion=purchase&models=data_driven&group_by=source",
			`attribution?conversion=purchase&models=linear&touch_filters=[{"field":"source","op":"ne","value":"google"}]`,
			"sessions?",
			"sessions?group_by=source,entry_path&interval=day&compare=previous_period&limit=1000",
			"sessions?group_by=country,exit_path&limit=1000&include_bots=true",
			`sessions?group_by=country&filters=[{"field":"entry.path","op":"ne","value":"/"},{"not":{"field":"entry.source","op":"eq","value":"google"}},{"field":"event_name","op":"eq","value":"view_item"}]`,
			"retention?birth=$pageview&return=$pageview&period=day",
			"retention?birth=$pageview&return=$pageview&period=day&tz=Asia/Kolkata&mode=unbounded",
			"retention?birth=purchase&return=purchase&period=week&birth_in=ever",
			"retention?birth=signup&return=purchase&period=day",
			"paths?start=$pageview",
			"paths?end=purchase&events=$pageview,view_item,add_to_cart,signup&limit=2",
			"paths?start=$pageview&events=$pageview,view_item&first_only=true&steps=3&compare=previous_period",
			"paths?start=$pageview&events=$pageview,signup,purchase&scope=window&window=5d&limit=3&steps=20",
			`paths?start={"any_of":[{"event":"signup"},{"event":"$pageview","filters":[{"field":"country","op":"eq","value":"DE"}]}]}&events=$pageview,purchase&include_bots=true`,
			`paths?end={"event":"$pageview","filters":[{"field":"path","op":"prefix","value":"/p"}]}&scope=window&window=2d`,
		} {
			visitors, persons := plainAnswer(t, sealed, question+whole), plainAnswer(t, sealed, question+whole+"&actor=person")
			if visitors != persons {
				t.Errorf("%s: %s\nvisitors: %s\npersons: %s", name, question, visitors, persons)
			}
			if !strings.ContainsAny(visitors, "123456789") {
				t.Errorf("%s: %s says nothing", name, question)
			}
		}
	}
}

// Visits that begin before a range, and those that go on after it, are told apart whatever comes first, live events or
// segments outside the range: as those of persons are, of visitors without users.
func TestVisitsOfARangeAreThoseOfPersons(t *testing.T) {
	events := eventtest.New(12, 20_000, 80_000).Events(20_000)
	for i := range events {
		e := &events[i]
		e.Seq, e.UserID = event.Seq(i+1), ""
		switch i % 5 {
		case 0: // a visit of many days
			e.SessionID, e.SessionDerived = "long-"+strconv.Itoa(i%2), false
		case 1: // late
			e.Time -= event.Time(i%7) * 86_400_000
			e.SessionID, e.SessionDerived = "late", false
		}
	}
	for seed := range uint64(3) {
		source := NewSealed(events, seed+1)
		for _, days := range []string{"from=2026-03-29&to=2026-03-30", "from=2026-04-05T01:10&to=2026-04-05T17:40", "from=2026-04-14&to=2026-04-25"} {
			for _, question := range []string{
				"sessions?group_by=entry_path,exit_path&compare=previous_period&limit=1000&",
				`sessions?filters=[{"field":"event_name","op":"in","value":["purchase","add_to_cart"]}]&interval=hour&`,
			} {
				visitors, persons := plainAnswer(t, source, question+days), plainAnswer(t, source, question+days+"&actor=person")
				if visitors != persons || !strings.ContainsAny(visitors, "123456789") {
					t.Errorf("seed %d: %s\nvisitors: %s\npersons: %s", seed, question+days, visitors, persons)
				}
			}
		}
	}
}

func plainAnswer(t *testing.T, source *Sealed, question string) string {
	t.Helper()
	q, err := parse(question)
	if err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	return unexplained(answer(source, q))
}
