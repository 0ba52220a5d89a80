package main

import (
	"fmt"
	"strings"
	"time"

	"millimetric/bench"
)

// The targets, all of one run on one machine.
const (
	singleShareMin = 0.85
	singleP99Max   = 5 * time.Millisecond
	batch100Min    = 400_000
	batch1000Min   = 500_000
	eventBytesMax  = 32
	idBytes        = 16 // of an id by itself
	idTimesMax     = 1.6
	loadTimesMax   = 1.5 // of DuckDB's load
	startMax       = time.Second
	idleEmptyMax   = 64 << 20
	idleFullMax    = 128 << 20
	askedMax       = 512 << 20

	attendedPercentMin   = 50 // questions get half of the processors at most
	encryptionPercentMax = 5
	backlogGrowthMax     = 1.5 // what waits at the end over what waited at half time
)

func (f *engineFigures) report(s settings, m bench.Machine) string {
	var b strings.Builder
	b.WriteString(head(s, m, s.events[len(s.events)-1]))
	row := targetTable(&b)
	r := &f.single
	row(r.Ratio >= singleShareMin, "≥ 0.85 of an empty handler that reads the same body", "single events, 64 connections",
		"%.0f/s, empty handler %.0f/s: %.2f (median of %d rounds)", r.Server.EventsPerSecond, r.Empty.EventsPerSecond, r.Ratio, r.Rounds)
	row(r.Server.P99 < float64(singleP99Max)/float64(time.Millisecond), "< 5 ms", "the same, p99 of a request", "%.2f ms, the empty handler's %.2f ms", r.Server.P99, r.Empty.P99)
	for i := range f.batches {
		f.batches[i].rows(row)
	}
	if a := &f.attended; len(a.alone) > 0 {
		row(a.share() >= attendedPercentMin, "≥ 50 %", fmt.Sprintf("ingest that is left while %d clients ask without a pause", askers),
			"%.0f %% (median of %d pairs of turns; %d questions answered)", a.share(), len(a.alone), a.questions)
	}
	f.spaceRows(row)
	f.loadRow(row)
	f.starts.rows(row, "< 1 s", "start to the first answer", func(t timing) bool { return t.median < startMax }, "")
	for _, t := range []struct {
		what string
		of   uint64
		most uint64
	}{{"idle and empty", f.empty.Resident, idleEmptyMax}, {"idle with the history", f.idle.Resident, idleFullMax}, {"at most, answering stats and sources over all of it", f.asked.Most, askedMax}} {
		row(t.of <= t.most, fmt.Sprintf("≤ %d MiB", t.most>>20), "resident memory, "+t.what, "%d MiB", t.of>>20)
	}
	if e := f.encryption; e.with > 0 {
		row(e.share <= encryptionPercentMax, "≤ 5 %", "encryption, share of ingest until sealed and merged", "%.1f %% (%.1f..%.1f in 95 of 100 runs; median of %s pairs of turns, %.0f and %.0f ns of processor per event)", e.share, e.least, e.most, strings.TrimSuffix(encryptionRounds, "x"), e.with, e.without)
	}
	b.WriteString("\nWarm questions read pieces that are decrypted already, so encryption has no part in them.\n")
	b.WriteString(f.spaceTable())
	return b.String()
}

func (r *ingestRound) rows(row addRow) {
	least := map[int]float64{100: batch100Min, 1000: batch1000Min}[r.batch]
	what := fmt.Sprintf("batches of %d, %d connections, %d B an event, for %v", r.batch, r.connections, r.bytes, r.took.Round(time.Second))
	row(r.rate() >= least, fmt.Sprintf("≥ %.0f events/s", least), what, "%.0f events/s, p50 %s ms, p99 %s ms, %d requests refused; most memory %d MiB",
		r.rate(), ms(r.p50), ms(r.p99), r.refused, r.most>>20)
	live := r.live
	row(float64(live[3]) <= backlogGrowthMax*float64(max(live[1], 1)), "not growing from half time on", "the same, events not sealed yet after each quarter", "%d, %d, %d, %d; all sealed and merged %.1f s after the end",
		live[0], live[1], live[2], live[3], r.settle.Seconds())
}

func (f *engineFigures) spaceRows(row addRow) {
	rest, all := float64(f.noIDs.Bytes)/float64(f.noIDs.Events), float64(f.footprint.Bytes)/float64(f.footprint.Events)
	row(rest <= eventBytesMax, "≤ 32 B, aim 27", "space of an event, merged, all in, sent without an id", "%.1f B (%d B of JSON with id, address and agent)", rest, f.loaded.bytes/max(f.loaded.events, 1))
	ids := all - rest
	row(ids <= idTimesMax*idBytes, "≤ 1.6 × their own 16 B", "space of an event's id, which is what it takes more", "%.1f B, %.2f ×", ids, ids/idBytes)
}

func (f *engineFigures) loadRow(row addRow) {
	took := f.loaded.took + f.sealed
	for _, t := range f.tables {
		if t.Kind == "duckdb" {
			row(float64(took) <= loadTimesMax*float64(t.load), "≤ 1.5 × DuckDB's bulk load from Parquet", fmt.Sprintf("%d events by HTTP batches until sealed", f.loaded.events),
				"%.1f s (%d refusals); DuckDB %.1f s: %.2f ×; %.1f s later all was merged as well",
				took.Seconds(), f.loaded.refused, t.load.Seconds(), float64(took)/float64(t.load), (f.settle - f.sealed).Seconds())
		}
	}
}

func (f *engineFigures) spaceTable() string {
	var b strings.Builder
	events := float64(f.footprint.Events)
	fmt.Fprintf(&b, "\n### Space, bytes per event of %d\n\n| the server's part | bytes | sent without ids |\n| --- | ---: | ---: |\n", f.footprint.Events)
	without := map[string]uint64{"all": f.noIDs.Bytes, "files of the store, what isn't deleted yet included": f.noIDs.Disk}
	for _, p := range f.noIDs.Parts {
		without[p.Part] = p.Bytes
	}
	line := func(part string, bytes uint64) {
		fmt.Fprintf(&b, "| %s | %.2f | %.2f |\n", part, float64(bytes)/events, float64(without[part])/events)
	}
	for _, p := range f.footprint.Parts {
		line(p.Part, p.Bytes)
	}
	line("all", f.footprint.Bytes)
	line("files of the store, what isn't deleted yet included", f.footprint.Disk)
	if len(f.tables) == 0 {
		return b.String()
	}
	b.WriteString("\n| database, same columns | all | of it event ids | load | then optimise |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, t := range f.tables {
		codec := t.Codec
		if codec == "" {
			codec = "default"
		}
		fmt.Fprintf(&b, "| %s %s, %s codec | %.1f | %.1f | %.1f s | %.1f s |\n", t.Kind, t.Table, codec, t.bytes/events, t.ids/events, t.load.Seconds(), t.finish.Seconds())
	}
	return b.String()
}
