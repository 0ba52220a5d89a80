package ingest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// benchEvent is about 410 bytes, the size of a page view as the browser script sends it.
func benchEvent(i int) string {
	return fmt.Sprintf(`{"event":"$pageview","event_id":"0197f2c4-7b1e-7c3a-9a51-%012d","timestamp":"2026-05-01T11:%02d:%02d.%03dZ","anonymous_id":"3f0c1d8e-5a77-4b0e-8d0f-%012d",`+
		`"url":"https://shop.example/products/%d?utm_source=newsletter&utm_medium=email","referrer":"https://www.google.com/",`+
		`"properties":{"$title":"Product %d","$lang":"en-GB","$viewport":"1440x900","price_cents":%d}}`,
		i, i/60%60, i%60, i%1000, i%97, i%200, i%200, i*37%10000)
}

func benchBatch(n int) []byte {
	events := make([]string, n)
	for i := range events {
		events[i] = benchEvent(i)
	}
	return []byte(`{"events":[` + strings.Join(events, ",") + `]}`)
}

func benchPipeline(b *testing.B) *Pipeline {
	b.Helper()
	p, err := New(Options{Appender: nowhere{}, Salts: &fixedSalts{}, Now: func() time.Time { return testNow }})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkDecodeStrictly walks strictly and validates, and makes no events.
func BenchmarkDecodeStrictly(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			body := benchBatch(n)
			r := reader{visits: newVisitMemo()}
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for range b.N {
				r.open(body)
				q := request{reader: &r, many: true, form: form{now: 1777636800789, place: placeNone}}
				// A mistake at hand keeps events from being made.
				q.form.fail("bench", "")
				if err := q.walk(); err != nil || q.form.count != 1 {
					b.Fatal(err, q.form.fields)
				}
			}
			perEvent(b, n)
		})
	}
}

// BenchmarkDecode reads the same bodies with the quick scanner alone.
func BenchmarkDecode(b *testing.B) {
	body := benchBatch(1000)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for range b.N {
		s := scanner{body: body, text: string(body)}
		s.take('{')
		var known keys
		if _, ok := s.key(&known); !ok || !s.take('[') {
			b.Fatal("no list")
		}
		for more := true; more; more = s.take(',') {
			if _, ok := s.value(0); !ok {
				b.Fatal("no event at", s.at)
			}
		}
	}
	perEvent(b, 1000)
}

// BenchmarkPipeline is all that happens between the body and the Appender.
func BenchmarkPipeline(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			p, body, caller := benchPipeline(b), benchBatch(n), browser()
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for range b.N {
				if count, err := p.Batch(context.Background(), caller, body); err != nil || count != n {
					b.Fatal(count, err)
				}
			}
			perEvent(b, n)
		})
	}
}

func perEvent(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
}
