package ids

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// perHash reports what a hash took: by the clock, and of the processor's time. The latter is what to
// compare on a machine that has other work. One iteration has count hashes.
func perHash(b *testing.B, used time.Duration, count int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/hash")
	b.ReportMetric(float64((cpu()-used).Nanoseconds())/float64(b.N)/float64(count), "cpu-ns/hash")
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkHash(b *testing.B) {
	for _, id := range []string{"evt_1234567", "0190163d-8694-739b-aea5-966c26f8ad91", fmt.Sprintf("%0128d", 1)} {
		b.Run(fmt.Sprintf("bytes=%d", len(id)), func(b *testing.B) {
			hasher := NewHasher([32]byte{1}, IDBits)
			used := cpu()
			for b.Loop() {
				hasher.Hash(id)
			}
			perHash(b, used, 1)
		})
	}
}

// The table has 262,144 hashes when it is full.
func BenchmarkRecent(b *testing.B) {
	next := evenly(1)
	hashes := make([]Hash, 1<<19)
	for i := range hashes {
		hashes[i] = next()
	}
	b.Run("add", func(b *testing.B) {
		var recent Recent
		used := cpu()
		for i := 0; b.Loop(); i++ {
			if i&(1<<18-1) == 0 {
				recent = Recent{}
			}
			recent.Add(hashes[i&(1<<19-1)])
		}
		perHash(b, used, 1)
	})
	var recent Recent
	for _, h := range hashes[:1<<18] {
		recent.Add(h)
	}
	b.Run("has", func(b *testing.B) {
		used := cpu()
		for i := 0; b.Loop(); i++ {
			recent.Has(hashes[i&(1<<19-1)])
		}
		perHash(b, used, 1)
		b.ReportMetric(float64(recent.Bytes())/float64(recent.Len()), "bytes/hash")
	})
	b.Run("sorted", func(b *testing.B) {
		used := cpu()
		for b.Loop() {
			recent.Sorted()
		}
		perHash(b, used, recent.Len())
	})
}

// tenMillion are four runs of 2.5 million hashes.
func tenMillion(b *testing.B) (stores []*held, runs []*Run) {
	next := evenly(2)
	for i := range uint64(4) {
		h := built(b, i, some(next, 2_500_000))
		stores, runs = append(stores, h), append(runs, opened(b, i, h))
	}
	return stores, runs
}

func BenchmarkTenMillionInFourRuns(b *testing.B) {
	stores, runs := tenMillion(b)
	disk, count := 0, 0
	for i, h := range stores {
		disk += h.bytes()
		count += runs[i].Len()
	}
	next := evenly(3)
	for _, size := range []int{1, 1000} {
		for _, share := range []int{1 << 30, 6 << 20, 0} {
			if size == 1 && share != 1<<30 {
				continue
			}
			b.Run(fmt.Sprintf("new/batch=%d/filters=%dMB", size, min(12, share>>20)), func(b *testing.B) {
				Share(share, runs)
				benchmarkNew(b, NewSet(runs...), next, size)
				b.ReportMetric(float64(disk)/float64(count), "disk-bytes/hash")
			})
		}
	}
	b.Run("merge", func(b *testing.B) {
		used := cpu()
		for b.Loop() {
			if err := Merge(9, runs, nil, func(PieceID, []byte) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		perHash(b, used, count)
	})
	b.Run("repeats/batch=1000", func(b *testing.B) {
		Share(1<<30, runs)
		known := all1000(b, runs)
		set, found := NewSet(runs...), make([]bool, len(known))
		used := cpu()
		for b.Loop() {
			clear(found)
			if err := set.Lookup(known, found); err != nil || slices.Contains(found, false) {
				b.Fatal(err)
			}
		}
		perHash(b, used, len(known))
	})
}

// benchmarkNew looks up hashes that aren't there.
func benchmarkNew(b *testing.B, set *Set, next func() Hash, size int) {
	batch, found := make([]Hash, 1<<16), make([]bool, size)
	for i := range batch {
		batch[i] = next()
	}
	if err := set.Lookup(batch, make([]bool, len(batch))); err != nil { // loads the filters
		b.Fatal(err)
	}
	at := 0
	used := cpu()
	for b.Loop() {
		at = (at + size) % (len(batch) - size)
		if err := set.Lookup(batch[at:at+size], found); err != nil || slices.Contains(found, true) {
			b.Fatal(err)
		}
	}
	perHash(b, used, size)
}

// all1000 returns a thousand hashes of the runs, far from each other.
func all1000(b *testing.B, runs []*Run) []Hash {
	var known []Hash
	for _, r := range runs {
		w := r.walk()
		for i := 0; !w.ended && len(known) < 250*(1+slices.Index(runs, r)); i++ {
			if err := w.next(); err != nil {
				b.Fatal(err)
			}
			if i%9999 == 0 {
				known = append(known, w.hash)
			}
		}
	}
	return known
}

// Memory of open runs, measured and not reckoned: with no filters, then with all of them.
func BenchmarkMemoryOfTenMillion(b *testing.B) {
	stores, _ := tenMillion(b)
	next := evenly(4)
	batch := make([]Hash, 1<<17)
	for i := range batch {
		batch[i] = next()
	}
	for b.Loop() {
		var runs []*Run
		before := live()
		for i, h := range stores {
			runs = append(runs, opened(b, uint64(i), h))
		}
		bare := live()
		Share(1<<30, runs)
		set := NewSet(runs...)
		if err := set.Lookup(batch, make([]bool, len(batch))); err != nil {
			b.Fatal(err)
		}
		set.bodies.absent, set.bodies.candidates = nil, nil
		b.ReportMetric((live()-before)/1e7, "filters-bytes/hash")
		b.ReportMetric(bare-before, "bare-bytes")
		runtime.KeepAlive(set)
	}
	runtime.KeepAlive(stores)
}

func live() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
