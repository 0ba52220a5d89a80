package engine

import (
	"cmp"
	"fmt"
	"slices"

	"millimetric/index"
	"millimetric/index/commits"
	"millimetric/index/event"
	"millimetric/index/ids"
	"millimetric/index/visitors"
)

// Merging makes one segment of several of a class, and one run of several of a kind, so that few are
// left for each stretch of time. What goes in is read while a seal may go on; only the change of the
// manifest excludes it. Where it fails or a crash stops it, what was there stays.

// mergeFactor is how many times the rows of a segment its smaller neighbours must have together for it
// to be merged with them: each row is then written again about log(SegmentRows / SealRows) to that
// base. Lower ones leave fewer segments and write more.
const mergeFactor = 3

// segmentsMax is how many segments of a class may lie beside each other; each costs every question over
// its time a visit.
const segmentsMax = 8

// class is what segments are merged within: a day of a bucket, or, where their days are small, the
// bucket.
type class struct {
	bucket int32
	day    event.Time
}

func classOf(s *segmentEntry, dayRows int) class {
	day := s.minTime / dayMillis
	if s.bucket < dayBuckets && (s.rows < dayRows || s.maxTime/dayMillis != day) {
		day = -1
	}
	return class{s.bucket, day}
}

// mergeNext merges what most needs it. It reports whether something did; all says that whatever can be
// merged should.
func (e *Engine) mergeNext(p *project, all bool) (merged bool, err error) {
	e.merging.Lock()
	defer e.merging.Unlock()
	if p.damage() != nil {
		return false, nil
	}
	held, over := e.hold(p)
	defer held.Release()
	state := held.sealed
	if at := planRebucket(state.manifest, p.unsound); at >= 0 {
		err := e.rebucket(p, state, at, over)
		if err != nil {
			entry := &state.manifest.segments[at]
			err = e.spare(p, err, []uint64{entry.stamp}, func(int) error { return e.checkSegment(p, entry) })
		}
		return true, err
	}
	if chosen := planSegments(state.manifest, e.budget, all, p.unsound); chosen != nil {
		err := e.mergeSegments(p, state, chosen, over)
		if err != nil {
			err = e.spare(p, err, stampsOf(state.manifest.segments, chosen), func(i int) error {
				return e.checkSegment(p, &state.manifest.segments[chosen[i]])
			})
		}
		return true, err
	}
	for kind := range runKinds {
		if chosen := planRuns(state.manifest, kind, all, p.unsound); chosen != nil {
			err := e.mergeRuns(p, state, kind, chosen)
			if err != nil {
				err = e.spare(p, err, stampsOf(state.runs[kind], chosen), func(i int) error {
					return e.checkRun(p, kind, state.runs[kind][chosen[i]])
				})
			}
			return true, err
		}
	}
	return false, nil
}

// stampsOf returns the stamps of the chosen entries.
func stampsOf[E interface{ name() uint64 }](entries []E, chosen []int) (stamps []uint64) {
	for _, i := range chosen {
		stamps = append(stamps, entries[i].name())
	}
	return stamps
}

// planSegments returns which segments to merge next, by their places in the manifest; nil where all is
// well. Those that are unsound are left alone.
func planSegments(m *manifest, b budget, all bool, unsound map[uint64]bool) []int {
	classes := map[class][]int{}
	for i := range m.segments {
		if unsound[m.segments[i].stamp] || m.segments[i].hidden.Count() > 0 {
			continue // which is written anew by itself
		}
		c := classOf(&m.segments[i], b.dayRows)
		classes[c] = append(classes[c], i)
	}
	var best []int
	for _, members := range classes {
		slices.SortFunc(members, func(a, b int) int {
			return cmp.Or(cmp.Compare(m.segments[a].rows, m.segments[b].rows), cmp.Compare(m.segments[a].stamp, m.segments[b].stamp))
		})
		if chosen := planClass(m, members, b, all); len(chosen) > len(best) || len(chosen) == len(best) && len(chosen) > 0 && chosen[0] < best[0] {
			best = chosen
		}
	}
	return best
}

// planClass looks at the members of a class, the smallest first.
func planClass(m *manifest, members []int, b budget, all bool) (chosen []int) {
	rows, bytes := 0, int64(0)
	for n, i := range members {
		own := m.segments[i].rows
		bytes += m.segments[i].mergeBytes()
		if rows+own > b.segmentRows || bytes > b.merge {
			break
		}
		if n > 0 && (all || rows >= mergeFactor*own) {
			chosen = members[:n+1]
		}
		rows += own
		if n+1 > segmentsMax && chosen == nil {
			chosen = members[:n+1]
		}
	}
	return chosen
}

// mergeBytes is about what of memory a merge takes for the segment.
func (s *segmentEntry) mergeBytes() int64 {
	return int64(s.rows)*mergeRowBytes + int64(s.bytes())
}

func (e *Engine) mergeSegments(p *project, state *sealed, chosen []int, over event.Time) error {
	var from []*index.Segment
	gone := map[uint64]bool{}
	rows := 0
	for _, i := range chosen {
		entry := &state.manifest.segments[i]
		segment, err := index.Open(&passing{e: e, thing: thing{p.number, entry.bucket, entry.stamp}})
		if err != nil {
			return fmt.Errorf("merge segment %d of project %d: %w", entry.stamp, p.number, err)
		}
		from, gone[entry.stamp] = append(from, segment), true
		rows += entry.rows
	}
	built, err := index.Merge(from, index.MergeOptions{Floor: over, Retouch: p.retouch})
	if err != nil {
		return fmt.Errorf("merge %d segments of project %d: %w", len(from), p.number, err)
	}
	var entry segmentEntry
	if built != nil {
		w := &pieceWriter{e: e}
		defer w.abandon()
		t := thing{p.number, state.manifest.segments[chosen[0]].bucket, p.reserve()}
		if entry, err = e.writeSegment(w, t, built); err == nil {
			err = w.finish()
		}
		if err != nil {
			return fmt.Errorf("write merged segment of project %d: %w", p.number, err)
		}
	}
	done, err := e.replace(p, func(m *manifest) bool {
		before := len(m.segments)
		m.segments = slices.DeleteFunc(m.segments, func(s segmentEntry) bool { return gone[s.stamp] && s.hidden.Count() == 0 })
		if before-len(m.segments) != len(gone) {
			return false // some of them were dropped meanwhile, or somebody was erased
		}
		m.gone += uint64(rows - entry.rows)
		if built != nil {
			m.segments = append(m.segments, entry)
		}
		return true
	})
	if !done && built != nil {
		e.bury([]thing{{p.number, entry.bucket, entry.stamp}})
	}
	if done {
		e.opt.Notify(Merged{Project: p.number, Events: entry.rows, Segments: len(from)})
	}
	return err
}

// reserve returns a stamp that was never used.
func (p *project) reserve() uint64 {
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	return p.stamp()
}

// replace changes the manifest, unless change reports that it has nothing to change any more.
func (e *Engine) replace(p *project, change func(m *manifest) bool) (done bool, err error) {
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	before := p.newest()
	m := before.manifest.clone()
	if !change(m) {
		return false, nil
	}
	next, err := e.openSealed(p, m, before)
	if err == nil {
		err = e.publish(p, next)
	}
	if err == nil {
		err = e.handOver(p, next, next.ordinals, 0)
	}
	if err != nil {
		return false, fmt.Errorf("merge in project %d: %w", p.number, err)
	}
	return true, nil
}

// planRuns returns which runs of a kind to merge next, by their places in the manifest. Where one is
// unsound, all of the kind are left alone.
func planRuns(m *manifest, kind runKind, all bool, unsound map[uint64]bool) []int {
	entries := m.runs[kind]
	if slices.ContainsFunc(entries, func(r runEntry) bool { return unsound[r.stamp] }) {
		return nil
	}
	era := event.Time(0)
	if kind == runIDs && m.days > 0 {
		era = idsFor(m.days) / ids.RetentionEras
	}
	if all && era == 0 && len(entries) > 1 {
		return places(len(entries))
	}
	sizes := make([]ids.Size, len(entries))
	for i, r := range entries {
		sizes[i] = ids.Size{Hashes: r.count, Latest: r.latest}
	}
	chosen := ids.Plan(sizes, era)
	if kind == runCommits && len(chosen) > 0 {
		// Their ranges must stay beside each other: all behind the first of them go along.
		first := slices.Min(chosen)
		chosen = places(len(entries))[first:]
	}
	return chosen
}

func places(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (e *Engine) mergeRuns(p *project, state *sealed, kind runKind, chosen []int) error {
	var from []runEntry
	merged := runEntry{first: state.runs[kind][chosen[0]].first}
	gone := map[uint64]bool{}
	for _, i := range chosen {
		r := state.runs[kind][i]
		from, gone[r.stamp] = append(from, r), true
		merged.latest, merged.first, merged.last = max(merged.latest, r.latest), min(merged.first, r.first), max(merged.last, r.last)
	}
	w := &pieceWriter{e: e}
	defer w.abandon()
	t := thing{p.number, BucketSets, p.reserve()}
	err := w.writeRun(t, &merged, func(emit ids.Emit) error {
		return e.mergeRun(p, kind, t.stamp, from, emit)
	})
	if err == nil {
		err = w.finish()
	}
	if err == nil {
		// Entries that stood in several runs stand in one now.
		merged.count, err = e.lengthOf(p, kind, merged)
	}
	if err != nil {
		return fmt.Errorf("merge %d runs of project %d: %w", len(from), p.number, err)
	}
	done, err := e.replace(p, func(m *manifest) bool {
		// Runs of commit times stand in the order of their positions, so the new one takes the place of the
		// old ones.
		at, before := slices.IndexFunc(m.runs[kind], func(r runEntry) bool { return gone[r.stamp] }), len(m.runs[kind])
		m.runs[kind] = slices.DeleteFunc(m.runs[kind], func(r runEntry) bool { return gone[r.stamp] })
		if before-len(m.runs[kind]) != len(gone) {
			return false // some of them were dropped meanwhile: ids that nobody has to know any more
		}
		m.runs[kind] = slices.Insert(m.runs[kind], at, merged)
		return true
	})
	if !done && err == nil {
		e.bury([]thing{t})
	}
	return err
}

// mergeRun writes one run of several.
func (e *Engine) mergeRun(p *project, kind runKind, stamp uint64, from []runEntry, emit ids.Emit) error {
	switch kind {
	case runIDs:
		runs, err := openEach(e, p, from, nil, true, ids.Open)
		if err != nil {
			return err
		}
		return ids.Merge(stamp, runs, nil, emit)
	case runVisitors:
		runs, err := openEach(e, p, from, nil, true, visitors.Open)
		if err != nil {
			return err
		}
		return visitors.Merge(stamp, runs, nil, emit)
	}
	runs, err := openEach(e, p, from, nil, true, commits.Open)
	if err != nil {
		return err
	}
	return commits.Merge(stamp, runs, emit)
}

// checkable is a run of any kind.
type checkable interface {
	Check() error
	Len() int
}

// openAny opens a run of any kind, past the cache.
func (e *Engine) openAny(p *project, kind runKind, entry runEntry) (checkable, error) {
	pieces := runPieces{e: e, thing: thing{p.number, BucketSets, entry.stamp}, direct: true}
	switch kind {
	case runIDs:
		return ids.Open(entry.stamp, pieces)
	case runVisitors:
		return visitors.Open(entry.stamp, pieces)
	}
	return commits.Open(entry.stamp, pieces)
}

// checkRun reads a whole run, and holds it against its entry.
func (e *Engine) checkRun(p *project, kind runKind, entry runEntry) error {
	run, err := e.openAny(p, kind, entry)
	if err == nil {
		err = run.Check()
	}
	if err == nil && run.Len() != entry.count {
		key := thing{p.number, BucketSets, entry.stamp}.key(nil)
		err = damagedValue(key, fmt.Errorf("a run holds %d, the manifest says %d", run.Len(), entry.count))
	}
	return err
}

func (e *Engine) lengthOf(p *project, kind runKind, entry runEntry) (int, error) {
	run, err := e.openAny(p, kind, entry)
	if err != nil {
		return 0, err
	}
	return run.Len(), nil
}
