package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/ids"
)

// request is one Append or PutRecords on its way through the pipeline, or work for the gathering
// goroutine.
type request struct {
	project event.Project
	events  []event.Event
	hashes  []ids.Hash // of the events' ids, one for each
	records []Record
	work    func(g *group) // done while the group is gathered; its request is answered like all others
	failed  error          // why its events are not taken
	bytes   int
	done    chan error // capacity 1: the committer never waits for a caller
	timer   *time.Timer
}

// eventBytes is what an event takes in memory besides its strings.
const eventBytes = 336

// Append makes events durable and visible, in their order and all or none, and returns then. The
// slice belongs to the engine until then, and after an error for good; the engine gives the events
// their positions. It keeps the texts of events where they are (not their words, such as URLs, which
// it interns), so they must not lie in something larger that would stay in memory with them. An event whose ID the
// project has already is acknowledged and not kept again: the first one stays, within one call as
// well. Such an acknowledgement, too, comes only when the first is durable.
//
// An error with code outcome_unknown means that the events may become durable yet. The commit goes
// on in any case: neither the end of ctx nor CommitWait takes events back.
func (e *Engine) Append(ctx context.Context, project event.Project, events []event.Event) error {
	if project == 0 {
		panic(fmt.Sprintf("engine: append of %d events to no project", len(events)))
	}
	if len(events) == 0 {
		return nil
	}
	e.lookAtSpace()
	if refused := e.refusal(); refused != nil {
		return refused
	}
	bytes := 0
	for i := range events {
		bytes += eventBytes + encode.Bytes(&events[i])
	}
	if bytes > appendBytesMax {
		return &event.Error{Kind: event.ErrInput, Code: event.CodeTooLarge, Notes: []string{"Too many bytes at once"}}
	}
	if e.liveBytes.Load() > e.budget.live {
		return overloaded("events come faster than they are sealed")
	}
	hashers, err := e.hashersOf(project)
	if err != nil {
		return err
	}
	r := e.newRequest()
	r.project, r.events, r.bytes = project, events, bytes
	r.hashes = hashers.append(r.hashes[:0], events)
	return e.await(ctx, r)
}

// inGather runs work in the gathering goroutine, and returns once the group in which that happened is
// committed and shown. After an error it may have been done, or may be done yet.
func (e *Engine) inGather(work func(g *group)) error {
	r := e.newRequest()
	r.work = work
	return e.await(context.Background(), r)
}

func (e *Engine) newRequest() *request {
	if r, ok := e.requests.Get().(*request); ok {
		return r
	}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &request{done: make(chan error, 1), timer: timer}
}

// await queues r and waits for its outcome.
func (e *Engine) await(ctx context.Context, r *request) error {
	if err := e.enqueue(r); err != nil {
		return err
	}
	r.timer.Reset(e.opt.CommitWait)
	select {
	case err := <-r.done:
		r.timer.Stop()
		*r = request{done: r.done, timer: r.timer, hashes: r.hashes[:0]}
		e.requests.Put(r)
		return err
	case <-r.timer.C:
		return outcomeUnknown(errors.New("the commit takes too long"))
	case <-ctx.Done():
		r.timer.Stop()
		return outcomeUnknown(context.Cause(ctx))
	}
}

func (e *Engine) enqueue(r *request) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return errStopping()
	}
	// All else is rare and small, and goes ahead of no one: only events are bounded.
	over := e.bytes+r.bytes > e.opt.QueueBytes || len(e.waiting) >= queueRequestsMax
	if over && len(e.waiting) > 0 && r.events != nil {
		return overloaded("too many events wait to be written")
	}
	e.waiting = append(e.waiting, r)
	e.bytes += r.bytes
	if e.due() { // else whoever makes it due will tell: to wake the gathering goroutine for each request costs more
		e.work.Signal()
	}
	return nil
}

func overloaded(why string) *event.Error {
	return &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, RetryIn: retryIn, Cause: errors.New(why)}
}

func errStopping() *event.Error { return overloaded("the server is stopping") }

func outcomeUnknown(cause error) *event.Error {
	return &event.Error{Kind: event.ErrLimit, Code: event.CodeOutcomeUnknown, RetryIn: retryIn, Cause: cause}
}
