package engine

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// How an append becomes durable, then visible, then acknowledged.
//
//  1. gather takes what waits and makes a group of it. It drops repeats, gives positions, writes
//     the events to the end of their projects' lists, where no reader looks yet, and encodes them.
//  2. commit writes the group and syncs it. One goroutine commits, so groups become durable in the
//     order of their numbers, and what a crash leaves of the log is a prefix.
//  3. It then publishes the new ends of the lists. Not before: a reader must never see what a crash
//     can take away.
//  4. It then acknowledges. Not before: who is told 202 must find the event in every read after.
//
// A repeat is known in step 1, while its original may still be on the way to the disk. Its request
// goes through the pipeline behind the original like any other, so its answer comes after the
// original's sync (a group of repeats only needs no sync of its own).
//
// While a group is in step 2, gather does step 1 for the next one.

// group is what one sync makes durable. Groups are used again, three in all: one gathered, one
// waiting, one committed.
type group struct {
	content  encode.Group
	value    []byte
	at       event.Time // the server's time, which never goes back
	records  []Record
	stored   []Value // the records as they are stored, where somebody is told of commits
	requests []*request
	shows    []showing
}

// showing is the new end of one project's list.
type showing struct {
	project *project
	next    view
}

func (e *Engine) gather() {
	defer e.running.Done()
	defer close(e.groups)
	for {
		g := <-e.free
		if !e.take(g) {
			return
		}
		e.fill(g)
		e.groups <- g
	}
}

// take waits until a group is due, and moves requests into g. It returns false where no more come.
func (e *Engine) take(g *group) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for !e.due() {
		e.work.Wait()
	}
	// Whoever is about to enqueue gets the turn first. Else a burst's first request would be a group
	// of its own, and all others would wait for its sync.
	e.mu.Unlock()
	runtime.Gosched()
	e.mu.Lock()
	bytes, n := 0, 0
	for n < len(e.waiting) && (n == 0 || bytes+e.waiting[n].bytes <= groupBytesMax) {
		bytes += e.waiting[n].bytes
		n++
	}
	g.requests = append(g.requests, e.waiting[:n]...)
	rest := copy(e.waiting, e.waiting[n:])
	clear(e.waiting[rest:])
	e.waiting = e.waiting[:rest]
	e.bytes -= bytes
	e.inFlight++
	return n > 0
}

func (e *Engine) due() bool {
	return e.closing || len(e.waiting) > 0 && (e.inFlight == 0 || e.bytes >= overlapBytes)
}

// fill does step 1.
func (e *Engine) fill(g *group) {
	g.content.Parts = g.content.Parts[:0]
	e.clock = max(e.clock, e.ahead, event.TimeOf(e.opt.Now()))
	g.at = e.clock
	e.findRepeats(g)
	for _, r := range g.requests {
		g.records = append(g.records, r.records...)
		switch {
		case r.work != nil:
			r.work(g)
		case len(r.events) > 0 && r.failed == nil && e.destroyed[r.project]:
			r.failed = errDestroyed
		case len(r.events) > 0 && r.failed == nil:
			e.project(r.project).add(r, &e.words, g, e.number+1, e.isErased)
		}
	}
	for _, p := range e.touched {
		p.touched = false
		e.liveBytes.Add(p.added)
		e.idBytes.Add(p.repeats.grown())
		p.added = 0
		p.repeats.done()
		p.endPart(g)
		p.noteCommit(e.clock)
		g.shows = append(g.shows, showing{p, p.view()})
	}
	e.touched = e.touched[:0]
	if len(g.content.Parts) == 0 {
		return
	}
	e.number++
	g.content.Number, g.content.Committed = e.number, e.clock
	g.value = e.encoder.Append(g.value[:0], &g.content)
}

// findRepeats asks, once for each project of the group, which of the ids are known. Where that can't be
// found out, the project's requests fail.
func (e *Engine) findRepeats(g *group) {
	for _, r := range g.requests {
		if len(r.events) > 0 {
			p := e.project(r.project)
			e.touch(p)
			p.repeats.expect(r.events, r.hashes)
		}
	}
	for _, p := range e.touched {
		err := p.damage()
		if err == nil {
			err = p.repeats.ask()
		}
		if err == nil {
			continue
		}
		for _, r := range g.requests {
			if len(r.events) > 0 && r.project == p.number {
				r.failed = fmt.Errorf("find repeats in project %d: %w", p.number, err)
			}
		}
	}
}

// touch makes sure that the group shows the project's new state.
func (e *Engine) touch(p *project) {
	if !p.touched {
		p.touched = true
		e.touched = append(e.touched, p)
	}
}

// project returns the state of a project, new where nothing was ever appended to it.
func (e *Engine) project(number event.Project) *project {
	p := e.projects[number]
	if p == nil {
		key, err := e.ciphers.secret(number, "visitors 1")
		if err != nil {
			panic(fmt.Sprintf("engine: a project without having prepared: %v", err))
		}
		p = newProject(number, key, e.nearVisitors)
		p.erasedBefore = e.ledger.Last(number)
		if why := e.missing(number); why != nil {
			e.breakOff(p, why)
		}
		e.projects[number] = p
		e.shown.Store(number, p)
	}
	return p
}

func (e *Engine) commit() {
	defer e.running.Done()
	for g := range e.groups {
		err := e.write(g)
		if err == nil {
			for _, s := range g.shows {
				s.project.show(s.next)
			}
			if len(g.content.Parts) > 0 {
				e.log.add(g.content.Number, len(g.value))
				e.committed.Store(g.content.Number)
			}
			e.tell(g)
		}
		e.wakeKeeper(g)
		for _, r := range g.requests {
			if r.failed != nil {
				r.done <- r.failed
				continue
			}
			r.done <- err
		}
		g.reset()
		e.free <- g
		e.mu.Lock()
		e.inFlight--
		e.mu.Unlock()
		e.work.Signal()
	}
}

// write does step 2. Whatever it returns but nil is the end: the process is about to be ended.
func (e *Engine) write(g *group) error {
	if e.state[stateDead].Load() {
		return outcomeUnknown(errDead)
	}
	if len(g.content.Parts) == 0 && len(g.records) == 0 {
		return nil
	}
	defer e.watchCommit()()
	err := e.apply(g)
	if err != nil && !e.state[stateDead].Load() {
		e.die(fmt.Sprintf("commit of group %d: %v", g.content.Number, err))
	}
	// Pebble reports success after a failed sync where its Fatalf has returned.
	if err != nil || e.state[stateDead].Load() {
		return outcomeUnknown(errDead)
	}
	return nil
}

var errDead = errors.New("a commit has failed, and the process is about to end")

func (e *Engine) apply(g *group) error {
	batch := e.db.NewBatch()
	var failed error
	if len(g.content.Parts) > 0 {
		var key [groupKeyBytes]byte
		failed = batch.Set(appendGroupKey(key[:0], g.content.Number), g.value, nil)
	}
	for _, record := range g.records {
		v := Value{Key: recordKey(record.Kind, record.ID)}
		if record.Value == nil {
			failed = errors.Join(failed, batch.Delete(v.Key, nil))
		} else {
			v.Value = e.ciphers.encryptValue(nil, v.Key, record.Value)
			failed = errors.Join(failed, batch.Set(v.Key, v.Value, nil))
		}
		if e.opt.Committed != nil {
			g.stored = append(g.stored, v)
		}
	}
	clearEnd(batch)
	if failed == nil {
		failed = batch.Commit(pebble.Sync)
	}
	return errors.Join(failed, batch.Close())
}

// clearEnd clears what of a batch's memory isn't used. Pebble takes that memory as others left it, so pieces of
// requests stand there at times, with what is dropped at once by all else; and it keeps its last batch until the
// next one.
func clearEnd(batch *pebble.Batch) {
	used := batch.Repr()
	clear(used[len(used):cap(used)])
}

// watchCommit watches over one commit, until the function that it returns is called: new requests
// are refused once it takes longer than shedAfter, and the process ends after StallExit.
func (e *Engine) watchCommit() (done func()) {
	e.mu.Lock()
	e.commits++
	number := e.commits
	e.syncing = true
	e.mu.Unlock()
	stuck := time.AfterFunc(shedAfter, func() {
		if e.stuck(number) {
			e.opt.Notify(Stuck{For: shedAfter})
		}
	})
	exit := time.AfterFunc(e.opt.StallExit, func() {
		if e.stuck(number) {
			e.die(fmt.Sprintf("a commit has been going on for %v", e.opt.StallExit))
		}
	})
	return func() {
		stuck.Stop()
		exit.Stop()
		e.mu.Lock()
		e.syncing = false
		e.state[stateStuck].Store(false)
		e.mu.Unlock()
	}
}

// stuck notes that a commit is stuck, if it is still going on. Both sides hold mu: a timer that is
// late must not set what nobody would take back.
func (e *Engine) stuck(number uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.syncing || e.commits != number {
		return false
	}
	e.state[stateStuck].Store(true)
	return true
}

// valueKeepMax is the greatest buffer that a group keeps for the next one: a rare huge request
// must not stay in memory three times.
const valueKeepMax = 4 << 20

func (g *group) reset() {
	clear(g.content.Parts[:cap(g.content.Parts)])
	clear(g.requests)
	clear(g.records)
	clear(g.stored)
	clear(g.shows)
	g.content.Number = 0
	if cap(g.value) > valueKeepMax {
		g.value = nil
	}
	g.content.Parts, g.requests, g.shows = g.content.Parts[:0], g.requests[:0], g.shows[:0]
	g.records, g.stored = g.records[:0], g.stored[:0]
}
