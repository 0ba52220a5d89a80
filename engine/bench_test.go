package engine_test

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// BenchmarkAppend appends to a store on the real disk: 64 callers with one event each, as visitors
// come, and four callers with batches.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ callers, batch int }{{64, 1}, {4, 100}, {4, 1000}} {
		b.Run(fmt.Sprintf("callers=%d/batch=%d", c.callers, c.batch), func(b *testing.B) { benchmarkAppend(b, c.callers, c.batch) })
	}
}

func benchmarkAppend(b *testing.B, callers, batch int) {
	folder := b.TempDir()
	e, err := engine.Open(folder, engine.Options{Now: clock, FreeBytesMin: -1, FreePercentMin: -1})
	if err != nil {
		b.Fatal(err)
	}
	made := eventtest.New(1, 10_000, 1000).Events(20_000)
	for i := range made {
		made[i].ID = "" // the same events come again and again, and must be kept
	}
	var turn atomic.Int64
	b.SetParallelism((callers + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			from := int(turn.Add(1)) * batch % (len(made) - batch)
			events := append([]event.Event{}, made[from:from+batch]...)
			if err := e.Append(context.Background(), 1, events); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	events := float64(e.Snapshot(1).AsOf())
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
	report, err := engine.Check(folder, engine.Options{Now: clock})
	if err != nil || len(report.Problems) > 0 {
		b.Fatal(report.Problems, err)
	}
	b.ReportMetric(float64(report.Bytes)/events, "log-B/event")
	b.ReportMetric(float64(size(b, folder))/events, "disk-B/event")
}

func size(b *testing.B, folder string) (total int64) {
	b.Helper()
	err := filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}

// BenchmarkOpen opens a store of 200,000 events.
func BenchmarkOpen(b *testing.B) {
	folder := b.TempDir()
	opt := engine.Options{Now: clock, FreeBytesMin: -1, FreePercentMin: -1}
	e, err := engine.Open(folder, opt)
	if err != nil {
		b.Fatal(err)
	}
	gen := eventtest.New(1, 10_000, 1000)
	const events = 200_000
	for range events / 1000 {
		if err := e.Append(context.Background(), 1, gen.Events(1000)); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := engine.Open(folder, opt)
		if err != nil {
			b.Fatal(err)
		}
		if got := e.Snapshot(1).AsOf(); got != events {
			b.Fatal(got)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
}
