package querytest

import (
	"fmt"
	"testing"

	"millimetric/query"
)

// BenchmarkOneUser asks for the last events of one user in histories of which one has ten times as many
// events: that must not show, once segments were asked about users before.
//
//	go test ./query/querytest -run - -bench OneUser
func BenchmarkOneUser(b *testing.B) {
	for _, rows := range []int{*speedRows / 10, *speedRows} {
		source := speedSource(rows)
		for _, c := range []struct{ name, user string }{{"seldom", "u400"}, {"often", "u100"}} {
			b.Run(fmt.Sprintf("%s/rows=%d", c.name, rows), func(b *testing.B) {
				b.ReportAllocs()
				memo := query.NewMemo(32 << 20)
				ask := func() {
					q, err := parse("query?limit=100&from=2026-03-01&to=2026-04-01&user_id=" + c.user)
					if err != nil {
						b.Fatal(err)
					}
					q.Settings().Memo = memo
					if _, err := query.Run(b.Context(), source, q); err != nil {
						b.Fatal(err)
					}
				}
				ask() // what is asked for twice is kept
				ask()
				start := cpu()
				for b.Loop() {
					ask()
				}
				b.ReportMetric(float64(cpu()-start)/float64(b.N)/1e6, "cpu-ms/op")
			})
		}
	}
}
