// Command proof runs the proofs of the project with their full figures, all or those of the packages that
// it is given, and writes what they found to bench/PROOF.md. A proof is a test whose name begins with TestProof; it prints a line that begins
// with "proof:". Those of the real program, which is built, started and killed for them, are tests of
// this package; the others stand with what they prove.
//
// The command starts `go test` and one goroutine that passes on what it prints. Nothing but the report
// reaches the disk; the tests' own folders and disks are removed by them. The tests start the program
// and goroutines that talk to it, and end both.
package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"millimetric/bench"
)

// report is where the figures are kept.
const report = "bench/PROOF.md"

func main() {
	packages := os.Args[1:]
	if len(packages) == 0 {
		packages = rooms
	}
	if err := prove(os.Stdout, packages); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

// rooms are the packages that hold proofs, in the order in which they are run; a test compares them with
// what there is. Others are named on the command line.
var rooms = []string{
	"./engine", "./query/querytest", "./engine/enginetest", "./engine/backup", "./cmd/millimetric",
	"./cmd/millimetric/transfer", "./cmd/millimetric/archive", "./bench/proof",
}

// prove runs the proofs of packages, one package after the other, from the top of the project. Each has its
// section in the report, which stays as it is where one of the package's proofs fails.
func prove(out io.Writer, packages []string) error {
	machine, err := bench.MachineOf(os.TempDir())
	if err != nil {
		return err
	}
	figures := cmp.Or(os.Getenv("MILLIMETRIC_PROOF"), "full") // anything else gives small ones, to try this out
	var failed error
	for _, name := range packages {
		begin := time.Now()
		found, err := run(out, name, figures)
		if err == nil {
			err = bench.WriteSection(report, name, "Of "+strings.TrimPrefix(name, "./"), markdown(machine, figures, begin, time.Since(begin), found))
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
		}
	}
	return failed
}

// run runs the proofs of one package.
func run(out io.Writer, name, figures string) ([]line, error) {
	tests := exec.Command("go", "test", "-count", "1", "-v", "-timeout", "12h", "-run", "^TestProof", name)
	tests.Env = append(os.Environ(), "MILLIMETRIC_PROOF="+figures)
	tests.Stderr = os.Stderr
	said, err := tests.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := tests.Start(); err != nil {
		return nil, err
	}
	found := listen(io.TeeReader(said, out))
	if err := tests.Wait(); err != nil {
		return nil, fmt.Errorf("a proof failed: %w", err)
	}
	if len(found) == 0 {
		return nil, errors.New("there are no proofs: run this at the top of the project")
	}
	return found, nil
}

// line is what one proof found.
type line struct {
	promise string
	figures string
	took    string // by the whole test, which may have several lines
}

var passed = regexp.MustCompile(`^--- PASS: \S+ \((\S+)\)`)

// listen reads what tests print.
func listen(said io.Reader) (found []line) {
	timed := 0
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if text, is := strings.CutPrefix(lines.Text(), "proof: "); is {
			found = append(found, parse(text))
		} else if m := passed.FindStringSubmatch(lines.Text()); m != nil {
			for ; timed < len(found); timed++ {
				found[timed].took = m[1]
			}
		}
	}
	return found
}

// parse parts the promise from the figures, the first of which is the first word with an equals sign.
func parse(text string) line {
	words := strings.Fields(text)
	for i, word := range words {
		if strings.Contains(word, "=") {
			return line{promise: strings.Join(words[:i], " "), figures: strings.Join(words[i:], " ")}
		}
	}
	return line{promise: text}
}

func markdown(m bench.Machine, figures string, begin time.Time, took time.Duration, found []line) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Taken %s with %s figures on %s, %d cores, %s, commit %s, in %v.\nFolders lie on %s, where writing and syncing 4 KiB takes %.2f ms.\n\n",
		begin.UTC().Format(time.DateOnly), figures, m.Processor, m.Cores, m.Go, m.Commit, took.Round(time.Second), m.FileSystem, m.SyncMs)
	b.WriteString("| promise | found | took |\n| --- | --- | ---: |\n")
	for _, l := range found {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.promise, strings.ReplaceAll(l.figures, "|", `\|`), l.took)
	}
	return b.String()
}
