package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"millimetric/bench"
)

// The targets. Those of a restore are of 10 GiB, those of a start of a store of 1 GB.
const (
	hiddenMax  = time.Second
	goneMax    = time.Minute
	subjectMax = 10 * time.Second
	restoreMax = 3 * time.Minute
	lossMax    = 10 * time.Second
	readyMax   = 3 * time.Second

	restoreGiB = 10
)

func (f *trustFigures) report(s settings, m bench.Machine) string {
	var b strings.Builder
	n := s.events[len(s.events)-1]
	b.WriteString(head(s, m, n))
	fmt.Fprintf(&b, "As JSON the history has %s; the store has %s of live and sealed data in a folder of %s, the backup's folder %s, on the same disk. Making a base took %.1f s.\n",
		gib(int64(f.loaded.bytes)), gib(int64(f.footprint.Bytes)), gib(f.disk), gib(f.target), f.base.Seconds())
	fmt.Fprintf(&b, "Each person has %d events with ids, spread over all days, so in every segment; every other person is a user with %d devices. They were erased one after the other.\n",
		personEvents, personDevices)
	row := targetTable(&b)
	f.personRows(row)
	f.restoreRows(row)
	f.starts.rows(row, "≤ 3 s for a store of 1 GB", "start until ready", func(t timing) bool { return t.most <= readyMax }, fmt.Sprintf(" (n = %d)", max(s.cold, 1)))
	return b.String()
}

func (f *trustFigures) personRows(row addRow) {
	times := func(of func(person) time.Duration) timing {
		var all []time.Duration
		for _, p := range f.persons {
			all = append(all, of(p))
		}
		return timingOf(all)
	}
	n := len(f.persons)
	subject := times(func(p person) time.Duration { return p.subject })
	row(subject.most <= subjectMax, "≤ 10 s", fmt.Sprintf("all that is kept on a person of %d events", personEvents), "p50 %s ms, most %s ms (n = %d), %s of lines",
		ms(subject.median), ms(subject.most), n, mib(int64(f.persons[0].bytes)))
	forget := times(func(p person) time.Duration { return p.forget })
	row(forget.most <= hiddenMax, "≤ 1 s", "forget until it answers: in no answer any more", "p50 %s ms, most %s ms (n = %d)", ms(forget.median), ms(forget.most), n)
	gone := times(func(p person) time.Duration { return p.gone })
	row(gone.most <= goneMax, "≤ 60 s", "forget until the receipt says that nothing is left on the disk", "p50 %.1f s, most %.1f s (n = %d)",
		gone.median.Seconds(), gone.most.Seconds(), n)
	residue, scanned := 0, uint64(0)
	for _, p := range f.persons {
		residue += p.Residue
		scanned = max(scanned, p.Scanned)
	}
	most := slices.MaxFunc(f.persons, func(a, b person) int { return a.Segments - b.Segments })
	row(residue == 0, "0", "residue that the searches found", "%d, in %s of files that each search read; %d segments written anew, %d files removed at most",
		residue, gib(int64(scanned)), most.Segments, most.Files)
}

func (f *trustFigures) restoreRows(row addRow) {
	var command, answer []time.Duration
	for _, r := range f.restores {
		command, answer = append(command, r.command), append(answer, r.answer)
	}
	took, bytes := timingOf(answer), f.restores[0].bytes
	scaled := time.Duration(float64(took.median) * restoreGiB * (1 << 30) / float64(bytes))
	row(scaled <= restoreMax, "≤ 3 min for 10 GiB", "restore of the newest position into an empty folder, until a server on it answered",
		"%.1f s for a folder of %s (%.1f s the restore, n = %d); %.0f s for 10 GiB at that rate", took.median.Seconds(), gib(bytes), timingOf(command).median.Seconds(), len(answer), scaled.Seconds())
	l := &f.loss
	row(l.seconds <= lossMax, "≤ 10 s", "kill -9 under load and the folder lost: acknowledged events that the backup lacks",
		"the last %.2f s (%d of %d probes, one each %v, beside %.0f events/s in batches of %d; n = 1); restored and answering after %.1f s",
		l.seconds.Seconds(), max(l.acked-l.kept, 0), l.acked, probeEvery, l.rate, lossBatch, l.answer.Seconds())
}

func gib(bytes int64) string { return fmt.Sprintf("%.3f GiB", float64(bytes)/(1<<30)) }
func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
