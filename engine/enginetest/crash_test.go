package enginetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// points returns how many cuts to make: MILLIMETRIC_CRASH_POINTS, or a number that takes seconds.
func points(t *testing.T) int {
	if text := os.Getenv("MILLIMETRIC_CRASH_POINTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 300
	}
	return 2000
}

// seed returns MILLIMETRIC_CRASH_SEED, or a new one.
func seed(t *testing.T) uint64 {
	if text := os.Getenv("MILLIMETRIC_CRASH_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return rand.Uint64N(1 << 40)
}

func run(t *testing.T, c Crash) Result {
	begin := time.Now()
	r := c.Run()
	line := fmt.Sprintf("seed=%d points=%d acked=%d lost=%d torn=%d seen=%d unseen=%d unacked=%d points/s=%.0f",
		c.Seed, r.Points, r.Acked, r.Lost, r.Torn, r.Seen, r.Unseen, r.Unacked, float64(r.Points)/time.Since(begin).Seconds())
	fmt.Println(line)
	t.Log(line)
	return r
}

func TestCrashLosesNothingAcknowledged(t *testing.T) {
	r := run(t, Crash{Seed: seed(t), Points: points(t)})
	if r.Lost != 0 || r.Torn != 0 || r.Unseen != 0 || len(r.Problems) != 0 {
		t.Errorf("lost=%d torn=%d unseen=%d", r.Lost, r.Torn, r.Unseen)
		for _, p := range r.Problems {
			t.Error(p)
		}
	}
	if r.Acked == 0 || r.Seen == 0 || r.Unacked == 0 {
		t.Errorf("the cuts come at the wrong moments: acked=%d seen=%d unacked=%d", r.Acked, r.Seen, r.Unacked)
	}
}

func TestCrashOnALyingDiskIsSeen(t *testing.T) {
	if r := run(t, Crash{Seed: seed(t), Points: 100, LyingDisk: true}); r.Lost == 0 || r.Unseen == 0 {
		t.Error("a disk that doesn't sync lost nothing: the test is blind")
	}
}
