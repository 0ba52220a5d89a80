package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/ingest"
)

// costEvents is how many events BenchmarkIngest sends.
var costEvents = flag.Int("cost-events", 1_500_000, "events that BenchmarkIngest sends")

// BenchmarkIngest is what an event costs from the body of its request to a merged segment, in time of
// the processor, so that whatever else runs on the machine changes little: read is the work before the
// store, whole is all of it, sealing and merging included.
func BenchmarkIngest(b *testing.B) {
	b.Run("read/batch=100", func(b *testing.B) { benchmarkIngest(b, 100, nil) })
	b.Run("read/batch=1000", func(b *testing.B) { benchmarkIngest(b, 1000, nil) })
	b.Run("whole/batch=100", func(b *testing.B) { benchmarkIngest(b, 100, openStore(b)) })
	b.Run("whole/batch=1000", func(b *testing.B) { benchmarkIngest(b, 1000, openStore(b)) })
}

// openStore opens a new store.
func openStore(b *testing.B) *engine.Engine {
	b.Helper()
	e, err := engine.Open(b.TempDir(), engine.Options{
		Now: time.Now, FreeBytesMin: -1, FreePercentMin: -1,
		CipherKey: func(project event.Project, bucket int32) ([32]byte, error) {
			return sha256.Sum256(fmt.Appendf(nil, "bench %d/%d", project, bucket)), nil
		},
		Fatal: func(reason string) { panic(reason) },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	})
	return e
}

type nowhere struct{}

func (nowhere) Append(context.Context, event.Project, []event.Event) error { return nil }

type oneSalt struct{}

func (oneSalt) Salt(event.Project, int64, string) (salt [32]byte, err error) { return salt, nil }

func benchmarkIngest(b *testing.B, batch int, e *engine.Engine) {
	var appender ingest.Appender = nowhere{}
	if e != nil {
		appender = e
	}
	pipeline, err := ingest.New(ingest.Options{Appender: appender, Salts: oneSalt{}, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	f := flood{pipeline: pipeline, batch: batch}
	sent := 0
	b.ResetTimer()
	before, gcBefore := cpuTime(syscall.RUSAGE_SELF), gcTime()
	for b.Loop() {
		f.send(b, *costEvents)
		sent += *costEvents
		if e != nil {
			settle(b, e)
		}
	}
	b.StopTimer()
	spent, gc := cpuTime(syscall.RUSAGE_SELF)-before-time.Duration(f.making.Load()), gcTime()-gcBefore
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(spent.Nanoseconds())/float64(sent), "cpu-ns/event")
	b.ReportMetric(gc*1e9/float64(sent), "gc-ns/event")
	b.ReportMetric(float64(sent)/f.sending.Seconds(), "events/s")
	b.ReportMetric(float64(f.refused.Load()), "refused")
	b.ReportMetric(float64(residentMost())/(1<<20), "MiB-most")
	if e != nil && e.Footprint(0).Events != uint64(sent) {
		b.Fatalf("sent %d events, kept %d", sent, e.Footprint(0).Events)
	}
}

// settle waits until the store has sealed and merged all that it does by itself.
func settle(b *testing.B, e *engine.Engine) {
	b.Helper()
	for calm := 0; calm < 20; {
		before := cpuTime(syscall.RUSAGE_SELF)
		time.Sleep(50 * time.Millisecond)
		if cpuTime(syscall.RUSAGE_SELF)-before > 5*time.Millisecond {
			calm = 0
		}
		calm++
	}
}

// flood sends batches from four goroutines.
type flood struct {
	pipeline *ingest.Pipeline
	batch    int

	senders int
	making  atomic.Int64 // nanoseconds of the processor that making the bodies took
	refused atomic.Int64
	sending time.Duration
}

func (f *flood) send(b *testing.B, events int) {
	start := time.Now()
	var left atomic.Int64
	left.Store(int64(events / f.batch))
	var wait sync.WaitGroup
	for range 4 {
		f.senders++
		i := f.senders
		wait.Go(func() {
			source := eventtest.NewTraffic(uint64(i), event.TimeOf(time.Now().Add(-time.Hour)), 100)
			var body []byte
			for left.Add(-1) >= 0 {
				body = f.make(source, body[:0])
				if err := f.one(body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	f.sending += time.Since(start)
}

// make makes the body of a batch, and counts the time that this takes.
func (f *flood) make(source *eventtest.Traffic, body []byte) []byte {
	runtime.LockOSThread() // so that the time of this thread is that of this goroutine
	defer runtime.UnlockOSThread()
	before := cpuTime(syscall.RUSAGE_THREAD)
	body = source.AppendBatch(body, f.batch)
	f.making.Add(int64(cpuTime(syscall.RUSAGE_THREAD) - before))
	return body
}

// one sends a batch until it is taken.
func (f *flood) one(body []byte) error {
	caller := ingest.Caller{
		Site: ingest.Site{Project: 1}, Addr: netip.MustParseAddr("81.2.69.142"),
		Agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	}
	for {
		_, err := f.pipeline.Batch(context.Background(), caller, body)
		if !errors.Is(err, event.ErrLimit) {
			return err
		}
		f.refused.Add(1)
		time.Sleep(20 * time.Millisecond)
	}
}

func cpuTime(who int) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(who, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// gcTime returns the seconds that the collector has taken of the processors so far, but for idle ones.
func gcTime() float64 {
	samples := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"}}
	metrics.Read(samples)
	return samples[0].Value.Float64() - samples[1].Value.Float64()
}

// residentMost returns the most memory that the process has had so far, in bytes.
func residentMost() int {
	text, _ := os.ReadFile("/proc/self/status")
	_, text2, _ := strings.Cut(string(text), "VmHWM:")
	field := strings.Fields(text2 + " 0")[0]
	n, _ := strconv.Atoi(field)
	return n << 10
}
