package engine

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Where a disk has no room, Pebble fails to write tables. By itself it would try again at once, for ever, tell so
// each time, and say nothing to who waits for a flush. So each try that fails makes the next one wait longer, and
// nobody waits for a flush that fails.

const (
	// retryTableMin and retryTableMax are how long Pebble waits before it begins a table again.
	retryTableMin = 50 * time.Millisecond
	retryTableMax = failedWait
	// lookAtFlush is how often who waits for a flush looks whether it fails. A failure that passes is tried
	// again in less.
	lookAtFlush = time.Second
)

// failures are those of what Pebble does by itself.
type failures struct {
	mu   sync.Mutex
	last error         // nil where what was done last succeeded
	wait time.Duration // before the next table
}

func (f *failures) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last = err; err == nil {
		f.wait = 0
		return
	}
	f.wait = min(max(2*f.wait, retryTableMin), retryTableMax)
}

func (f *failures) newest() (last error, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.wait
}

// paced is a file system on which Pebble's tables are not begun again at once after failures, nor damaged blocks of
// them read again.
type paced struct {
	vfs.FS
	e *Engine
}

// Create is part of vfs.FS. Pebble holds no locks when it begins a table.
func (p paced) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if filepath.Ext(name) == ".sst" && p.PathDir(name) == p.e.dir {
		if _, wait := p.e.failures.newest(); wait > 0 {
			select {
			case <-time.After(wait):
			case <-p.e.stop:
			}
		}
	}
	return p.FS.Create(name, category)
}

// Unwrap gives Pebble the file system below.
func (p paced) Unwrap() vfs.FS { return p.FS }

// flush writes what Pebble has in memory to tables. Where that fails, as on a full disk, it goes on trying, but
// flush returns why it fails.
func (e *Engine) flush(ctx context.Context) error {
	e.flushing.Lock()
	defer e.flushing.Unlock()
	// What was begun before comes first: each flush that waits takes memory, and writes stall where they are many.
	if err := e.awaitFlush(ctx); err != nil {
		return err
	}
	done, err := e.db.AsyncFlush()
	if err != nil {
		return storeError("flush store "+e.dir, err)
	}
	e.flushed = done
	return e.awaitFlush(ctx)
}

// awaitFlush waits for the flush that was begun last. The caller holds flushing.
func (e *Engine) awaitFlush(ctx context.Context) error {
	if e.flushed == nil {
		return nil
	}
	look := time.NewTicker(lookAtFlush)
	defer look.Stop()
	for {
		select {
		case <-e.flushed:
			e.flushed = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-e.life.Done():
			return errStopping()
		case <-look.C:
			if err, _ := e.failures.newest(); err != nil {
				return storeError("flush store "+e.dir, err)
			}
		}
	}
}

// flushEnded and compactionEnded note what succeeds: see failures.
func (e *Engine) flushEnded(info pebble.FlushInfo) {
	if info.Err == nil {
		e.failures.note(nil)
	}
}

func (e *Engine) compactionEnded(info pebble.CompactionInfo) {
	if info.Err == nil {
		e.failures.note(nil)
	}
}
