package visitors

import (
	"math/bits"
	"testing"

	"millimetric/index/ids"
	"millimetric/index/piece/piecetest"
)

func TestFormatDocumentSaysWhatTheCodeDoes(t *testing.T) {
	shown := built(t, 1, []Entry{{ids.Hash{Lo: 1 << 8}, 5}, {ids.Hash{Hi: 1 << 63, Lo: 2 << 8}, 3}})
	piecetest.Document(t, kind, map[string]int{"ordinalBitsMax": ordinalBitsMax, "runVersion": runVersion}, shown)
}

// The sizes that FORMAT.md speaks of.
func TestSizesAreWhatTheLayoutSays(t *testing.T) {
	for _, n := range []int{100_000, 131_072, 163_840, 163_841} {
		h := built(t, 1, some(1, n, 0))
		r := opened(t, 1, h)
		buckets := 1
		for 4*n > 5*buckets {
			buckets *= 2
		}
		want := float64(120-bits.Len(uint(buckets-1))) + 1 + 1.25*float64(buckets)/float64(n) + float64(bits.Len(uint(n-1)))
		if got := 8 * float64(h.Bytes()) / float64(r.Len()); got < want || got > want+0.6 || got > 8*15.7 {
			t.Errorf("%d visitors take %.2f bits each, the layout says %.2f", n, got, want)
		}
	}
}
