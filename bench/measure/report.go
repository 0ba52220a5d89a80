package main

import (
	"fmt"
	"strings"

	"millimetric/bench"
)

// report takes the figures of one run: it prints what text makes of them, and puts it into the file that -write
// names, under a title.
func (s settings) report(name, title string, text func(bench.Machine) string, measure func() error) error {
	machine, err := bench.MachineOf(s.dir)
	if err != nil {
		return err
	}
	if err := measure(); err != nil {
		return err
	}
	all := text(machine)
	fmt.Fprint(s.out, all)
	if s.write == "" {
		return nil
	}
	return bench.WriteSection(s.write, name, title, all)
}

// addRow adds a figure beside its target.
type addRow func(ok bool, target, what, measured string, args ...any)

// targetTable begins a table of figures beside their targets.
func targetTable(b *strings.Builder) addRow {
	b.WriteString("\n| what | measured | target | |\n| --- | --- | --- | --- |\n")
	return func(ok bool, target, what, measured string, args ...any) {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", what, fmt.Sprintf(measured, args...), target, mark(ok))
	}
}

// starts are the times of the four ways of a start; a median of 0 is one that wasn't tried.
type starts struct {
	clean, killed, coldClean, coldKilled timing
	how                                  string // caches were dropped
}

// rows adds a row for each: judged is what the target is about.
func (s *starts) rows(row addRow, target, what string, judged func(timing) bool, n string) {
	for _, t := range []struct {
		how string
		of  timing
	}{{"after a clean stop", s.clean}, {"after kill -9", s.killed}, {"after a clean stop, " + s.how, s.coldClean}, {"after kill -9, " + s.how, s.coldKilled}} {
		if t.of.median > 0 {
			row(judged(t.of), target, what+", "+t.how, "%s ms%s", t.of, n)
		}
	}
}
