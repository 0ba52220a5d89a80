package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index"
	"millimetric/index/encode"
	"millimetric/index/event"
)

// How far damage reaches: as far as what was damaged can be told to belong, and no further.
//
//   - A segment or a run that can't be read costs what has to read it: questions over its time, or a
//     look-up in it. It is merged no more.
//   - A project is broken where its manifest, or what opens or seals it, can't be read: nothing of it is
//     read or written until the next start, which looks again. Its events stay in the log.
//   - Blocks of manifests that follow each other belong to all projects between those that can be read: these
//     are broken.
//   - A record belongs to whom it is about: who reads records of its kind is told which can't be read. Of an
//     erasure, the ledger knows enough to go on.
//   - The log belongs to all. At a start, nobody could tell what is missing from it: the store isn't
//     opened. In an open store, all that the log holds is in memory, too: it is sealed, and then nobody
//     needs the log. Appends are refused meanwhile, as what they add would lie behind the damage.
//   - The format number and what Pebble keeps of its own belong to all.
//
// Pebble reports damage wherever it meets some, be it for a reader or in the background. The reader has
// its error; the report alone refuses nobody.

// rotten are tables that Pebble has found damaged, and whether the log is.
type rotten struct {
	mu     sync.Mutex // guards both
	tables map[string]bool
	looked bool // since the last table was found
}

// rottenMax bounds the tables that are remembered. Of more, each report is told.
const rottenMax = 1000

// tableDamaged takes a report of Pebble's, which may hold locks of its own.
func (e *Engine) tableDamaged(info pebble.DataCorruptionInfo) {
	e.bad.note(info, e.opt.Now())
	e.rotten.mu.Lock()
	known := e.rotten.tables[info.Path]
	if !known && len(e.rotten.tables) < rottenMax {
		e.rotten.tables[info.Path] = true
	}
	if !known && reachesLog(info) {
		e.rotten.looked = false
	}
	e.rotten.mu.Unlock()
	if known {
		return
	}
	e.opt.Notify(Damaged{Path: info.Path, Cause: info.Details})
	select {
	case e.wakeSealer <- struct{}{}:
	default:
	}
}

// reachesLog reports whether a table may hold groups. Where its bounds aren't known, it may.
func reachesLog(info pebble.DataCorruptionInfo) bool {
	start, end := info.Bounds.Start, info.Bounds.End.Key
	return len(start) == 0 || len(end) == 0 || start[0] <= prefixGroup && end[0] >= prefixGroup
}

// leaveLog looks whether the log can still be read after a table was found damaged. Where it can't be,
// appends are refused until nobody needs it.
func (e *Engine) leaveLog() error {
	e.rotten.mu.Lock()
	looked := e.rotten.looked
	e.rotten.looked = true
	e.rotten.mu.Unlock()
	if looked {
		return nil
	}
	err := e.readLog()
	if errors.Is(err, event.ErrDamaged) {
		e.state[stateDamaged].Store(true)
		if err = e.sealAll(); err == nil {
			err = e.readLog()
		}
	}
	if err == nil {
		e.state[stateDamaged].Store(false)
		return nil
	}
	e.rotten.mu.Lock()
	e.rotten.looked = false
	e.rotten.mu.Unlock()
	return err
}

// readLog reads the log from end to end.
func (e *Engine) readLog() error {
	return walkLog(e.db, func(uint64, []byte) error { return nil })
}

// sealAll seals all that is live, and trims the log, durably.
func (e *Engine) sealAll() error {
	for _, p := range e.all() {
		if _, err := e.seal(p); err != nil {
			if err = e.contain(p, err); err != nil {
				return err
			}
		}
	}
	if err := e.trim(); err != nil {
		return err
	}
	if err := e.db.LogData(nil, pebble.Sync); err != nil {
		return fmt.Errorf("sync the trim of the log: %w", err)
	}
	return e.cutLog()
}

// cutLog takes what was trimmed out of Pebble's tables without reading it, as far as no broken project
// needs it. A table of the topmost level with a block that can't be read would be compacted again and
// again, in vain, and with it all that came after.
func (e *Engine) cutLog() error {
	if !e.nothingBroken() {
		return nil
	}
	trimmed := pebble.KeyRange{Start: appendGroupKey(nil, 0), End: appendGroupKey(nil, e.trimmed.Load()+1)}
	if err := e.db.Excise(context.Background(), trimmed); err != nil {
		return storeError("cut the log", err)
	}
	return nil
}

// damage says why nothing of a project can be read or written, nil where it can be.
func (p *project) damage() error {
	if why := p.broken.Load(); why != nil {
		return *why
	}
	return nil
}

// breakOff leaves a project alone from here on.
func (e *Engine) breakOff(p *project, why error) {
	if p.broken.CompareAndSwap(nil, &why) {
		e.opt.Notify(Broken{Project: p.number, Cause: why})
	}
}

// contain takes an error of work on one project. Where it is damage, the project is left alone, so that
// it keeps no other one waiting; else the error is returned.
func (e *Engine) contain(p *project, err error) error {
	if errors.Is(err, event.ErrDamaged) {
		e.breakOff(p, err)
		return nil
	}
	return err
}

// spare finds out which of the things that couldn't be merged are damaged, so that they are left alone.
// It returns the error where none of them is. The caller holds merging.
func (e *Engine) spare(p *project, cause error, stamps []uint64, check func(i int) error) error {
	if !errors.Is(cause, event.ErrDamaged) {
		return cause
	}
	found := false
	for i, stamp := range stamps {
		err := check(i)
		if err == nil {
			continue
		}
		if !errors.Is(err, event.ErrDamaged) {
			return err
		}
		found = true
		if p.unsound == nil {
			p.unsound = map[uint64]bool{}
		}
		p.unsound[stamp] = true
		e.opt.Notify(Damaged{Path: fmt.Sprintf("part %d of project %d", stamp, p.number), Cause: err})
	}
	if !found {
		return cause
	}
	return nil
}

func (e *Engine) checkSegment(p *project, entry *segmentEntry) error {
	segment, err := index.Open(&passing{e: e, thing: thing{p.number, entry.bucket, entry.stamp}})
	if err != nil {
		return err
	}
	return segment.Check()
}

// kept lists the groups behind the last trimmed one, up to a number, that hold events of broken
// projects: they are nowhere else.
func (e *Engine) kept(upTo uint64) ([]uint64, error) {
	broken := map[event.Project]bool{}
	for _, p := range e.all() {
		if p.damage() != nil {
			broken[p.number] = true
		}
	}
	if len(broken) == 0 {
		return nil, nil
	}
	var keep []uint64
	decoder := encode.Decoder{Cipher: logCipher{e.ciphers}}
	trimmed := e.trimmed.Load()
	err := walkLog(e.db, func(number uint64, value []byte) error {
		if number <= trimmed || number > upTo {
			return nil
		}
		g, err := decoder.Decode(value, number)
		if err != nil {
			return unreadable(number, err)
		}
		if slices.ContainsFunc(g.Parts, func(part encode.Part) bool { return broken[part.Project] }) {
			keep = append(keep, number)
		}
		return nil
	})
	return keep, err
}

// nothingBroken reports whether all projects can be read, and which there are is known.
func (e *Engine) nothingBroken() bool {
	return len(e.gaps) == 0 && !slices.ContainsFunc(e.all(), func(p *project) bool { return p.damage() != nil })
}

// gap is a range of projects, both ends included, whose manifests can't be read, if they have some.
type gap struct {
	from, to event.Project
	why      error
}

// missing says why it isn't known whether a project has a manifest, nil where it is.
func (e *Engine) missing(number event.Project) error {
	for _, g := range e.gaps {
		if g.from <= number && number <= g.to {
			return g.why
		}
	}
	return nil
}

const maxProject = event.Project(1<<32 - 1)

// walkManifests visits the manifests that can be read. It returns the gaps between them.
func (e *Engine) walkManifests(visit func(key, value []byte) error) (gaps []gap, err error) {
	err = e.walkOver(span([]byte{prefixManifest}), func(key, value []byte) error {
		if _, isManifest := manifestOwner(key); !isManifest {
			return damagedValue(slices.Clone(key), errors.New("it is none of a manifest"))
		}
		return visit(key, value)
	}, func(from, to []byte, cause error) error {
		g := gap{0, maxProject, cause}
		if first, is := manifestOwner(from[:min(len(from), manifestKeyBytes)]); is {
			g.from = first
			if len(from) > manifestKeyBytes {
				g.from++ // it lies behind that one's
			}
		}
		if last, is := manifestOwner(to); is {
			g.to = last
		}
		gaps = append(gaps, g)
		return nil
	})
	return gaps, err
}

// deleteOrphans deletes the pieces of things that no manifest names: what a crash left of a seal or a
// merge, or of what was merged away. Of a project whose manifest can't be read, nothing is deleted, nor
// what lies behind damage.
func (e *Engine) deleteOrphans() error {
	named := map[thing]bool{}
	for _, p := range e.projects {
		for _, t := range p.state().things(p.number) {
			t.bucket = 0 // a store key doesn't tell it
			named[t] = true
		}
	}
	it, err := e.db.NewIter(span([]byte{prefixPiece}))
	if err != nil {
		return storeError("read store", err)
	}
	defer func() { _ = it.Close() }() // whose error is that of the last step
	var dead []thing
	for ok := it.First(); ok; {
		project, stamp, isPiece := thingOf(it.Key())
		if !isPiece {
			return damagedValue(slices.Clone(it.Key()), errors.New("it is none of a piece"))
		}
		t := thing{project: project, stamp: stamp}
		known := e.projects[project]
		if !named[t] && (known == nil || known.damage() == nil) && e.missing(project) == nil {
			dead = append(dead, t)
		}
		t.stamp++
		if ok = it.SeekGE(t.key(nil)); it.Error() != nil {
			ok = it.SeekGE(thing{project: project + 1}.key(nil))
		}
	}
	if err := it.Error(); err != nil {
		if err = storeError("read store", err); !errors.Is(err, event.ErrDamaged) {
			return err
		}
		e.opt.Notify(Background{Cause: err})
	}
	return e.forget(dead)
}
