package querytest

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// TestModelAndPathsAgree asks random questions about paths and about now of histories that are dense
// in repeats, equal times and shared visits.
func TestModelAndPathsAgree(t *testing.T) {
	histories, questions := 800, 10
	if testing.Short() {
		histories = 60
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d questions", seed, histories*questions)
	walked := 0
	for i := range histories {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		events := denseHistory(r)
		model := Model{Events: events, Walk: NewWalk()}
		sources := sourcesOf(r, &model)
		for range questions {
			question := randomPaths(r, len(events))
			q, err := parse(question)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, readable(question), err)
			}
			q.Settings().Now = eventtest.Start + event.Time(r.IntN(100)*60_000)
			want := model.Answer(q)
			for name, source := range sources {
				if got := unexplained(answer(source, q)); got != want {
					t.Fatalf("seed %d, history %d, floor %d: %s\nquery, %s: %s\nmodel: %s", seed, i, model.Floor, readable(question), name, got, want)
				}
			}
			if got := want; strings.Count(got, `"kind"`) > 3 || strings.Contains(got, `"paths":[{`) {
				walked++
			}
		}
	}
	if all := histories * questions; walked < all/6 {
		t.Errorf("seed %d: only %d of %d answers have walks", seed, walked, all)
	}
}

// denseHistory makes events of few actors on few pages in few minutes, half of them page views.
func denseHistory(r *rand.Rand) []event.Event {
	events := eventtest.New(r.Uint64(), 1+r.IntN(4), 1+r.IntN(240_000)).Events(r.IntN(50))
	for i := range events {
		e := &events[i]
		e.Seq = event.Seq(i + 1)
		if e.Time < eventtest.Start {
			e.Time = eventtest.Start + event.Time(r.IntN(3)*60_000)
		}
		if r.IntN(4) > 0 {
			e.Time -= e.Time % 60_000
		}
		if r.IntN(2) == 0 {
			e.Name = "$pageview"
		}
		e.Path = one(r, []string{"", "/", "/", "/a", "/b", "signup"})
		e.SessionID = one(r, []string{"s1", "s2", "s2"})
	}
	return events
}

func randomPaths(r *rand.Rand, events int) string {
	from := eventtest.Start + event.Time(r.IntN(60)-20)*60_000
	to := from + event.Time(1+r.IntN(120))*60_000
	if r.IntN(3) == 0 {
		from, to = 0, event.TimeMax
	}
	params := url.Values{}
	sometimes := func(name string, values ...string) {
		if r.IntN(2) == 0 {
			params.Set(name, one(r, values))
		}
	}
	sometimes("include_bots", "true", "false")
	sometimes("actor", "visitor", "user", "person", "session")
	if r.IntN(4) == 0 {
		params.Set("filters", "["+columnFilter(r)+"]")
	}
	if r.IntN(8) == 0 {
		sometimes("window", "1s", "90s", "5m", "1h", "24h")
		sometimes("limit", "1", "2", "100")
		sometimes("compare", "previous_period")
		if r.IntN(3) == 0 {
			params.Set("as_of", strconv.Itoa(r.IntN(events+1)))
		}
		return "live?" + params.Encode()
	}
	params.Set("from", from.Std().Format(time.RFC3339Nano))
	params.Set("to", to.Std().Format(time.RFC3339Nano))
	if r.IntN(4) == 0 {
		params.Set("as_of", strconv.Itoa(r.IntN(events+1)))
	}
	params.Set(one(r, []string{"start", "end"}), one(r, []string{
		"$pageview", "signup", "view_item", `{"event":"$pageview","filters":[{"field":"path","op":"eq","value":"/"}]}`,
		`{"event":"$pageview","filters":[` + columnFilter(r) + `],"name":"landing"}`,
		`{"any_of":[{"event":"signup"},{"event":"$pageview","filters":[{"field":"path","op":"prefix","value":"/a"}]}]}`,
	}))
	sometimes("steps", "1", "2", "3", "20")
	sometimes("events", "$pageview,signup", "signup,view_item", "$pageview,purchase,add_to_cart,view_item", "nothing")
	sometimes("first_only", "true", "false")
	sometimes("limit", "1", "2", "3", "200")
	if from > 0 {
		sometimes("compare", "previous_period")
	}
	if r.IntN(2) == 0 {
		params.Set("scope", "window")
		sometimes("window", "1s", fmt.Sprint(1+r.IntN(20), "m"), "1h", "3d")
	}
	return "paths?" + params.Encode()
}
