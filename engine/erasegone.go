package engine

import (
	"fmt"
	"slices"

	"millimetric/index"
	"millimetric/index/bitmap"
	"millimetric/index/event"
	"millimetric/index/ids"
	"millimetric/index/visitors"
)

// What is hidden is written anew without it, a project at a time:
//
//  1. It is found out what goes with the hidden rows: the hashes of their event ids, and the visitors of whom
//     no other row is left, in segments or live.
//  2. Each segment with hidden rows is merged with nothing, without them, and each run that has one of these
//     hashes or visitors is written without them, all under stamps that were never used.
//  3. One synced batch replaces the manifest. What a crash leaves before it is deleted at the next start, and
//     all begins anew; rows that are hidden stay so.
//
// A visitor that comes again after 3 gets another ordinal. So nobody may be given the old one from the
// moment at which it is certain that nobody has it: 3 is done with the ordinals locked, and where one of
// the visitors has come again since 1, it isn't done but begun anew. A seal may go on meanwhile; merges
// wait.

// leaving is what step 1 finds.
type leaving struct {
	hashes   []ids.Hash // rising
	visitors map[ids.Hash]uint32
	ordinals bitmap.Set // of the visitors
}

// rewritten is what step 2 makes.
type rewritten struct {
	segments []rewrittenSegment
	runs     []rewrittenRun
}

type rewrittenSegment struct {
	old, made segmentEntry // without rows where none is left
}

type rewrittenRun struct {
	kind      runKind
	old, made runEntry // without entries where none is left
}

func (m *manifest) hides() bool {
	return slices.ContainsFunc(m.segments, func(s segmentEntry) bool { return s.hidden.Count() > 0 })
}

// rewrite does all three steps for a project. It reports whether nothing hidden is left, and how many segments
// were written anew.
func (e *Engine) rewrite(p *project) (done bool, segments int, err error) {
	e.merging.Lock()
	defer e.merging.Unlock()
	held, over := e.hold(p)
	defer held.Release()
	state := held.sealed
	if why := p.damage(); why != nil || !state.hides() {
		return why == nil, 0, why
	}
	l, err := e.findLeaving(p, state)
	if err != nil {
		return false, 0, err
	}
	made, err := e.writeWithout(p, state, l, over)
	if err == nil {
		done, err = e.putRewritten(p, state, made, l)
	}
	if !done {
		e.bury(made.things(p))
	}
	if !done || err != nil {
		return false, 0, err
	}
	return !p.newest().hides(), len(made.segments), nil
}

// findLeaving does step 1.
func (e *Engine) findLeaving(p *project, state *sealed) (*leaving, error) {
	l := &leaving{visitors: map[ids.Hash]uint32{}}
	var gone, stay bitmap.Set
	for i, s := range state.segments {
		all, err := s.VisitorSet()
		if err != nil {
			return nil, err
		}
		if !s.Hides() {
			stay = stay.Or(all)
			continue
		}
		own, err := e.leavingOf(p, s, l)
		if err != nil {
			return nil, fmt.Errorf("look through segment %d of project %d: %w", state.manifest.segments[i].stamp, p.number, err)
		}
		gone, stay = gone.Or(own), stay.Or(all.Without(own))
	}
	live, err := p.ordinals.live(p)
	if err != nil {
		return nil, err
	}
	l.ordinals = gone.Without(stay).Without(live)
	for h, ordinal := range l.visitors {
		if !l.ordinals.Has(ordinal) {
			delete(l.visitors, h)
		}
	}
	slices.SortFunc(l.hashes, ids.Hash.Compare)
	l.hashes = slices.Compact(l.hashes)
	return l, nil
}

// leavingOf adds what goes with the hidden rows of a segment. It returns the visitors of whom it has no
// other row.
func (e *Engine) leavingOf(p *project, s *index.Segment, l *leaving) (gone bitmap.Set, err error) {
	var secrets [2][32]byte
	for i, what := range []string{"event ids 1", "visitors 1"} {
		if secrets[i], err = e.ciphers.secret(p.number, what); err != nil {
			return gone, err
		}
	}
	idHasher, visitorHasher := ids.NewHasher(secrets[0], ids.IDBits), ids.NewHasher(secrets[1], ids.HashBits)
	runs, err := s.Runs()
	if err != nil {
		return gone, err
	}
	eventIDs, names := s.EventIDs(), s.AnonymousIDs()
	var ordinals []uint32
	run, left := 0, uint32(0)
	for _, row := range s.Hidden().Numbers() {
		id, err := eventIDs.At(row)
		if err != nil {
			return gone, err
		}
		if id != "" {
			l.hashes = append(l.hashes, idHasher.Hash(id))
		}
		if left == 0 || row >= runs.Starts[run+1] {
			for row >= runs.Starts[run+1] {
				run++
			}
			left = runs.Starts[run+1] - runs.Starts[run]
		}
		if left--; left > 0 {
			continue
		}
		name, err := names.At(uint32(run))
		if err != nil {
			return gone, err
		}
		ordinals = append(ordinals, runs.Ordinals[run])
		l.visitors[visitorHasher.Hash(name)] = runs.Ordinals[run]
	}
	return bitmap.Of(ordinals), nil
}

// writeWithout does step 2. What it returns beside an error was written, too.
func (e *Engine) writeWithout(p *project, state *sealed, l *leaving, over event.Time) (*rewritten, error) {
	out := &rewritten{}
	for i := range state.manifest.segments {
		old := state.manifest.segments[i]
		if old.hidden.Count() == 0 {
			continue
		}
		made, err := e.writeSegmentWithout(p, &old, over)
		out.segments = append(out.segments, rewrittenSegment{old, made})
		if err == nil {
			err = e.stopped()
		}
		if err != nil {
			return out, fmt.Errorf("write segment %d of project %d anew: %w", old.stamp, p.number, err)
		}
	}
	for _, kind := range []runKind{runIDs, runVisitors} {
		for _, old := range state.runs[kind] {
			made, changed, err := e.writeRunWithout(p, kind, old, l)
			if changed {
				out.runs = append(out.runs, rewrittenRun{kind, old, made})
			}
			if err != nil {
				return out, fmt.Errorf("write run %d of project %d anew: %w", old.stamp, p.number, err)
			}
		}
	}
	return out, nil
}

func (e *Engine) writeSegmentWithout(p *project, old *segmentEntry, over event.Time) (segmentEntry, error) {
	segment, err := index.Open(&passing{e: e, thing: thing{p.number, old.bucket, old.stamp}})
	if err != nil {
		return segmentEntry{}, err
	}
	built, err := index.Merge([]*index.Segment{segment}, index.MergeOptions{Floor: over, Drop: []bitmap.Set{old.hidden}, Retouch: p.retouch})
	if err != nil || built == nil {
		return segmentEntry{}, err
	}
	w := &pieceWriter{e: e}
	defer w.abandon()
	made, err := e.writeSegment(w, thing{p.number, old.bucket, p.reserve()}, built)
	if err == nil {
		err = w.finish()
	}
	return made, err
}

// writeRunWithout writes a run without what leaves; changed is false where it has none of that.
func (e *Engine) writeRunWithout(p *project, kind runKind, old runEntry, l *leaving) (made runEntry, changed bool, err error) {
	without, merge, err := e.runWithout(p, kind, old, l)
	if err != nil || without == 0 {
		return runEntry{}, false, err
	}
	made, err = e.writeRunLess(p, kind, old, without, merge)
	return made, true, err
}

// writeRunLess writes a run with so many entries less, by merge; it has none where that leaves none.
func (e *Engine) writeRunLess(p *project, kind runKind, old runEntry, less int, merge func(stamp uint64, emit ids.Emit) error) (made runEntry, err error) {
	if less == old.count {
		return made, nil
	}
	made = runEntry{count: old.count - less, latest: old.latest, first: old.first, last: old.last}
	w := &pieceWriter{e: e}
	defer w.abandon()
	t := thing{p.number, BucketSets, p.reserve()}
	err = w.writeRun(t, &made, func(emit ids.Emit) error { return merge(t.stamp, emit) })
	if err == nil {
		err = w.finish()
	}
	if err == nil {
		err = e.checkRun(p, kind, made)
	}
	return made, err
}

// runWithout returns how many entries of a run leave, and what writes it without them.
func (e *Engine) runWithout(p *project, kind runKind, old runEntry, l *leaving) (without int, merge func(stamp uint64, emit ids.Emit) error, err error) {
	count := func(found []bool) {
		for _, f := range found {
			if f {
				without++
			}
		}
	}
	pieces := runPieces{e: e, thing: thing{p.number, BucketSets, old.stamp}, direct: true}
	if kind == runIDs {
		run, err := ids.Open(old.stamp, pieces)
		if err != nil {
			return 0, nil, err
		}
		found := make([]bool, len(l.hashes))
		err = ids.NewSet(run).Lookup(l.hashes, found)
		count(found)
		keep := func(h ids.Hash) bool {
			_, leaves := slices.BinarySearchFunc(l.hashes, h, ids.Hash.Compare)
			return !leaves
		}
		return without, func(stamp uint64, emit ids.Emit) error { return ids.Merge(stamp, []*ids.Run{run}, keep, emit) }, err
	}
	run, err := visitors.Open(old.stamp, pieces)
	if err != nil {
		return 0, nil, err
	}
	var hashes []ids.Hash
	for h := range l.visitors {
		hashes = append(hashes, h)
	}
	found := make([]bool, len(hashes))
	err = visitors.NewSet(run).Lookup(hashes, make([]uint32, len(hashes)), found)
	count(found)
	keep := func(v visitors.Entry) bool { _, leaves := l.visitors[v.Hash]; return !leaves }
	return without, func(stamp uint64, emit ids.Emit) error {
		return visitors.Merge(stamp, []*visitors.Run{run}, keep, emit)
	}, err
}

// putRewritten does step 3. It reports false where it wasn't done, as something has changed since step 1 that
// stands against it, or failed before.
func (e *Engine) putRewritten(p *project, state *sealed, made *rewritten, l *leaving) (bool, error) {
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	before := p.newest()
	m := before.manifest.clone()
	if !made.putInto(m) {
		return false, nil
	}
	for i, s := range before.segments {
		if before.manifest.segments[i].stamp < state.next {
			continue
		}
		if own, err := s.VisitorSet(); err != nil || own.CountBoth(l.ordinals) > 0 {
			return false, err
		}
	}
	next, err := e.openSealed(p, m, before)
	if err != nil {
		return false, err
	}
	p.ordinals.mu.Lock()
	live, err := p.ordinals.liveLocked(p)
	if err != nil || live.CountBoth(l.ordinals) > 0 {
		p.ordinals.mu.Unlock()
		return false, err
	}
	err = e.publish(p, next)
	var known openRuns
	if err == nil {
		p.behind = true
		known, err = e.openRuns(p, m)
	}
	if err == nil {
		p.ordinals.near = visitors.Recent{}
		p.ordinals.adoptLocked(known.visitors, m.ordinals, e.visitorFilters)
	}
	p.ordinals.mu.Unlock()
	if err != nil {
		return true, err // or it isn't known; the process is about to end then
	}
	err = e.inGather(func(*group) { p.repeats.adopt(known.ids, 0, e.idFilters) })
	p.behind = err != nil
	return true, err
}

// putInto puts what was made into a manifest in the place of what is old. It reports false where that isn't
// there any more, or hides other rows by now.
func (r *rewritten) putInto(m *manifest) bool {
	for _, s := range r.segments {
		at := slices.IndexFunc(m.segments, func(own segmentEntry) bool { return own.stamp == s.old.stamp })
		if at < 0 || !m.segments[at].hidden.Equal(s.old.hidden) {
			return false
		}
		m.gone += uint64(s.old.rows - s.made.rows)
		m.erasures.gone += uint64(s.old.hidden.Count())
		if s.made.rows > 0 {
			m.segments[at] = s.made
		} else {
			m.segments = slices.Delete(m.segments, at, at+1)
		}
	}
	for _, run := range r.runs {
		at := slices.IndexFunc(m.runs[run.kind], func(own runEntry) bool { return own.stamp == run.old.stamp })
		switch {
		case at < 0:
			return false
		case run.made.count > 0:
			m.runs[run.kind][at] = run.made
		default:
			m.runs[run.kind] = slices.Delete(m.runs[run.kind], at, at+1)
		}
	}
	return true
}

// things lists what was made.
func (r *rewritten) things(p *project) (all []thing) {
	for _, s := range r.segments {
		if s.made.stamp > 0 {
			all = append(all, thing{p.number, s.made.bucket, s.made.stamp})
		}
	}
	for _, run := range r.runs {
		if run.made.stamp > 0 {
			all = append(all, thing{p.number, BucketSets, run.made.stamp})
		}
	}
	return all
}
