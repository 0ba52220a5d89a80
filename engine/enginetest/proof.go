package enginetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"millimetric/engine"
	"millimetric/index/event"
)

// A proof is a test of a promise with figures: how often it was tried, and what was found. Each says
// so in one line that begins with "proof:", with its seed. It is small in each run of the tests; its
// full figures come with MILLIMETRIC_PROOF=full, and MILLIMETRIC_PROOF_SEED gives it the seed of an
// earlier run.
const (
	proofVariable = "MILLIMETRIC_PROOF"
	seedVariable  = "MILLIMETRIC_PROOF_SEED"
)

// Full reports whether proofs have to reach their full figures.
func Full() bool { return os.Getenv(proofVariable) == "full" }

// Figure picks how much of something a proof does: in short tests, in all tests, or in full.
func Figure(t testing.TB, short, test, full int) int {
	t.Helper()
	switch {
	case Full():
		return full
	case testing.Short():
		return short
	}
	return test
}

// Seed returns the seed that was asked for, or a new one.
func Seed(t testing.TB) uint64 {
	t.Helper()
	text := os.Getenv(seedVariable)
	if text == "" {
		return rand.Uint64N(1 << 40)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Say prints the line of a proof.
func Say(t testing.TB, promise, format string, args ...any) {
	t.Helper()
	line := "proof: " + promise + " " + fmt.Sprintf(format, args...)
	fmt.Println(line)
	t.Log(line)
}

// Stored lists all events of a project by position. An error is of kind event.ErrDamaged, or of
// the disk.
func Stored(e *engine.Engine, project event.Project) ([]event.Event, error) {
	s := e.Snapshot(project)
	defer s.Release()
	return s.Events()
}
