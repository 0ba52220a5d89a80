package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"millimetric/bench"
)

// The report has a section for each package, with a table of what its proofs have found. Each row says when, at
// which commit and on what machine it was found, so that one proof may be run again without all others.

// shown is a row of the report.
type shown struct {
	test string
	rest string // of the row, as it is written
}

const tableHead = "| proof | promise | found | took | when, commit, machine |\n| --- | --- | --- | ---: | --- |\n"

// put replaces the rows of one test, in place where it has some.
func put(rows []shown, test string, found []line, taken string) []shown {
	var own []shown
	for _, l := range found {
		rest := fmt.Sprintf("%s | %s | %s | %s |", l.promise, strings.ReplaceAll(l.figures, "|", `\|`), l.took, taken)
		own = append(own, shown{test, rest})
	}
	var out []shown
	for _, r := range rows {
		if r.test != test {
			out = append(out, r)
			continue
		}
		out, own = append(out, own...), nil
	}
	return append(out, own...)
}

// takenOn is the last column of what is found now.
func takenOn(m bench.Machine, figures string, now time.Time) string {
	return fmt.Sprintf("%s, %s, %s figures; %s, %d cores, %s; %s, 4 KiB synced in %.2f ms",
		now.UTC().Format(time.DateOnly), m.Commit, figures, m.Processor, m.Cores, m.Go, m.FileSystem, m.SyncMs)
}

// readRows reads the rows of a package's section, none where it has no section.
func readRows(file, name string) (rows []shown, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	_, section, there := strings.Cut(string(text), fmt.Sprintf("<!-- %s: begin -->\n", name))
	if !there {
		return nil, nil
	}
	section, _, _ = strings.Cut(section, "<!-- ")
	for row := range strings.Lines(section) {
		row, is := strings.CutPrefix(strings.TrimSpace(row), "| TestProof")
		if !is {
			continue
		}
		test, rest, _ := strings.Cut(row, " | ")
		rows = append(rows, shown{"TestProof" + test, rest})
	}
	return rows, nil
}

// writeRows puts the rows of a package into its section.
func writeRows(file, name string, rows []shown) error {
	text := tableHead
	for _, r := range rows {
		text += "| " + r.test + " | " + r.rest + "\n"
	}
	return bench.WriteSection(file, name, "Of "+strings.TrimPrefix(name, "./"), text)
}
