// Command proof runs the proofs of the project with their full figures, all or those of the packages that
// it is given, and of these all or those whose name matches -run, and writes what they found to bench/PROOF.md. A
// proof is a test whose name begins with TestProof; it prints a line that begins with "proof:". Those of the real
// program, which is built, started and killed for them, are tests of this package; the others stand with what
// they prove. What a proof found is written when it has passed, and taken out when it has failed.
//
// The command starts `go test` and one goroutine that passes on what it prints. Nothing but the report
// reaches the disk; the tests' own folders and disks are removed by them. The tests start the program
// and goroutines that talk to it, and end both.
package main

import (
	"bufio"
	"cmp"
	"errors"
	"flag"
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
	which := flag.String("run", "", "regular expression of the names of the proofs to run, without TestProof before them")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = rooms
	}
	if err := prove(os.Stdout, packages, *which); err != nil {
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

// prove runs the proofs of packages, one package after the other, from the top of the project.
func prove(out io.Writer, packages []string, which string) error {
	machine, err := bench.MachineOf(os.TempDir())
	if err != nil {
		return err
	}
	figures := cmp.Or(os.Getenv("MILLIMETRIC_PROOF"), "full") // anything else gives small ones, to try this out
	var failed error
	for _, name := range packages {
		keep := func(test string, found []line) error {
			rows, err := readRows(report, name)
			if err != nil {
				return err
			}
			return writeRows(report, name, put(rows, test, found, takenOn(machine, figures, time.Now())))
		}
		if err := run(out, name, which, figures, keep); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
		}
	}
	return failed
}

// run runs the proofs of one package. keep is told what each has found, nothing where it has failed.
func run(out io.Writer, name, which, figures string, keep func(test string, found []line) error) error {
	tests := exec.Command("go", "test", "-count", "1", "-v", "-timeout", "12h", "-run", "^TestProof.*("+which+")", name)
	tests.Env = append(os.Environ(), "MILLIMETRIC_PROOF="+figures)
	tests.Stderr = os.Stderr
	said, err := tests.StdoutPipe()
	if err != nil {
		return err
	}
	if err := tests.Start(); err != nil {
		return err
	}
	proofs, err := listen(io.TeeReader(said, out), keep)
	if failed := tests.Wait(); failed != nil {
		err = errors.Join(err, fmt.Errorf("a proof failed: %w", failed))
	}
	if err == nil && proofs == 0 {
		err = errors.New("there are no such proofs: run this at the top of the project")
	}
	return err
}

// line is what one proof found.
type line struct {
	promise string
	figures string
	took    string // by the whole test, which may have several lines
}

var ended = regexp.MustCompile(`^--- (PASS|FAIL|SKIP): (\S+) \((\S+)\)`)

// listen reads what tests print, and tells keep of each that has ended. It returns how many have passed.
func listen(said io.Reader, keep func(test string, found []line) error) (passed int, err error) {
	var found []line
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if text, is := strings.CutPrefix(lines.Text(), "proof: "); is {
			found = append(found, parse(text))
			continue
		}
		m := ended.FindStringSubmatch(lines.Text())
		if m == nil || m[1] == "SKIP" {
			continue
		}
		if m[1] == "FAIL" {
			found = nil
		} else {
			passed++
		}
		for i := range found {
			found[i].took = m[3]
		}
		err = errors.Join(err, keep(m[2], found))
		found = nil
	}
	return passed, err
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
