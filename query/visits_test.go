package query

import (
	"context"
	"testing"
	"time"

	"millimetric/index/event"
)

// Of a sealed entry its place is kept alone, so a list of visits needs little more memory than their number.
func TestAListOfVisitsNeedsLittleMoreThanTheirNumber(t *testing.T) {
	const visits = 20_000
	source := &pieces{}
	source.add(t, visits, 3)
	allowance := NewAllowance(visits * 12 * entryBytes * 8 / allowanceEach)
	for _, list := range []bool{false, true} {
		q := &Sessions{Common: Common{To: event.TimeMax + 1, Zone: time.UTC, Allowance: allowance}, List: list, Limit: 5}
		answer, err := Run(context.Background(), source, q)
		if err != nil {
			t.Errorf("list %t: %v", list, err)
			continue
		}
		if want := map[bool]int{false: 1, true: 5}[list]; len(answer.Rows) != want {
			t.Errorf("list %t: %d rows", list, len(answer.Rows))
		}
	}
}
