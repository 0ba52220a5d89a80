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
	file := filepath.Join(t.TempDir(), "proof.md")
	if err := os.WriteFile(file, []byte("# Proof\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	taken := takenOn(bench.Machine{Commit: "abc", Cores: 2}, "full", time.Unix(0, 0))
	keep := func(test string, found []line) error {
		rows, err := readRows(file, "./engine")
		if err != nil {
			return err
		}
		return writeRows(file, "./engine", put(rows, test, found, taken))
	}
	want := func(rows ...string) {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if whole := "## Of engine\n\n<!-- ./engine: begin -->\n" + tableHead + strings.Join(rows, ""); !strings.Contains(string(text), whole+"<!-- ") {
			t.Errorf("got:\n%s\nwant:\n%s", text, whole)
		}
	}
	one, two := "| TestProofOne | R1 | seed=1 points=20 lost=0 | 1.50s | "+taken+" |\n",
		"| TestProofTwo | R2 control: nothing is synced | seed=2 points=3 | 2.00s | "+taken+" |\n| TestProofTwo | R8, real disk NOT RUN: no disk |  | 2.00s | "+taken+" |\n"
	if n, err := listen(strings.NewReader(said), keep); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	want(one, two)
	// One of them is run again, then the other, which fails.
	taken = "later"
	again := "proof: R1 seed=9 points=21 lost=0\n--- PASS: TestProofOne (1.75s)\n"
	if n, err := listen(strings.NewReader(again), keep); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	one = "| TestProofOne | R1 | seed=9 points=21 lost=0 | 1.75s | later |\n"
	want(one, two)
	if n, err := listen(strings.NewReader("proof: R2 control: seed=3\n--- FAIL: TestProofTwo (1.00s)\n"), keep); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	want(one)
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
