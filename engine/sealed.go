package engine

import (
	"errors"
	"fmt"
	"slices"

	"millimetric/index"
	"millimetric/index/commits"
	"millimetric/index/ids"
	"millimetric/index/visitors"
)

// sealed is what of a project is sealed at one moment: a manifest, and what it names, opened. It never
// changes. While readers use an old one, what it names stays on disk.
type sealed struct {
	*manifest
	segments []*index.Segment // of the manifest's, in its order
	commits  []*commits.Run
	readers  int // guarded by the project's mu
}

// state returns the newest. The caller holds mu.
func (p *project) state() *sealed { return p.states[len(p.states)-1] }

// newest returns the newest.
func (p *project) newest() *sealed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state()
}

// adopt makes next what readers see from now on, and leaves out of the live events what is sealed
// now. It returns what nobody reads any more.
func (p *project) adopt(next *sealed) (dead []thing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states = append(p.states, next)
	p.shown = p.shown.without(next.watermark)
	return p.retire()
}

// retire drops the oldest states that nobody reads. It returns what only they named. The caller holds
// mu.
func (p *project) retire() (dead []thing) {
	for len(p.states) > 1 && p.states[0].readers == 0 {
		after := map[thing]bool{}
		for _, t := range p.states[1].things(p.number) {
			after[t] = true
		}
		for _, t := range p.states[0].things(p.number) {
			if !after[t] {
				dead = append(dead, t)
			}
		}
		p.states = slices.Delete(p.states, 0, 1)
	}
	return dead
}

// openSealed opens what a manifest names, but for what before has open already.
func (e *Engine) openSealed(p *project, m *manifest, before *sealed) (*sealed, error) {
	s := &sealed{manifest: m}
	known := map[uint64]*index.Segment{}
	for i := range before.segments {
		known[before.manifest.segments[i].stamp] = before.segments[i]
	}
	for i := range m.segments {
		entry := &m.segments[i]
		segment := known[entry.stamp]
		if segment == nil {
			var err error
			if segment, err = e.openSegment(p, entry); err != nil {
				return nil, err
			}
		}
		if !segment.Hidden().Equal(entry.hidden) {
			segment = segment.Without(entry.hidden)
		}
		s.segments = append(s.segments, segment)
	}
	runs := map[uint64]*commits.Run{}
	for i, run := range before.commits {
		runs[before.runs[runCommits][i].stamp] = run
	}
	var err error
	s.commits, err = openEach(e, p, m.runs[runCommits], runs, false, commits.Open)
	return s, err
}

// openSegment opens a segment, and holds its header against the manifest.
func (e *Engine) openSegment(p *project, entry *segmentEntry) (*index.Segment, error) {
	segment, err := index.Open(sections{e: e, thing: thing{p.number, entry.bucket, entry.stamp}})
	if err == nil {
		err = matches(p, entry, segment)
	}
	if err != nil {
		return nil, fmt.Errorf("open segment %d of project %d: %w", entry.stamp, p.number, err)
	}
	return segment, nil
}

// matches holds a segment's header against the manifest.
func matches(p *project, entry *segmentEntry, segment *index.Segment) error {
	minTime, maxTime := segment.TimeRange()
	minSeq, maxSeq := segment.SeqRange()
	if segment.Rows() != entry.rows || minTime != entry.minTime || maxTime != entry.maxTime || minSeq != entry.minSeq || maxSeq != entry.maxSeq {
		return damagedValue(thing{p.number, entry.bucket, entry.stamp}.key(nil), errors.New("a segment isn't the one that the manifest names"))
	}
	return nil
}

// openRuns are the runs in which ids and visitors of a project are looked up. Whoever has upkeep knows
// them; those who look things up use them.
type openRuns struct {
	ids      []*ids.Run
	visitors []*visitors.Run
}

// openRuns opens the runs that a manifest names, but for those that are open.
func (e *Engine) openRuns(p *project, m *manifest) (openRuns, error) {
	knownIDs, knownVisitors := map[uint64]*ids.Run{}, map[uint64]*visitors.Run{}
	for _, r := range p.runs.ids {
		knownIDs[r.Stamp()] = r
	}
	for _, r := range p.runs.visitors {
		knownVisitors[r.Stamp()] = r
	}
	var next openRuns
	var err error
	// Past the cache: a run keeps its filters itself, and what else is read lies at random.
	if next.ids, err = openEach(e, p, m.runs[runIDs], knownIDs, true, ids.Open); err != nil {
		return openRuns{}, err
	}
	if next.visitors, err = openEach(e, p, m.runs[runVisitors], knownVisitors, false, visitors.Open); err != nil {
		return openRuns{}, err
	}
	p.runs = next
	return next, nil
}

// openEach opens runs of one kind, past the cache or through it.
func openEach[R any](e *Engine, p *project, entries []runEntry, known map[uint64]R, direct bool, open func(uint64, ids.Pieces) (R, error)) ([]R, error) {
	runs := make([]R, 0, len(entries))
	for _, entry := range entries {
		run, ok := known[entry.stamp]
		if !ok {
			var err error
			pieces := runPieces{e: e, thing: thing{p.number, BucketSets, entry.stamp}, direct: direct}
			if run, err = open(entry.stamp, pieces); err != nil {
				return nil, fmt.Errorf("open run %d of project %d: %w", entry.stamp, p.number, err)
			}
		}
		runs = append(runs, run)
	}
	return runs, nil
}
