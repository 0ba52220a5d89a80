package api

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"millimetric/index/event"
)

// Turns lets few questions work at a time, so that events come in at the same pace however many are asked.
// Questions that wait come first in the order in which they began to wait; a long one lets them pass every
// turnLength, so that a short one never waits for its end. It is safe for concurrent use.
type Turns struct {
	slots   chan struct{} // one is held by each question that works
	waiting atomic.Int32
	now     func() time.Time
}

const (
	// turnLength is how long a question works while others wait: many times what it takes to change, and
	// too short to be felt.
	turnLength = 20 * time.Millisecond
	// turnRetry is when to ask again where a question never had a turn.
	turnRetry = 5 * time.Second
)

// NewTurns lets so many questions work at a time; now is a clock.
func NewTurns(atOnce int, now func() time.Time) *Turns {
	return &Turns{slots: make(chan struct{}, max(atOnce, 1)), now: now}
}

// turn is the context of a question that has its turn, or waits for the next one. It is for one goroutine,
// and for those who ask Err from time to time, as questions do: there the turn may change.
type turn struct {
	context.Context
	of    *Turns
	until time.Time
	held  bool
}

// begin waits for the first turn.
func (t *Turns) begin(ctx context.Context) (*turn, error) {
	own := &turn{Context: ctx, of: t}
	if err := own.wait(); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = &event.Error{Kind: event.ErrLimit, Code: event.CodeOverloaded, Notes: []string{"Other questions are being answered"}, RetryIn: turnRetry}
		}
		return nil, err
	}
	return own, nil
}

func (t *turn) wait() error {
	t.of.waiting.Add(1)
	defer t.of.waiting.Add(-1)
	select {
	case t.of.slots <- struct{}{}:
		t.held, t.until = true, t.of.now().Add(turnLength)
		return nil
	case <-t.Context.Done():
		return t.Context.Err()
	}
}

// end gives the turn away.
func (t *turn) end() {
	if t.held {
		t.held = false
		<-t.of.slots
	}
}

// Err lets others pass where it is time to.
func (t *turn) Err() error {
	if err := t.Context.Err(); err != nil || t.of.waiting.Load() == 0 || t.of.now().Before(t.until) {
		return err
	}
	t.end()
	return t.wait()
}
