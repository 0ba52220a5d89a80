package engine_test

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"millimetric/engine"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// BenchmarkAppend appends to a store on the real disk: 64 callers with one event each, as visitors
// come, and four callers with batches; as it is, and without encryption.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ callers, batch int }{{64, 1}, {4, 100}, {4, 1000}} {
		name := fmt.Sprintf("callers=%d/batch=%d", c.callers, c.batch)
		b.Run(name, func(b *testing.B) { benchmarkAppend(b, c.callers, c.batch, benchOptions()) })
		b.Run(name+"/clear", func(b *testing.B) { benchmarkAppend(b, c.callers, c.batch, engine.InClear(benchOptions())) })
	}
}

func benchOptions() engine.Options {
	return engine.Options{Now: clock, CipherKey: enginetest.CipherKey, FreeBytesMin: -1, FreePercentMin: -1}
}

func benchmarkAppend(b *testing.B, callers, batch int, opt engine.Options) {
	folder := b.TempDir()
	e, err := engine.Open(folder, opt)
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
	before := cpu(b)
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
	busy := cpu(b) - before
	events := float64(e.Snapshot(1).AsOf())
	b.ReportMetric(float64(busy.Nanoseconds())/events, "cpu-ns/event")
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
	report, err := engine.Check(folder, opt)
	if err != nil || len(report.Problems) > 0 {
		b.Fatal(report.Problems, err)
	}
	b.ReportMetric(float64(report.Bytes)/events, "log-B/event")
	b.ReportMetric(float64(size(b, folder))/events, "disk-B/event")
}

// BenchmarkEncryption appends events until they are sealed and merged, by turns as it is and without
// encryption, and reports what an event costs of the processor's time, and what part of it encrypting is.
// Whatever else the machine does shows in each turn, and for longer than one: so each is held against the one beside
// it, and the part is the median of these pairs, with the bounds between which it lies in 95 of 100 runs.
func BenchmarkEncryption(b *testing.B) {
	const events = 200_000
	var encrypted, clear, shares []float64
	for round := 0; b.Loop(); round++ {
		costs := [2]float64{}
		for turn := range costs {
			which := (turn + round) % 2
			opt := benchOptions()
			if which == 1 {
				opt = engine.InClear(opt)
			}
			costs[which] = costOfSealing(b, opt, events)
		}
		encrypted, clear = append(encrypted, costs[0]), append(clear, costs[1])
		shares = append(shares, 100*(costs[0]-costs[1])/costs[1])
	}
	slices.Sort(encrypted)
	slices.Sort(clear)
	slices.Sort(shares)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(encrypted[len(encrypted)/2], "cpu-ns/event")
	b.ReportMetric(clear[len(clear)/2], "clear-cpu-ns/event")
	b.ReportMetric(shares[len(shares)/2], "%-of-encryption")
	least := max(0, int(float64(len(shares))/2-0.98*math.Sqrt(float64(len(shares)))))
	b.ReportMetric(shares[least], "%-at-least")
	b.ReportMetric(shares[len(shares)-1-least], "%-at-most")
}

// costOfSealing returns the processor's nanoseconds for an event, from Append to a merged segment.
func costOfSealing(b *testing.B, opt engine.Options, events int) float64 {
	b.Helper()
	opt.SealRows = events / 8
	e, err := engine.Open(b.TempDir(), opt)
	if err != nil {
		b.Fatal(err)
	}
	batches := slices.Collect(slices.Chunk(eventtest.NewTraffic(1, eventtest.Start, 100).Events(events), 1000))
	runtime.GC()
	before := cpu(b)
	for _, batch := range batches {
		if err := e.Append(context.Background(), 1, batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Compact(context.Background()); err != nil {
		b.Fatal(err)
	}
	spent := cpu(b) - before
	if sealed := e.Footprint(1).Sealed; sealed != uint64(events) {
		b.Fatalf("%d events of %d are sealed", sealed, events)
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	return float64(spent.Nanoseconds()) / float64(events)
}

// cpu is what the process has used so far. Times on the clock are the disk's more than ours.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
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

// BenchmarkOpen opens a store of 200,000 events; as it is, and without encryption.
func BenchmarkOpen(b *testing.B) {
	b.Run("encrypted", func(b *testing.B) { benchmarkOpen(b, benchOptions()) })
	b.Run("clear", func(b *testing.B) { benchmarkOpen(b, engine.InClear(benchOptions())) })
}

func benchmarkOpen(b *testing.B, opt engine.Options) {
	folder := b.TempDir()
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
