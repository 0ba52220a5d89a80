package enginetest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// points returns how many cuts to make: MILLIMETRIC_CRASH_POINTS, or a number that takes seconds.
func points(t *testing.T) int {
	text := os.Getenv("MILLIMETRIC_CRASH_POINTS")
	if text == "" {
		return Figure(t, 120, 2000, 20_000)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func run(t *testing.T, promise string, c Crash) Result {
	t.Helper()
	begin := time.Now()
	r := c.Run()
	Say(t, promise, "seed=%d points=%d acked=%d lost=%d torn=%d seen=%d unseen=%d unacked=%d %v points/s=%.0f",
		c.Seed, r.Points, r.Acked, r.Lost, r.Torn, r.Seen, r.Unseen, r.Unacked, r.Upkeep, float64(r.Points)/time.Since(begin).Seconds())
	return r
}

func TestProofCrashLosesNothingAcknowledged(t *testing.T) {
	r := run(t, "R1", Crash{Seed: Seed(t), Points: points(t)})
	if r.Lost != 0 || r.Torn != 0 || r.Unseen != 0 || len(r.Problems) != 0 {
		t.Errorf("lost=%d torn=%d unseen=%d", r.Lost, r.Torn, r.Unseen)
		for _, p := range r.Problems {
			t.Error(p)
		}
	}
	if r.Acked == 0 || r.Seen == 0 || r.Unacked == 0 || r.Upkeep.Idle() || r.Upkeep.Rebucketed() == 0 {
		t.Errorf("the cuts come at the wrong moments: acked=%d seen=%d unacked=%d %v", r.Acked, r.Seen, r.Unacked, r.Upkeep)
	}
}

func TestProofCrashOnALyingDiskIsSeen(t *testing.T) {
	if r := run(t, "R2 control: the log is never synced", Crash{Seed: Seed(t), Points: Figure(t, 50, 100, 3000), LyingDisk: true}); r.Lost == 0 || r.Unseen == 0 {
		t.Error("a disk that doesn't sync lost nothing: the test is blind")
	}
}
