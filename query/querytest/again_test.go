package querytest

import (
	"fmt"
	"testing"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// What is kept of users, and of the texts that were taken apart for them, must not show in answers: whether it
// is the first question about somebody, the one that finds out what is kept, or one after that.
func TestQuestionsAboutOneUserAnswerTheSameAgain(t *testing.T) {
	events := numbered(eventtest.New(11, 300, 60_000).Events(4_000))
	for i := range events {
		if i%3 == 0 {
			events[i].UserID = fmt.Sprintf("user-%d", i%40)
		}
	}
	kept := uint64(0)
	for seed := range uint64(4) {
		for name, source := range map[string]query.Source{"sealed": NewSealed(events, seed), "hidden": NewHidden(events, seed)} {
			memo := query.NewMemo(8 << 20)
			found := 0
			for i := range 45 {
				question := fmt.Sprintf("query?from=2026-01-01&to=2027-01-01&explain=true&limit=50&include_bots=%t&user_id=user-%d", i%2 == 0, i)
				if sameAgain(t, source, question, memo, seed, name) != "[]" {
					found++
				}
			}
			if found < 20 {
				t.Errorf("seed %d, %s: only %d users were found", seed, name, found)
			}
			hits, _ := memo.Counts()
			kept += hits
		}
	}
	if kept == 0 {
		t.Error("nothing was kept")
	}
}

// sameAgain asks a question with nothing kept, and then with a memo: the question that finds out what is kept, and
// those after it, must answer the same. It returns the rows.
func sameAgain(t *testing.T, source query.Source, question string, memo *query.Memo, seed uint64, name string) string {
	t.Helper()
	q, err := parse(question)
	if err != nil {
		t.Fatal(err)
	}
	rows, first := answerWith(t, source, q, nil, workers)
	for range 3 {
		if _, again := answerWith(t, source, q, memo, workers); again != first {
			t.Fatalf("seed %d, %s: %s\nnow  %s\nbefore %s", seed, name, question, again, first)
		}
	}
	return rows
}

// answerWith asks a question and returns the rows of the answer, and all of it but what it cost.
func answerWith(t *testing.T, source query.Source, q query.Question, memo *query.Memo, helpers *query.Workers) (rows, whole string) {
	t.Helper()
	q.Settings().Memo, q.Settings().Workers = memo, helpers
	a, err := query.Run(t.Context(), source, q)
	if err != nil {
		t.Fatal(err)
	}
	lists := make([]query.Value, len(a.Rows))
	for i, row := range a.Rows {
		lists[i] = query.List(row)
	}
	all := query.List(lists)
	return string(all.AppendJSON(nil)), string(query.List([]query.Value{query.Object(a.Head...), all, query.Object(a.Foot...)}).AppendJSON(nil))
}

// sealedWays are the events in segments: cut by chance, with others that are hidden, and by days.
func sealedWays(events []event.Event, seed uint64) map[string]query.Source {
	return map[string]query.Source{"sealed": NewSealed(events, seed), "hidden": NewHidden(events, seed), "days": NewDays(events)}
}

// What filters left of a segment is kept from the second question on.
func TestFilteredQuestionsAnswerTheSameAgain(t *testing.T) {
	events := numbered(eventtest.New(12, 300, 200_000).Events(4_000))
	kept := uint64(0)
	for seed := range uint64(3) {
		for name, source := range sealedWays(events, seed) {
			memo := query.NewMemo(8 << 20)
			for _, filters := range []string{
				`[{"field":"country","op":"eq","value":"DE"}]`, `[{"field":"country","op":"ne","value":"DE"}]`, `[{"field":"country","op":"in","value":["DE","US"]}]`,
				`[{"field":"country","op":"in","value":["DEUS"]}]`, `[{"field":"path","op":"prefix","value":"/p"},{"field":"device_type","op":"eq","value":"mobile"}]`,
				`[{"field":"user_id","op":"exists","value":true}]`, `[{"field":"user_id","op":"exists","value":false}]`,
			} {
				for _, question := range []string{
					"metric=uniques", "metric=uniques&interval=day", "interval=day", "", "metric=uniques&group_by=path", "metric=uniques&group_by=source", "group_by=country&include_bots=true",
					"metric=uniques&include_bots=true", "metric=uniques&event=$pageview", "metric=uniques&group_by=path&compare=previous_period",
				} {
					for _, days := range []string{"from=2026-01-01&to=2027-01-01", "from=2026-03-31&to=2026-04-03"} {
						sameAgain(t, source, "stats?"+days+"&"+question+"&filters="+filters, memo, seed, name)
					}
				}
			}
			hits, _ := memo.Counts()
			kept += hits
		}
	}
	if kept < 1000 {
		t.Errorf("only %d things were in the memo", kept)
	}
}

// Weeks of two zones may begin with the same days and end at another hour: what is kept of one must not show in the other.
func TestQuestionsInOtherZonesAnswerTheSameAgain(t *testing.T) {
	events := numbered(eventtest.New(15, 3_000, 600_000).Events(6_000))
	kept := uint64(0)
	for seed := range uint64(6) {
		source, memo := NewSealed(events, seed), query.NewMemo(8<<20)
		for _, question := range []string{
			"retention?birth=$pageview&return=$pageview&period=week", "stats?metric=uniques&interval=week", "stats?metric=uniques&interval=month", "stats?metric=uniques",
		} {
			for _, zone := range []string{"Europe/London", "UTC", "Europe/Lisbon", "Europe/Berlin"} {
				sameAgain(t, source, question+"&from=2026-03-02&to=2026-04-06&tz="+zone, memo, seed, "sealed")
			}
		}
		hits, _ := memo.Counts()
		kept += hits
	}
	if kept == 0 {
		t.Error("nothing was kept")
	}
}

// Who was born in a bucket depends on the buckets before it, and how many came back on those after it: cohorts of one
// question must not show in another one's.
func TestRetentionsAnswerTheSameAgain(t *testing.T) {
	events := numbered(eventtest.New(16, 3_000, 600_000).Events(6_000))
	kept := uint64(0)
	for seed := range uint64(3) {
		for name, source := range sealedWays(events, seed) {
			memo := query.NewMemo(8 << 20)
			for _, days := range []string{"from=2026-03-02&to=2026-04-06", "from=2026-03-10&to=2026-04-01"} {
				for _, more := range []string{
					"period=week", "period=week&birth_in=ever", "period=day&periods=20", "period=day&periods=20&mode=unbounded", "period=month", "period=week&include_bots=true",
					"period=week&compare=previous_period",
				} {
					for _, event := range []string{"$pageview", "purchase"} {
						for _, zone := range []string{"Europe/London", "UTC", "Europe/Lisbon", "Europe/Berlin"} {
							sameAgain(t, source, "retention?"+days+"&"+more+"&birth="+event+"&return="+event+"&tz="+zone, memo, seed, name)
						}
					}
				}
			}
			hits, _ := memo.Counts()
			kept += hits
		}
	}
	if kept < 1000 {
		t.Errorf("only %d things were in the memo", kept)
	}
}

// Where there is no room to keep where all visits begin, those of visitors with conversions are kept; others who
// have some in another question are added to them.
func TestCreditsAreTheSameAgainWhereThereIsLittleRoom(t *testing.T) {
	events := numbered(eventtest.New(13, 6_000, 100_000).Events(20_000))
	for i := range events {
		if name := events[i].Name; name == "purchase" || name == "signup" {
			events[i].Name = "view_item"
		}
		switch i % 400 {
		case 100:
			events[i].Name = "purchase"
		case 300:
			events[i].Name = "signup"
		}
	}
	kept := uint64(0)
	for seed := range uint64(2) {
		for name, source := range sealedWays(events, seed) {
			memo := query.NewMemo(100 << 10)
			for _, conversion := range []string{
				"purchase", `{"event":"signup","filters":[{"field":"country","op":"eq","value":"DE"}]}`, `{"any_of":[{"event":"purchase"},{"event":"signup"}]}`, "purchase",
			} {
				for _, days := range []string{"from=2026-03-05&to=2026-03-19", "from=2026-01-01&to=2027-01-01"} {
					for _, more := range []string{"lookback=0&models=first", "models=linear,last_non_direct", "models=linear&include_bots=true", "models=position&group_by=entry_path"} {
						sameAgain(t, source, "attribution?"+days+"&"+more+"&conversion="+conversion, memo, seed, name)
					}
				}
			}
			hits, _ := memo.Counts()
			kept += hits
		}
	}
	if kept < 100 {
		t.Errorf("only %d things were in the memo", kept)
	}
}
