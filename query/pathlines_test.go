package query

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Walks and stops are read as they were added, across many chunks.
func TestWalksAreReadAsTheyWereAdded(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for _, placed := range []bool{false, true} {
		l := &pathLines{}
		var walks []pathWalk
		var stops []uint32
		var lasts []bool
		actor := uint32(1)
		for range 300_000 {
			node, last := r.Uint32()>>(1+r.IntN(31)), r.IntN(3) == 0
			at := l.addStop(node, last)
			stops, lasts = append(stops, node), append(lasts, last)
			if r.IntN(2) == 0 {
				continue
			}
			w := pathWalk{at: at, actor: actor, steps: stepsUnbound}
			if placed {
				w.place = r.Uint32() >> r.IntN(32)
			}
			if r.IntN(3) == 0 {
				w.steps = r.IntN(20)
			}
			l.walks.add(w, placed)
			walks = append(walks, w)
			actor += uint32(r.IntN(2))
		}
		if len(l.stops.chunks) < 3 || len(l.walks.chunks) < 3 {
			t.Fatalf("only %d and %d chunks", len(l.stops.chunks), len(l.walks.chunks))
		}
		checkStops(t, seed, l, stops, lasts)
		checkWalks(t, seed, l, walks, placed)
	}
}

func checkStops(t *testing.T, seed uint64, l *pathLines, stops []uint32, lasts []bool) {
	t.Helper()
	at := 0
	for i := 0; i+1 < len(stops); i++ {
		next, node, ok := l.step(at)
		if ok == lasts[i] || ok && node != stops[i+1] {
			t.Fatalf("seed %d: stop %d: %d, %t", seed, i+1, node, ok)
		}
		if !ok {
			_, next = l.stops.read(at)
		}
		at = next
	}
}

func checkWalks(t *testing.T, seed uint64, l *pathLines, walks []pathWalk, placed bool) {
	t.Helper()
	reader := walkReader{line: &l.walks, placed: placed, eats: true}
	for i, want := range walks {
		before := reader.walk
		if !reader.read() {
			t.Fatalf("seed %d: %d of %d walks", seed, i, len(walks))
		}
		got := reader.walk
		same := i > 0 && walks[i-1].actor == want.actor
		if got.at != want.at || got.place != want.place || got.steps != want.steps || (got.actor == before.actor) != same {
			t.Fatalf("seed %d: walk %d: %v, not %v", seed, i, got, want)
		}
	}
	if reader.read() || l.walks.bytes != 0 {
		t.Fatalf("seed %d: more walks than were added, or %d bytes left", seed, l.walks.bytes)
	}
}
