package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"millimetric/engine/ledger"
	"millimetric/index/event"
)

// How what was hidden leaves the disk, for all erasures that are hidden at that time.
//
//  1. Their projects are written anew (erasegone.go).
//  2. All projects with live events that came no later are sealed, and the log is trimmed: its groups
//     have events of several projects.
//  3. What no manifest names is deleted, once no reader reads it. Where somebody still does, all waits for
//     that.
//  4. Pebble flushes, which begins a new log and removes the old ones, and compacts the pieces of these
//     projects and the trimmed log: what was merged away before may have held them, too. It writes anew only
//     tables that something deleted lies above. It is waited until the files are removed.
//  5. All files are searched for what should be gone (residue.go). Where something is left, it begins anew at
//     1, at the next look.
//
// Nothing of it is remembered but that the erasures go on, so after a crash it begins anew as well.

// pass is one time that it is done.
type pass struct {
	all    []Erasure
	of     map[event.Project][]*Erasure // of all
	before []string                     // files
	upTo   uint64                       // the last group that may hold somebody's events
	left   map[event.Project]leftThings
}

// leftThings are the stamps under which something of a project may lie: those that its manifest named, and
// those that weren't used then.
type leftThings struct {
	next  uint64
	named map[uint64]bool
}

// goneWait is how long it is waited for Pebble to remove files before the search would find them.
const (
	goneWait  = 10 * time.Second
	goneEvery = 10 * time.Millisecond
)

// FinishErasures has the bytes of all who were erased leave the disk now. It returns how many erasures aren't
// at their end: a reader still reads what they hid, or a damaged project keeps the log.
func (e *Engine) FinishErasures(ctx context.Context) (left int, err error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	defer e.running.Done()
	return e.finishErasures(ctx)
}

func (e *Engine) finishErasures(ctx context.Context) (left int, err error) {
	e.purging.Lock()
	defer e.purging.Unlock()
	p := &pass{all: e.erasing.hiddenOnes(), of: map[event.Project][]*Erasure{}, left: map[event.Project]leftThings{}}
	if len(p.all) == 0 {
		return 0, nil
	}
	for i := range p.all {
		x := &p.all[i]
		p.of[x.Project] = append(p.of[x.Project], x)
	}
	if p.before, err = e.storeFiles(); err != nil {
		return len(p.all), err
	}
	p.upTo = e.committed.Load()
	ready := false
	for _, step := range []func(*pass) (bool, error){e.rewriteAll, e.leaveLogOf, e.deleteAll} {
		if ready, err = step(p); err != nil || !ready {
			return len(p.all), err
		}
	}
	if err := e.compactGone(ctx, p); err != nil {
		return len(p.all), err
	}
	return e.endErasures(p)
}

// rewriteAll does step 1. It reports whether nothing hidden is left.
func (e *Engine) rewriteAll(pass *pass) (ready bool, err error) {
	ready = true
	for number, list := range pass.of {
		p := e.known(number)
		done, segments, err := e.rewrite(p)
		if err != nil {
			return false, fmt.Errorf("erase in project %d: %w", number, err)
		}
		for _, x := range list {
			x.Segments += segments
			e.erasing.put(x)
		}
		ready = ready && done
	}
	return ready, nil
}

// known returns a project in which somebody is erased.
func (e *Engine) known(number event.Project) *project {
	p, ok := e.shown.Load(number)
	if !ok {
		panic(fmt.Sprintf("engine: an erasure in project %d, which isn't there", number))
	}
	return p.(*project)
}

// leaveLogOf does step 2 for the groups up to one. It reports whether they are gone.
func (e *Engine) leaveLogOf(pass *pass) (bool, error) {
	upTo := pass.upTo
	if e.trimmed.Load() >= upTo {
		return e.nothingBroken(), nil
	}
	for _, p := range e.all() {
		if _, first := p.liveRows(); first == 0 || first > upTo {
			continue
		}
		if _, err := e.seal(p); e.contain(p, err) != nil {
			return false, err
		}
	}
	err := e.trim()
	return err == nil && e.trimmed.Load() >= upTo && e.nothingBroken(), err
}

// deleteAll does step 3, and notes what is left. It reports whether nobody reads what was deleted.
func (e *Engine) deleteAll(pass *pass) (bool, error) {
	e.merging.Lock() // which writes pieces that no manifest names yet
	defer e.merging.Unlock()
	for number := range pass.of {
		p := e.known(number)
		p.upkeep.Lock() // as do seals
		p.mu.Lock()
		dead := p.retire()
		read, left := len(p.states) > 1, leftThings{p.next, map[uint64]bool{}}
		for _, t := range p.state().things(number) {
			left.named[t.stamp] = true
		}
		p.mu.Unlock()
		p.upkeep.Unlock()
		e.bury(dead)
		if read {
			return false, nil
		}
		pass.left[number] = left
	}
	return true, e.clean()
}

// compactGone does step 4.
func (e *Engine) compactGone(ctx context.Context, pass *pass) error {
	if err := e.flush(ctx); err != nil {
		return err
	}
	if err := e.compactKeys(ctx, appendGroupKey(nil, 0), appendGroupKey(nil, e.trimmed.Load()+1)); err != nil {
		return err
	}
	for number := range pass.of {
		if err := e.compactKeys(ctx, thing{project: number}.key(nil), thing{project: number + 1}.key(nil)); err != nil {
			return err
		}
	}
	for waited := time.Duration(0); waited < goneWait; waited += goneEvery {
		m := e.db.Metrics()
		if m.Table.ObsoleteCount == 0 && m.Table.ZombieCount == 0 && m.WAL.ObsoleteFiles == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(goneEvery):
		}
	}
	return nil
}

// endErasures does step 5.
func (e *Engine) endErasures(pass *pass) (left int, err error) {
	found, err := e.searchStore(pass)
	if err != nil {
		return len(pass.all), err
	}
	if found.residue > 0 && e.erasing.size() > len(pass.all) {
		return len(pass.all), nil // others are erased meanwhile, and these may be their rows: it begins anew
	}
	after, err := e.storeFiles()
	if err != nil {
		return len(pass.all), err
	}
	retired := 0
	for _, name := range pass.before {
		if _, there := slices.BinarySearch(after, name); !there {
			retired++
		}
	}
	now := event.TimeOf(e.opt.Now())
	var records []Record
	for i := range pass.all {
		x := &pass.all[i]
		x.FilesRetired, x.BytesScanned, x.Residue = x.FilesRetired+retired, found.bytes, found.residue
		if found.residue == 0 {
			x.Gone = max(now, x.Hidden)
		}
		records = append(records, x.records()...)
	}
	if err := e.putRecords(e.life, records); err != nil {
		return len(pass.all), err
	}
	if found.residue > 0 {
		return len(pass.all), fmt.Errorf("%d traces of erased persons are left, which is tried again", found.residue)
	}
	e.erasing.done(pass.all)
	for i := range pass.all {
		x := &pass.all[i]
		if x.lost {
			continue // of how many events, nobody can say any more
		}
		e.opt.Notify(Erased{Project: x.Project, Receipt: x.Receipt, Events: x.Events, Took: time.Duration(x.Gone-x.Requested) * time.Millisecond})
	}
	return 0, nil
}

// storeFiles lists Pebble's logs and tables, sorted.
func (e *Engine) storeFiles() (names []string, err error) {
	all, err := e.fs.List(e.dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", e.dir, err)
	}
	for _, name := range all {
		if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".sst") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// finishDue, of the merger, does that where something waits for it. What is damaged was told when it was found.
func (e *Engine) finishDue() error {
	err := e.hideDue(func(_ *project, err error) error { return err })
	if err == nil {
		_, err = e.finishErasures(e.life)
	}
	if err != nil && !e.isClosing() && !errors.Is(err, event.ErrDamaged) {
		return fmt.Errorf("erase from store %s: %w", e.dir, err)
	}
	return nil
}

// targetsOf returns the entries of the ledger that erasures stand for.
func (e *Engine) targetsOf(number event.Project, all []*Erasure) []ledger.Entry {
	wanted := map[string]bool{}
	for _, x := range all {
		wanted[x.Receipt] = true
	}
	entries := e.ledger.Of(number, 0)
	return slices.DeleteFunc(entries, func(entry ledger.Entry) bool { return !wanted[entry.Receipt.String()] })
}
