package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index"
	"millimetric/index/event"
)

// Upkeep is what goes on beside requests: two goroutines, one that seals and trims the log, one that
// merges, retains and deletes. Each does one thing at a time.
const (
	// upkeepEvery is how often either looks for work that nobody told it of.
	upkeepEvery = time.Second
	// sealAfter and sealSmallAfter are how long events stay live at most; of few events a segment is
	// hardly worth making, but what is in the log can't be forgotten by dropping a cipher key.
	sealAfter      = 10 * time.Minute
	sealSmallAfter = time.Hour
	sealSmall      = 8192
	// liveRowsMax bounds the live events of all projects together: a start reads them back at about a
	// million per second.
	liveRowsMax = 512 << 10
	// logGroupsMax bounds the groups that a start has to read, however small they are.
	logGroupsMax = 200_000
	// builderRest is for how many looks the memory in which segments are built is kept for the next one.
	builderRest = 5
	// failedWait is how long upkeep rests after a failure: most, such as a full disk, last.
	failedWait = 5 * time.Second
)

// keeper is one of the goroutines.
func (e *Engine) keeper(wake <-chan struct{}, work func() error) {
	defer e.running.Done()
	ticker := time.NewTicker(upkeepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-wake:
		case <-ticker.C:
		}
		err := work()
		if err == nil || e.stopping() || e.isClosing() {
			continue // what is to stop fails because of that
		}
		e.opt.Notify(Background{Cause: err})
		select {
		case <-e.stop:
			return
		case <-time.After(failedWait):
		}
	}
}

func (e *Engine) stopping() bool {
	select {
	case <-e.stop:
		return true
	default:
		return e.state[stateDead].Load()
	}
}

// isClosing reports whether Close has begun. Requests are turned away from then on, the keepers' too, a moment
// before these are told to stop.
func (e *Engine) isClosing() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closing
}

// wake tells both keepers to look for work.
func (e *Engine) wake() {
	for _, c := range []chan struct{}{e.wakeSealer, e.wakeMerger} {
		select {
		case c <- struct{}{}:
		default: // it is told already
		}
	}
}

// wakeKeeper tells the sealer where a group has filled a project, or the memory.
func (e *Engine) wakeKeeper(g *group) {
	full := e.liveIsMuch()
	for _, s := range g.shows {
		if full || s.project.pending() >= e.budget.rows {
			e.wake()
			return
		}
	}
}

// liveIsMuch reports whether live events take so much of their memory that some must be sealed, even
// where no project has many.
func (e *Engine) liveIsMuch() bool { return e.liveBytes.Load() > e.budget.live/2 }

// pending returns how many events wait to be sealed.
func (p *project) pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.shown.asOf - min(p.shown.asOf, p.state().watermark))
}

// sealDue seals what is due, the fullest project first, until nothing is.
func (e *Engine) sealDue() error {
	if err := e.leaveLog(); err != nil {
		return err
	}
	for !e.stopping() {
		p := e.fullest()
		if p == nil {
			e.restBuilder()
			break
		}
		if _, err := e.seal(p); e.contain(p, err) != nil {
			return err
		}
		if err := e.trim(); err != nil {
			return err
		}
		e.wake()
	}
	return nil
}

// restBuilder lets go of the builder's memory where nothing was sealed for a while.
func (e *Engine) restBuilder() {
	e.sealing.Lock()
	defer e.sealing.Unlock()
	if e.idle++; e.idle == builderRest {
		e.builder = index.Builder{}
	}
}

// fullest returns the project that has the most events to seal, of those that are due; nil where none
// is.
func (e *Engine) fullest() (found *project) {
	now, most, total := event.TimeOf(e.opt.Now()), 0, 0
	var greatest *project
	greatestRows := 0
	for _, p := range e.all() {
		if p.damage() != nil {
			continue
		}
		rows, since, firstGroup := p.waiting()
		total += rows
		if rows > greatestRows {
			greatest, greatestRows = p, rows
		}
		if rows > most && e.sealIsDue(rows, time.Duration(now-since)*time.Millisecond, firstGroup) {
			found, most = p, rows
		}
	}
	if found == nil && (total > liveRowsMax || e.liveIsMuch()) {
		return greatest
	}
	return found
}

func (e *Engine) sealIsDue(rows int, age time.Duration, firstGroup uint64) bool {
	switch {
	case rows >= e.budget.rows, age >= sealSmallAfter, rows >= sealSmall && age >= sealAfter:
		return true
	}
	return rows > 0 && e.committed.Load()-firstGroup > logGroupsMax
}

// waiting returns how many events wait to be sealed, since when, and the first group that has some of
// them.
func (p *project) waiting() (rows int, since event.Time, firstGroup uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rows, firstGroup = p.shown.rows()
	if len(p.shown.commits) > 0 {
		since = p.shown.commits[0].At
	}
	return rows, since, firstGroup
}

// all returns all projects.
func (e *Engine) all() (list []*project) {
	e.shown.Range(func(_, p any) bool {
		list = append(list, p.(*project))
		return true
	})
	return list
}

// trim deletes the groups of the log that nobody needs. What is asked first is the last committed
// group: all events up to it are shown, so a project that shows no live events needs none of these.
//
// One goroutine does so at a time: a mark that is lower than another's that was written before would have a
// start miss the groups between.
func (e *Engine) trim() error {
	e.trimming.Lock()
	defer e.trimming.Unlock()
	upTo := e.committed.Load()
	for _, p := range e.all() {
		if _, first := p.liveRows(); first > 0 && p.damage() == nil {
			upTo = min(upTo, first-1)
		}
	}
	if upTo <= e.trimmed.Load() {
		return nil
	}
	keep, err := e.kept(upTo)
	if err != nil {
		return err
	}
	batch := e.db.NewBatch()
	var failed error
	from := e.trimmed.Load() + 1
	if len(keep) == 0 && e.nothingBroken() {
		from = 0 // what was kept for projects that were broken is sealed by now
	}
	for _, number := range append(keep, upTo+1) {
		failed = errors.Join(failed, batch.DeleteRange(appendGroupKey(nil, from), appendGroupKey(nil, number), nil))
		from = number + 1
	}
	failed = errors.Join(failed, batch.Set(trimKey, e.ciphers.encryptValue(nil, trimKey, fmt.Append(nil, upTo)), nil))
	clearEnd(batch)
	if failed == nil {
		// It needs no sync of its own: where it is lost, a start reads groups that it doesn't need.
		failed = batch.Commit(pebble.NoSync)
	}
	if failed == nil {
		e.trimmed.Store(upTo)
		e.log.trim(upTo, keep)
	}
	return errors.Join(failed, batch.Close())
}

// Compact seals all live events, merges all that can be merged, deletes what that leaves, and has Pebble
// give the space back. It returns once all that is done; requests go on meanwhile. What is
// damaged is left as it is, and told in the end where Pebble meets it.
func (e *Engine) Compact(ctx context.Context) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.running.Done()
	for _, p := range e.all() {
		if _, err := e.seal(p); e.contain(p, err) != nil {
			return err
		}
		for merged := true; merged; {
			var err error
			if merged, err = e.mergeNext(p, true); e.contain(p, err) != nil {
				return err
			}
			if err := cmp.Or(ctx.Err(), e.stopped()); err != nil {
				return err
			}
		}
		if err := e.retain(p); e.contain(p, err) != nil {
			return err
		}
		if err := e.forgetAbsent(p, true); e.contain(p, err) != nil {
			return err
		}
	}
	if err := errors.Join(e.trim(), e.clean(), e.flush(ctx)); err != nil {
		return fmt.Errorf("compact store %s: %w", e.dir, err)
	}
	return e.compactKeys(ctx, []byte{0}, []byte{0xff})
}

// enter keeps the store open until running is told that its caller is done.
func (e *Engine) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return errStopping()
	}
	e.running.Add(1)
	return nil
}

func (e *Engine) stopped() error {
	if e.stopping() {
		return errStopping()
	}
	return nil
}

// putManifest replaces a project's manifest. Where that fails, nobody knows which one stands.
func (e *Engine) putManifest(p *project, m *manifest) error {
	key := manifestKey(p.number)
	id := cipherID{p.number, BucketSets}
	if err := e.ciphers.prepare(id); err != nil {
		return err
	}
	batch := e.db.NewBatch()
	err := batch.Set(key, e.ciphers.encrypt(id, nil, key, m.append(nil)), nil)
	clearEnd(batch)
	if err == nil {
		err = batch.Commit(pebble.Sync)
	}
	err = errors.Join(err, batch.Close())
	if err != nil && !e.state[stateDead].Load() {
		e.die(fmt.Sprintf("replace the manifest of project %d: %v", p.number, err))
	}
	// Pebble reports success after a failed sync where its Fatalf has returned.
	if err != nil || e.state[stateDead].Load() {
		return errDead
	}
	return nil
}

// bury notes what is to be deleted.
func (e *Engine) bury(dead []thing) {
	if len(dead) == 0 {
		return
	}
	e.deadMu.Lock()
	e.dead = append(e.dead, dead...)
	e.deadMu.Unlock()
	select {
	case e.wakeMerger <- struct{}{}:
	default:
	}
}

// clean deletes what is buried. Once it returns, all that was buried before is deleted, by whomever: who erases
// has to know.
func (e *Engine) clean() error {
	e.cleaning.Lock()
	defer e.cleaning.Unlock()
	e.deadMu.Lock()
	dead := e.dead
	e.dead = nil
	e.deadMu.Unlock()
	err := e.forget(dead)
	if err != nil {
		e.bury(dead)
	}
	return err
}

// tidy is the merger's work.
func (e *Engine) tidy() error {
	for _, p := range e.all() {
		if e.stopping() {
			return nil
		}
		if err := e.catchUp(p); e.contain(p, err) != nil {
			return err
		}
		if err := e.retain(p); e.contain(p, err) != nil {
			return err
		}
		for {
			merged, err := e.mergeNext(p, false)
			if e.contain(p, err) != nil {
				return err
			}
			if !merged || e.stopping() {
				break
			}
		}
		if err := e.retain(p); e.contain(p, err) != nil { // what was written anew may have left a key
			return err
		}
		if err := e.forgetAbsent(p, false); e.contain(p, err) != nil {
			return err
		}
	}
	if err := errors.Join(e.clean(), e.finishDue()); err != nil {
		return err
	}
	return e.sweep()
}
