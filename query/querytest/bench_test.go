package querytest

import (
	"syscall"
	"testing"
	"time"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
)

// inOrder is a source that costs as little as a source can.
type inOrder struct {
	Slice
	visitors []uint32 // by event
}

func (s inOrder) Live(from, to event.Time, yield func(e *event.Event, visitor uint32) bool) error {
	for i := range s.Slice {
		if e := &s.Slice[i]; e.Time >= from && e.Time < to && !yield(e, s.visitors[i]) {
			break
		}
	}
	return nil
}

func BenchmarkQuestions(b *testing.B) {
	const rows = 100_000
	events := inOrder{Slice: eventtest.New(1, 5_000, 5_000).Events(rows)}
	ordinals := ordinalsOf(events.Slice)
	for i := range events.Slice {
		events.Slice[i].Seq = event.Seq(i + 1)
		events.visitors = append(events.visitors, ordinals[events.Slice[i].AnonymousID])
	}
	benchmark(b, events, rows)
}

// BenchmarkSealed asks the same of events that lie in segments by their days.
func BenchmarkSealed(b *testing.B) {
	const rows = 1_000_000
	events := numbered(eventtest.New(1, 80_000, 30*24*3600*1000/rows).Events(rows))
	benchmark(b, NewDays(events), rows)
}

// questions are some of each kind. None is about a property that most segments have no column of.
var questions = []struct{ name, question string }{
	{"count", "stats?"},
	{"uniques", "stats?metric=uniques"},
	{"persons", "stats?metric=uniques&actor=person"},
	{"count by source and medium", "stats?group_by=source,medium"},
	{"count by day in Berlin", "stats?interval=day&tz=Europe/Berlin"},
	{"uniques by path and hour", "stats?metric=uniques&interval=hour&group_by=path"},
	{"column filter", `stats?filters=[{"field":"country","op":"eq","value":"DE"}]`},
	{"property filter", `stats?filters=[{"field":"properties.plan","op":"eq","value":"pro"}]`},
	{"sources", "sources?"},
	{"newest events", "query?"},
	{"sum", "stats?metric=sum(amount_cents)"},
	{"p90 by path", "stats?metric=p90(amount_cents)&group_by=path"},
	{"uniques by path, the rest of 3", "stats?metric=uniques&group_by=path&limit=3&explain=true"},
	{"sources against before", "sources?compare=previous_period"},
	{"paths in visits", "paths?start=$pageview"},
	{"paths in a window", "paths?start=signup&scope=window&window=1d&events=$pageview,signup,purchase,add_to_cart"},
	{"credit, 7 models", "attribution?conversion=purchase&models=first,last,last_non_direct,linear,position,time_decay,participation&value=properties.amount_cents"},
	{"credit of persons by page", "attribution?conversion=purchase&models=linear&group_by=entry_path,referrer_host&actor=person"},
	{"credit, data driven", "attribution?conversion=purchase&models=data_driven&group_by=source,medium,campaign"},
	{"credit for every page view", "attribution?conversion=$pageview&models=linear,time_decay&lookback=0"},
	{"visits", "sessions?"},
	{"visits by entry page and day", "sessions?group_by=entry_path&interval=day"},
	{"visits by entry filter", `sessions?filters=[{"field":"entry.source","op":"eq","value":"google"}]`},
	{"funnel", "funnel?step=$pageview&step=signup&step=purchase"},
	{"strict funnel", "funnel?order=strict&step=$pageview&step=signup&step=purchase"},
	{"funnel in any order", "funnel?order=any&step=view_item&step=signup&step=purchase"},
	{"funnel of persons", "funnel?actor=person&step=$pageview&step=signup&step=purchase"},
	{"funnel by first touch", "funnel?breakdown=first_touch.source&step=$pageview&step=signup&step=purchase"},
	{"funnel with hold", "funnel?hold=country&breakdown=properties.plan&step=$pageview&step=signup&step=purchase"},
	{"retention", "retention?birth=$pageview&return=$pageview&period=week"},
}

func benchmark(b *testing.B, source query.Source, rows int) {
	for _, c := range questions {
		b.Run(c.name, func(b *testing.B) {
			q, err := parse(c.question + "&from=2026-01-01&to=2027-01-01")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			start := cpu()
			for b.Loop() {
				if _, err := query.Run(b.Context(), source, q); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/float64(rows), "cpu-ns/row")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		})
	}
}

// cpu returns the processor time of the process, which tells more than the clock where others work
// on the same processors.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
