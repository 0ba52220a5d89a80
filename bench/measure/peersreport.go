package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"millimetric/bench"
	"millimetric/bench/launch"
)

// best is the quickest of the tables, by its median; 0 where none was asked.
func best(tables []timing) (of timing, which int) {
	which = -1
	for i, t := range tables {
		if t.median > 0 && (which < 0 || t.median < of.median) {
			of, which = t, i
		}
	}
	return of, which
}

func ms(d time.Duration) string {
	n := float64(d) / float64(time.Millisecond)
	if n == 0 {
		return "–"
	}
	digits := max(0, 2-int(math.Floor(math.Log10(n))))
	return fmt.Sprintf("%.*f", min(digits, 3), n)
}

func (t timing) String() string {
	if t.median == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s..%s)", ms(t.median), ms(t.least), ms(t.most))
}

func mark(ok bool) string {
	if ok {
		return "met"
	}
	return "**not met**"
}

// head says where the figures come from.
func head(s settings, m bench.Machine, n int) string {
	return fmt.Sprintf("Taken %s on %s, %d cores, %s, commit %s; the data folder lies on %s, where writing and syncing 4 KiB takes %.2f ms.\n"+
		"History: seed %d, %d events, %d days. Client, server and databases share the machine; encryption is on.\n",
		time.Now().UTC().Format(time.DateOnly), m.Processor, m.Cores, m.Go, m.Commit, m.FileSystem, m.SyncMs, s.seed, n, s.days)
}

func peersReport(s settings, m bench.Machine, sizes []size) string {
	var b strings.Builder
	b.WriteString(head(s, m, sizes[len(sizes)-1].events))
	fmt.Fprintf(&b, "The questions are about the last 30 days, exact, people only. Before anything was timed, the answers were compared row by row and agreed.\n"+
		"Times are milliseconds, median (least..most) of %d: of the server the whole HTTP answer, of the databases the query in process, without starting either.\n"+
		"Each question is asked %d times before: what the server finds out about whole segments, it keeps for the next time, in its memory. What the very first asking takes, in a new process that has answered the questions above it, stands beside (n = 1).\n"+
		"ClickHouse has two tables, sorted by day, name and visitor and by visitor and time, each with an index of users; DuckDB one in order of arrival.\n", s.runs, idleRuns)
	for i := range sizes {
		b.WriteString(sizes[i].warmTable())
		b.WriteString(sizes[i].processorTable())
	}
	b.WriteString(growth(sizes))
	for i := range sizes {
		if sizes[i].how != "" {
			b.WriteString(sizes[i].coldTable(s))
		}
	}
	return b.String()
}

func (z *size) warmTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### Warm, %d events\n\n| | question | server, asked first | server |", z.events)
	for _, t := range z.tables {
		fmt.Fprintf(&b, " %s %s |", t.Kind, t.Table)
	}
	b.WriteString(" times quicker than the best | target | |\n| --- | --- | ---: | ---: |" + strings.Repeat(" ---: |", len(z.tables)) + " ---: | ---: | --- |\n")
	for i := range z.lines {
		l := &z.lines[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s |", l.question.ID, l.question.Text, ms(l.first), l.server)
		for _, t := range l.tables {
			fmt.Fprintf(&b, " %s |", t)
		}
		ratio, target, met := z.verdict(l)
		fmt.Fprintf(&b, " %s | %s | %s |\n", ratio, target, met)
	}
	told, target := memoryOf(z.events)
	fmt.Fprintf(&b, "\nMost memory over the set: server %s, started with --memory %dMiB (target %s, %s)",
		megabytes(z.memory), told>>20, megabytes(launch.Memory{Most: uint64(target)}), mark(z.memory.Most <= uint64(target)))
	for i, t := range z.tables {
		fmt.Fprintf(&b, ", %s after table %s %s", t.Kind, t.Table, megabytes(z.tableMemory[i]))
	}
	b.WriteString(".\n")
	return b.String()
}

// processorTable is the same as processor time, of which a busy machine changes little.
func (z *size) processorTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### Processor time, %d events\n\nMilliseconds of all threads together, a run on average.\n\n| | server |", z.events)
	for _, t := range z.tables {
		fmt.Fprintf(&b, " %s %s |", t.Kind, t.Table)
	}
	b.WriteString(" times less than the best |\n| --- | ---: |" + strings.Repeat(" ---: |", len(z.tables)) + " ---: |\n")
	for i := range z.lines {
		l := &z.lines[i]
		fmt.Fprintf(&b, "| %s | %s |", l.question.ID, ms(l.server.processor))
		least := time.Duration(0)
		for _, t := range l.tables {
			fmt.Fprintf(&b, " %s |", ms(t.processor))
			if t.processor > 0 && (least == 0 || t.processor < least) {
				least = t.processor
			}
		}
		if least == 0 {
			b.WriteString(" |\n")
			continue
		}
		fmt.Fprintf(&b, " %.1f × |\n", float64(least)/float64(max(l.server.processor, 1)))
	}
	return b.String()
}

func megabytes(m launch.Memory) string { return fmt.Sprintf("%d MiB", m.Most>>20) }

// verdict holds a line against its target.
func (z *size) verdict(l *line) (ratio, target, met string) {
	peer, _ := best(l.tables)
	if peer.median > 0 {
		ratio = fmt.Sprintf("%.1f ×", float64(peer.median)/float64(l.server.median))
	}
	linear := z.line("Q10").server.median
	switch {
	case l.question.ID == "Q10s":
		return fmt.Sprintf("%.2f × linear", float64(l.server.median)/float64(linear)), "≤ 2 × linear", mark(l.server.median <= 2*linear)
	case l.question.ID == "Q10d":
		return fmt.Sprintf("%.2f × linear", float64(l.server.median)/float64(linear)), "no more than one full scan", ""
	case l.times > 0:
		return ratio, fmt.Sprintf("≥ %g ×", l.times), mark(float64(peer.median) >= l.times*float64(l.server.median))
	}
	return ratio, fmt.Sprintf("≤ %s ms", ms(l.warm)), mark(l.server.median <= l.warm)
}

func (z *size) line(id string) *line {
	for i := range z.lines {
		if z.lines[i].question.ID == id {
			return &z.lines[i]
		}
	}
	return &line{}
}

// growth is how the cost grows with the events.
func growth(sizes []size) string {
	if len(sizes) < 2 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n### How the cost grows\n\nMedians, warm: server / quicker database.\n\n| ")
	for _, z := range sizes {
		fmt.Fprintf(&b, "| %d events ", z.events)
	}
	b.WriteString("| server, largest over smallest | events, largest over smallest |\n| --- |" + strings.Repeat(" ---: |", len(sizes)+2) + "\n")
	first, last := &sizes[0], &sizes[len(sizes)-1]
	for i := range last.lines {
		fmt.Fprintf(&b, "| %s ", last.lines[i].question.ID)
		for _, z := range sizes {
			peer, _ := best(z.lines[i].tables)
			fmt.Fprintf(&b, "| %s / %s ", ms(z.lines[i].server.median), ms(peer.median))
		}
		fmt.Fprintf(&b, "| %.1f × | %.1f × |\n", float64(last.lines[i].server.median)/float64(first.lines[i].server.median), float64(last.events)/float64(first.events))
	}
	return b.String()
}

func (z *size) coldTable(s settings) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### Cold, %d events\n\nThe first question to a process just started, with %s; median (least..most) of %d.\n\n| | server |", z.events, z.how, s.cold)
	for _, t := range z.tables {
		fmt.Fprintf(&b, " %s %s |", t.Kind, t.Table)
	}
	b.WriteString(" times quicker than the best | target | |\n| --- | ---: |" + strings.Repeat(" ---: |", len(z.tables)) + " ---: | ---: | --- |\n")
	for i := range z.lines {
		l := &z.lines[i]
		fmt.Fprintf(&b, "| %s | %s |", l.question.ID, l.chilled)
		for _, t := range l.coldTables {
			fmt.Fprintf(&b, " %s |", t)
		}
		ratio, target, met := "", "", ""
		if peer, _ := best(l.coldTables); peer.median > 0 {
			ratio = fmt.Sprintf("%.1f ×", float64(peer.median)/float64(l.chilled.median))
		}
		if l.cold > 0 {
			target, met = fmt.Sprintf("≤ %s ms", ms(l.cold)), mark(l.chilled.median <= l.cold)
		}
		fmt.Fprintf(&b, " %s | %s | %s |\n", ratio, target, met)
	}
	return b.String()
}
