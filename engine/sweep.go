package engine

import (
	"errors"
	"fmt"

	"millimetric/index/event"
)

// What is deleted, or can't be decrypted any more, still lies in Pebble's logs and tables until these are
// written anew. Once a day, and whenever events were dropped because their time was over, they are:
//
//  1. Projects with a retention window are sealed, so that events whose time is over leave the log.
//  2. The log is trimmed, and what nobody reads any more is deleted.
//  3. Pebble flushes, which begins a new log and removes the old ones, and compacts all that lies above its
//     lowest level, with what that covers below.
//
// What a reader still needs goes with the pass of the day after.

// sweep does that where it is due.
func (e *Engine) sweep() error {
	today := e.endingDay()
	if e.swept.Load() == today && !e.sweepNow.Swap(false) {
		return nil
	}
	err := e.sweepAll()
	if err != nil && !errors.Is(err, event.ErrDamaged) { // which another try won't change, and which was told
		e.sweepNow.Store(true)
		return fmt.Errorf("sweep store %s: %w", e.dir, err)
	}
	e.swept.Store(today)
	return nil
}

func (e *Engine) sweepAll() error {
	for _, p := range e.all() {
		if p.damage() != nil || p.newest().days == 0 {
			continue
		}
		if _, err := e.seal(p); e.contain(p, err) != nil {
			return err
		}
	}
	if err := errors.Join(e.trim(), e.clean(), e.flush(e.life)); err != nil {
		return err
	}
	return e.compactKeys(e.life, []byte{0}, []byte{0xff})
}
