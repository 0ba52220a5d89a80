package query

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// team is the goroutines that make a pass over blocks of visitors, or look at segments: the question's own and
// helpers.
//
//  1. Blocks are given out in stripes of those that follow each other: large ones first, so that each worker goes
//     through segments in long stretches, and ever smaller ones, so that all end at about the same time; segments
//     and the like one by one. Which worker has which stripe is left to chance. It mustn't show: what the workers
//     have found is added up.
//  2. Each worker has a run of its own, with segments as it has opened them, views, and cost. They share what
//     doesn't change, or is safe for concurrent use: the source, the memo, and what was found out before.
//  3. The budgets are one. Only the question's own goroutine asks its context, as contexts of questions are for
//     one goroutine; the memory of all is added up.
//  4. The first error ends all. The question goes on when all helpers are gone, and a panic of one goes on there.
//  5. Helpers let all others pass at each look at the budgets: events that come in don't wait for them.
type team struct {
	workers *Workers
	share   *share
	size    int  // workers, at most
	single  bool // units are given out one by one
	stopped atomic.Bool
	gone    chan struct{} // each helper sends when it is gone
	helpers []*run        // of the question's goroutine only, as what follows
	working int           // helpers that aren't gone

	mu     sync.Mutex // guards what follows
	left   []stripe
	err    error
	broken *workerPanic
	sizes  []int // entries of tables, by the worker's seat
}

// stripe is units that follow each other, by number.
type stripe struct{ from, to uint32 }

// unitWalker does what there is to do about units, blocks or segments, that rise.
type unitWalker interface {
	seekUnit(unit uint32)   // goes to a unit
	nextUnit() uint64       // that wasn't walked yet, from the one gone to on; a great number if there is none
	walk(unit uint32) error // one that nextUnit has returned
}

// blockWalker makes a pass over visitors a block of them at a time.
type blockWalker interface {
	// seek goes to the first visitor that isn't below one.
	seek(visitor uint32)
	// next returns the first visitor that wasn't walked yet, noVisitor if there is none.
	next() uint64
	// walkBlock walks the visitors of a block; the first names it.
	walkBlock(first uint32) error
}

// byBlock walks blocks as units.
type byBlock struct{ blockWalker }

func (b byBlock) seekUnit(unit uint32)   { b.seek(unit * blockVisitors) }
func (b byBlock) nextUnit() uint64       { return b.next() / blockVisitors }
func (b byBlock) walk(unit uint32) error { return b.walkBlock(unit * blockVisitors) }

// workload is how much there is to walk.
type workload struct {
	rows    int    // about
	visitor uint64 // the last one, or one above
}

// errStopped ends workers whose question is over. Nobody else sees it.
var errStopped = errors.New("query: the question is over")

// divide makes a pass with as many helpers as it is worth and there are to spare. hire makes a walker for a helper
// with a run of its own, before the helper begins. What the helpers found is in the walkers that it made, and is
// whole where divide returns no error.
func (r *run) divide(own blockWalker, load workload, hire func(*run) blockWalker) error {
	blocks := uint32(min(load.visitor, noVisitor-1)/blockVisitors) + 1
	return r.divideUnits(byBlock{own}, load.rows, blocks, false, func(r *run) unitWalker { return byBlock{hire(r)} })
}

// divideUnits does so for other units, which may be given out one by one.
func (r *run) divideUnits(own unitWalker, rows int, units uint32, single bool, hire func(*run) unitWalker) error {
	helpers := min(r.common.Workers.wanted(rows), int(units)-1)
	if helpers <= 0 || r.team != nil {
		return walkAll(own)
	}
	t := &team{
		workers: r.common.Workers, share: &r.share, size: helpers + 1, single: single,
		left: []stripe{{0, units}}, sizes: make([]int, helpers+1), gone: make(chan struct{}, helpers),
	}
	r.team = t
	defer t.dismiss(r)
	for len(t.helpers) < helpers && t.engage(r, hire) {
	}
	return t.finish(r, own)
}

// walkAll does all alone.
func walkAll(w unitWalker) error {
	for next := w.nextUnit(); next < noUnit; next = w.nextUnit() {
		if err := w.walk(uint32(next)); err != nil {
			return err
		}
	}
	return nil
}

// noUnit is above all units.
const noUnit = noVisitor / blockVisitors

// engage lets one more helper begin, if there is one to spare.
func (t *team) engage(r *run, hire func(*run) unitWalker) bool {
	if !t.workers.hire() {
		return false
	}
	begun := false
	defer func() {
		if !begun { // hire panics
			t.workers.leave()
		}
	}()
	helper := &run{
		ctx: context.WithoutCancel(r.ctx), source: r.source, common: r.common, asOf: r.asOf, people: peopleTest(),
		team: t, seat: len(t.helpers) + 1,
	}
	walker := hire(helper)
	t.helpers, begun = append(t.helpers, helper), true
	t.working++
	go t.help(walker)
	return true
}

// help is a helper's goroutine.
func (t *team) help(w unitWalker) {
	defer func() {
		if cause := recover(); cause != nil {
			t.mu.Lock()
			t.broken = &workerPanic{cause: cause, stack: debug.Stack()}
			t.mu.Unlock()
			t.stopped.Store(true)
		}
		t.workers.leave()
		t.gone <- struct{}{}
	}()
	if err := t.work(w, t.workers.crowded); err != nil {
		t.end(err)
	}
}

// finish works until all is done, and returns the first error of the team.
func (t *team) finish(r *run, own unitWalker) error {
	never := func() bool { return false }
	for {
		if err := t.work(own, never); err != nil {
			t.end(err)
		}
		t.await(r)
		switch { // nobody else is left
		case t.broken != nil:
			panic(t.broken)
		case t.err != nil:
			return t.err
		case len(t.left) == 0:
			return nil
		}
	}
}

// await waits until all helpers are gone.
func (t *team) await(r *run) {
	over := r.ctx.Done()
	for t.working > 0 {
		select {
		case <-t.gone:
			t.working--
		case <-over:
			t.end(r.late())
			over = nil
		}
	}
}

// dismiss ends the team, and takes over what the helpers' work has cost.
func (t *team) dismiss(r *run) {
	t.stopped.Store(true)
	for ; t.working > 0; t.working-- {
		<-t.gone
	}
	r.team = nil
	for _, helper := range t.helpers {
		r.addCost(helper)
		helper.release()
	}
}

// work walks stripes until there are none, the team is stopped, or the worker should leave.
func (t *team) work(w unitWalker, leave func() bool) error {
	for {
		s, ok := t.take()
		if !ok {
			return nil
		}
		w.seekUnit(s.from)
		for {
			next := w.nextUnit()
			if next >= uint64(s.to) {
				break
			}
			if leave() {
				t.giveBack(stripe{uint32(next), s.to})
				return nil
			}
			if err := w.walk(uint32(next)); err != nil {
				return err
			}
		}
	}
}

// take gives out the next stripe.
func (t *team) take() (s stripe, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.left) == 0 || t.stopped.Load() {
		return s, false
	}
	last := &t.left[len(t.left)-1]
	s = stripe{last.from, last.from + 1}
	if !t.single {
		s.to = max(s.to, s.from+(last.to-last.from)/uint32(2*t.size))
	}
	if last.from = s.to; last.from == last.to {
		t.left = t.left[:len(t.left)-1]
	}
	return s, true
}

// giveBack takes the rest of a stripe back.
func (t *team) giveBack(s stripe) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = append(t.left, s)
}

// end stops the team for an error.
func (t *team) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil && !errors.Is(err, errStopped) {
		t.err = err
	}
	t.stopped.Store(true)
}

// cover sees to it that the tables of all workers together may have so many entries; size is of one.
func (t *team) cover(r *run, size int) error {
	if t.stopped.Load() {
		return errStopped
	}
	if r.seat > 0 {
		runtime.Gosched()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sizes[r.seat] = size
	sum := 0
	for _, n := range t.sizes {
		sum += n
	}
	return t.share.cover(sum)
}

// workerPanic is what a panic of a helper is on the question's own goroutine. It is one of the runtime's only where
// the cause is: what others say may hold what a client sent.
type workerPanic struct {
	cause any
	stack []byte
}

// Error tells where the panic came from, as the stack at hand doesn't.
func (p *workerPanic) Error() string {
	what := "a panic of our own"
	if err, ok := p.cause.(runtime.Error); ok {
		what = err.Error()
	}
	return fmt.Sprintf("%s, of a helper:\n%s", what, p.stack)
}

// RuntimeError makes it an error that may be logged.
func (p *workerPanic) RuntimeError() {}
