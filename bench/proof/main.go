// Command proof runs every proof of the project with its full figures, and writes what they found to
// bench/PROOF.md. A proof is a test whose name begins with TestProof; it prints a line that begins
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
	if err := prove(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

// prove runs the tests from the top of the project. Where one fails, no report is written.
func prove(out io.Writer) error {
	machine, err := bench.MachineOf(os.TempDir())
	if err != nil {
		return err
	}
	tests := exec.Command("go", "test", "-count", "1", "-v", "-p", "1", "-timeout", "12h", "-run", "^TestProof", "./...")
	figures := cmp.Or(os.Getenv("MILLIMETRIC_PROOF"), "full") // anything else gives small ones, to try this out
	tests.Env = append(os.Environ(), "MILLIMETRIC_PROOF="+figures)
	tests.Stderr = os.Stderr
	said, err := tests.StdoutPipe()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := tests.Start(); err != nil {
		return err
	}
	found := listen(io.TeeReader(said, out))
	if err := tests.Wait(); err != nil {
		return fmt.Errorf("a proof failed, and %s stays as it is: %w", report, err)
	}
	if len(found) == 0 {
		return errors.New("there are no proofs here: run this at the top of the project")
	}
	return os.WriteFile(report, []byte(markdown(machine, figures, begin, time.Since(begin), found)), 0o644)
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
	b.WriteString("# Proof\n\nWritten by `make release-proof`: what the proofs of the project found. Each row is one run, and the\n" +
		"seed gives it again (`MILLIMETRIC_PROOF_SEED`). Controls take a safeguard away and must find losses or doubles.\n\n")
	fmt.Fprintf(&b, "Taken %s with %s figures on %s, %d cores, %s, commit %s, in %v.\nFolders lie on %s, where writing and syncing 4 KiB takes %.2f ms.\n\n",
		begin.UTC().Format(time.DateOnly), figures, m.Processor, m.Cores, m.Go, m.Commit, took.Round(time.Second), m.FileSystem, m.SyncMs)
	b.WriteString("| promise | found | took |\n| --- | --- | ---: |\n")
	for _, l := range found {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.promise, strings.ReplaceAll(l.figures, "|", `\|`), l.took)
	}
	return b.String()
}
