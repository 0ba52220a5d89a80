package visitors

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/ids"
	"millimetric/index/piece/piecetest"
)

// million is a run of a million visitors, and their hashes in no order.
func million(b *testing.B) (*piecetest.Held, *Run, []ids.Hash) {
	entries := some(1, 1_000_000, 0)
	h := built(b, 1, entries)
	r := opened(b, 1, h)
	Share(2<<20, []*Run{r})
	hashes := make([]ids.Hash, len(entries))
	for i, e := range entries {
		hashes[i] = e.Hash
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(hashes), func(i, j int) { hashes[i], hashes[j] = hashes[j], hashes[i] })
	return h, r, hashes
}

func perVisitor(b *testing.B, count int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/visitor")
}

func BenchmarkMillion(b *testing.B) {
	h, r, known := million(b)
	set := NewSet(r)
	for _, size := range []int{1, 100, 1000} {
		for _, news := range []int{0, 12, 1} { // one in so many is new
			b.Run(fmt.Sprintf("lookup/batch=%d/new=%d", size, news), func(b *testing.B) {
				batch := slices.Clone(known)
				for i := range batch {
					if news > 0 && i%news == 0 {
						batch[i].Hi ^= 0xabcdef << 30
					}
				}
				ordinals, found, at := make([]uint32, size), make([]bool, size), 0
				for b.Loop() {
					clear(found)
					at = (at + size) % (len(batch) - size)
					if err := set.Lookup(batch[at:at+size], ordinals, found); err != nil {
						b.Fatal(err)
					}
				}
				perVisitor(b, size)
				b.ReportMetric(float64(h.Bytes())/float64(r.Len()), "disk-bytes/visitor")
			})
		}
	}
	b.Run("merge", func(b *testing.B) {
		for b.Loop() {
			if err := Merge(9, []*Run{r}, nil, func(ids.PieceID, []byte) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		perVisitor(b, r.Len())
	})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if err := r.Check(); err != nil {
				b.Fatal(err)
			}
		}
		perVisitor(b, r.Len())
	})
}

func BenchmarkRecent(b *testing.B) {
	_, _, known := million(b)
	var recent Recent
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			recent = Recent{}
			for i, h := range known[:1<<18] {
				recent.Add(h, uint32(i))
			}
		}
		perVisitor(b, 1<<18)
		b.ReportMetric(float64(recent.Bytes())/float64(recent.Len()), "bytes/visitor")
	})
	b.Run("find", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			recent.Find(known[i&(1<<19-1)])
		}
		perVisitor(b, 1)
	})
	b.Run("entries", func(b *testing.B) {
		for b.Loop() {
			recent.Entries()
		}
		perVisitor(b, recent.Len())
	})
}
