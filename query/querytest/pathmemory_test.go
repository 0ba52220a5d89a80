package querytest

import (
	"strings"
	"testing"

	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// A mark of each event would take more than twice what these questions may have: what is kept is the stops, in few
// bytes each, and the marks of a block of visitors.
func TestPathsOfVisitorsNeedNoListOfAllEvents(t *testing.T) {
	const events, allowance = 100_000, 6 << 20
	source := NewDays(numbered(eventtest.New(5, 60_000, 20_000).Events(events)))
	for _, question := range []string{
		"paths?start=$pageview&events=$pageview,view_item,add_to_cart,signup,purchase&steps=4&limit=3",
		"paths?end=$pageview&events=$pageview,view_item,add_to_cart,signup,purchase&scope=window&window=9d&limit=2",
	} {
		for actor, fits := range map[string]bool{"visitor": true, "session": false} {
			q, err := parse(question + "&from=2026-03-01&to=2026-06-01&actor=" + actor)
			if err != nil {
				t.Fatal(err)
			}
			q.Settings().Allowance = query.NewAllowance(allowance)
			if got := answer(source, q); strings.Contains(got, `"root":{`) != fits {
				t.Errorf("%s, actor %s: %.300s", question, actor, got)
			}
		}
	}
}
