package engine

import (
	"fmt"
	"slices"

	"millimetric/index"
	"millimetric/index/commits"
	"millimetric/index/event"
	"millimetric/index/ids"
	"millimetric/index/visitors"
)

// How live events are sealed.
//
//  1. The gathering goroutine ends the open stretch and the table of recent ids. Once that group is
//     committed, all full stretches up to it are durable, and nobody writes to them any more.
//  2. Their events are parted by bucket and day, each part is built into a segment, and the ids,
//     new visitors and commit times into runs, all under stamps that were never used. Nothing speaks
//     of these pieces yet: what a crash leaves of them is deleted at the next start.
//  3. One synced batch replaces the manifest. From here on the events are sealed: a start takes from the
//     log only what comes after the manifest's watermark.
//  4. Readers are shown the new segments and no longer the stretches, in one step.
//  5. The gathering goroutine lets go of stretches and tables, and the log is trimmed up to the first
//     group that somebody still needs.
//
// Ingest goes on all the while. Where a step up to 3 fails, everything stays as it was before it, and is tried
// again later; where 5 fails, what is sealed stays so, and the merger does it (see catchUp). A failed sync ends
// the process, as everywhere.

// frozen is what one seal is about.
type frozen struct {
	stretches []*stretch
	upTo      event.Seq
	tables    []*ids.Recent
	commits   []commits.Mark
	at        event.Time // when upTo was committed
}

// seal seals all events of a project that are committed by now. It returns how many these were.
func (e *Engine) seal(p *project) (rows int, err error) {
	e.sealing.Lock()
	defer e.sealing.Unlock()
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	if p.damage() != nil {
		return 0, nil // it was said at the start
	}
	f, err := e.freeze(p)
	if err != nil {
		return 0, fmt.Errorf("seal project %d: %w", p.number, err)
	}
	if len(f.stretches) == 0 {
		return 0, nil
	}
	before := p.newest()
	rows = int(f.upTo - before.watermark)
	made, err := e.writeFrozen(p, before, f)
	if err == nil {
		err = e.publish(p, made.next)
	}
	if err == nil {
		err = e.handOver(p, made.next, made.below, len(f.tables))
	}
	if err != nil {
		return 0, fmt.Errorf("seal project %d: %w", p.number, err)
	}
	e.opt.Notify(Sealed{Project: p.number, Events: rows, Segments: len(made.next.segments) - len(before.segments)})
	return rows, nil
}

// freeze does step 1.
func (e *Engine) freeze(p *project) (f frozen, err error) {
	err = e.inGather(func(g *group) {
		e.touch(p)
		p.endPart(g)
		p.endStretch()
		f.upTo, f.tables = p.last, p.repeats.freeze()
	})
	if err != nil {
		return frozen{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f.stretches = p.shown.full[:sealedOf(p.shown.full, f.upTo)]
	// What a seal before this one has published it may not have handed over: its marks are still here then.
	for _, mark := range after(p.shown.commits, p.state().watermark, f.upTo) {
		if mark.First > f.upTo {
			break
		}
		f.commits, f.at = append(f.commits, mark), mark.At
	}
	return f, nil
}

// made is what steps 2 and 3 bring forth.
type made struct {
	next  *sealed
	below uint32 // visitors with lower ordinals are in runs now
}

// writeFrozen does step 2.
func (e *Engine) writeFrozen(p *project, before *sealed, f frozen) (*made, error) {
	m, out := before.manifest.clone(), &made{}
	w := &pieceWriter{e: e}
	defer w.abandon()
	rows, err := e.rowsOf(p, f, floorOf(e.endingDay(), m.days))
	if err != nil {
		return nil, err
	}
	m.gone += uint64(f.upTo-before.watermark) - uint64(len(rows))
	for _, part := range partition(rows, m.days, e.budget.dayRows) {
		entry, err := e.writeSegment(w, thing{p.number, part.bucket, p.stamp()}, e.builder.Build(part.rows, index.BuildOptions{}))
		if err != nil {
			return nil, err
		}
		m.segments = append(m.segments, entry)
	}
	e.idle = 0
	if err := e.writeRuns(p, w, m, f, out); err != nil {
		return nil, err
	}
	if err := w.finish(); err != nil {
		return nil, err
	}
	m.watermark, m.committed = f.upTo, f.at
	out.next, err = e.openSealed(p, m, before)
	return out, err
}

// rowsOf lists the frozen events whose time isn't over, with the ordinals of their visitors.
func (e *Engine) rowsOf(p *project, f frozen, floor event.Time) ([]index.Row, error) {
	n := 0
	for _, s := range f.stretches {
		n += len(s.events)
	}
	rows := make([]index.Row, 0, n)
	for _, s := range f.stretches {
		visitors, err := p.ordinals.of(s, s.events)
		if err != nil {
			return nil, err
		}
		for i := range s.events {
			if s.events[i].Time >= floor {
				rows = append(rows, index.Row{Event: &s.events[i], Ordinal: visitors[i]})
			}
		}
	}
	return rows, nil
}

// writeSegment writes a segment.
func (e *Engine) writeSegment(w *pieceWriter, t thing, built *index.Built) (segmentEntry, error) {
	if err := e.ciphers.prepare(t.cipher()); err != nil {
		return segmentEntry{}, err
	}
	entry := segmentEntry{stamp: t.stamp, bucket: t.bucket}
	// The header comes last, see keys.go.
	for i := range built.Sections {
		number := uint32(i+1) % uint32(len(built.Sections))
		if _, err := w.add(t, number, built.Sections[number]); err != nil {
			return segmentEntry{}, err
		}
	}
	for kind, bytes := range built.Sizes {
		entry.parts[partOf(kind)] += uint64(bytes)
	}
	segment, err := index.Open(built)
	if err != nil {
		return segmentEntry{}, fmt.Errorf("open what was built: %w", err)
	}
	entry.rows = segment.Rows()
	entry.minTime, entry.maxTime = segment.TimeRange()
	entry.minSeq, entry.maxSeq = segment.SeqRange()
	return entry, nil
}

// writeRuns writes what a seal keeps beside segments. Kinds without entries have no run.
func (e *Engine) writeRuns(p *project, w *pieceWriter, m *manifest, f frozen, out *made) error {
	var hashes []ids.Hash
	for _, table := range f.tables {
		hashes = append(hashes, table.Sorted()...)
	}
	if len(f.tables) > 1 {
		slices.SortFunc(hashes, ids.Hash.Compare)
	}
	entries, below := p.ordinals.unsaved()
	out.below, m.ordinals = below, below
	add := func(kind runKind, entry runEntry, build func(stamp uint64, emit ids.Emit) error) error {
		if entry.count == 0 {
			return nil
		}
		t := thing{p.number, BucketSets, p.stamp()}
		err := w.writeRun(t, &entry, func(emit ids.Emit) error { return build(t.stamp, emit) })
		m.runs[kind] = append(m.runs[kind], entry)
		return err
	}
	err := add(runIDs, runEntry{count: len(hashes), latest: f.at}, func(stamp uint64, emit ids.Emit) error {
		return ids.Build(stamp, f.at, hashes, emit)
	})
	if err != nil {
		return err
	}
	err = add(runVisitors, runEntry{count: len(entries)}, func(stamp uint64, emit ids.Emit) error {
		return visitors.Build(stamp, entries, emit)
	})
	if err != nil {
		return err
	}
	return add(runCommits, runEntry{count: len(f.commits), first: f.commits[0].First, last: f.upTo}, func(stamp uint64, emit ids.Emit) error {
		return commits.Build(stamp, f.commits, f.upTo, emit)
	})
}

// stamp returns a stamp that was never used. The caller holds upkeep. A crash before the manifest is
// replaced leaves no piece under it, so it doesn't matter that it is given again then.
func (p *project) stamp() uint64 {
	p.next++
	return p.next - 1
}

// publish does steps 3 and 4.
func (e *Engine) publish(p *project, next *sealed) error {
	next.next = p.next
	if err := e.putManifest(p, next.manifest); err != nil {
		return err
	}
	e.bury(p.adopt(next))
	return nil
}

// handOver gives the runs of what was published to those who look things up in them, and does what of
// step 5 the gathering goroutine must do; the first tables of frozen ids are in runs by now. For a
// moment ids are in a table and in a run: nothing is ever in neither.
func (e *Engine) handOver(p *project, next *sealed, below uint32, tables int) (err error) {
	p.behind = true
	defer func() {
		if err != nil {
			e.wake() // the merger, which tries again
		}
	}()
	known, err := e.openRuns(p, next.manifest)
	if err != nil {
		return err
	}
	p.ordinals.adopt(known.visitors, below, e.visitorFilters)
	err = e.inGather(func(*group) {
		p.repeats.adopt(known.ids, tables, e.idFilters)
		e.liveBytes.Add(-p.letGo(next.watermark))
	})
	p.behind = err != nil
	return err
}

// catchUp hands over what was published where that failed then. Until it is done, ids and visitors are looked up in
// runs that may be deleted: requests of the project fail. Tables of frozen ids stay until the next seal.
func (e *Engine) catchUp(p *project) error {
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	if !p.behind || p.damage() != nil {
		return nil
	}
	p.ordinals.forgetNear()
	newest := p.newest()
	if err := e.handOver(p, newest, newest.ordinals, 0); err != nil {
		return fmt.Errorf("hand over what is sealed of project %d: %w", p.number, err)
	}
	return nil
}
