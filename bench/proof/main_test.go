package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/bench"
)

func TestTheReportHoldsEachProofWithItsFigures(t *testing.T) {
	said := `=== RUN   TestProofOne
proof: R1 seed=1 points=20 lost=0
    one_test.go:1: proof: R1 seed=1 points=20 lost=0
--- PASS: TestProofOne (1.50s)
=== RUN   TestProofTwo
proof: R2 control: nothing is synced seed=2 points=3
proof: R8, real disk NOT RUN: no disk
--- PASS: TestProofTwo (2.00s)
ok  	millimetric/engine	3.5s
`
	got := markdown(bench.Machine{Commit: "abc"}, "full", time.Unix(0, 0), time.Minute, listen(strings.NewReader(said)))
	want := `| R1 | seed=1 points=20 lost=0 | 1.50s |
| R2 control: nothing is synced | seed=2 points=3 | 2.00s |
| R8, real disk NOT RUN: no disk |  | 2.00s |
`
	if !strings.HasSuffix(got, want) || !strings.Contains(got, "Taken 1970-01-01 with full figures") || !strings.Contains(got, "commit abc, in 1m0s") {
		t.Errorf("got:\n%s", got)
	}
}

// A package whose proofs nobody runs proves nothing.
func TestEveryPackageWithProofsIsRun(t *testing.T) {
	var found []string
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), "\nfunc TestProof") {
			return err
		}
		inside, err := filepath.Rel(top, filepath.Dir(name))
		found = append(found, "./"+path.Clean(filepath.ToSlash(inside)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	if want := slices.Sorted(slices.Values(rooms)); !slices.Equal(slices.Compact(found), want) {
		t.Errorf("proofs are in %v; %v are run", slices.Compact(found), want)
	}
}
