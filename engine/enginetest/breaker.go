package enginetest

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// fault says which operation of the disk fails, and how.
type fault struct {
	Seed    uint64 // of what is done meanwhile
	Folder  string // where it is done
	Kind    errorfs.OpKind
	Nth     int // of the operations of this kind; 0 where none fails
	Errno   syscall.Errno
	Lasting bool // all later operations of this kind fail, too
	Swallow bool // a failed sync of the log says that it succeeded
}

// The kinds of operations are numbered from 0.
const opKinds = int(errorfs.OpFileFlush) + 1

// errnos are the ways to fail: a bad sector, a full disk, and no more open files.
var errnos = []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EMFILE}

// breaker is the real disk, of which one operation fails. What was written to a log since its last
// sync is gone after a failed one, as it is where the kernel drops pages that it couldn't write: so
// whoever takes a failed sync for a good one loses what he acknowledged, and is found out.
type breaker struct {
	vfs.FS
	fault
	hit func() // called where the fault comes to pass for the first time

	mu       sync.Mutex
	seen     [opKinds]int
	hits     int
	unsynced bool // a sync of a log has failed
}

func newBreaker(f fault, hit func()) *breaker {
	b := &breaker{fault: f, hit: hit}
	b.FS = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(b.op))
	return b
}

// op sees every operation before it is done.
func (b *breaker) op(op errorfs.Op) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[op.Kind]++
	n := b.seen[op.Kind]
	if op.Kind != b.Kind || b.Nth == 0 || n < b.Nth || n > b.Nth && !b.Lasting {
		return nil
	}
	if b.hits++; b.hits == 1 {
		b.hit()
	}
	return &os.PathError{Op: "fault", Path: op.Path, Err: b.Errno}
}

func (b *breaker) counts() [opKinds]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen
}

// begin forgets that a sync failed: what opens the store anew reads what is there.
func (b *breaker) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsynced = false
}

func (b *breaker) syncFailed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unsynced
}

// Create is part of vfs.FS.
func (b *breaker) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.Create(name, category)
	return b.log(name, f), err
}

// ReuseForWrite is part of vfs.FS.
func (b *breaker) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.ReuseForWrite(oldname, newname, category)
	return b.log(newname, f), err
}

// Unwrap gives Pebble the file system below.
func (b *breaker) Unwrap() vfs.FS { return b.FS }

func (b *breaker) log(name string, f vfs.File) vfs.File {
	if f == nil || !strings.HasSuffix(name, ".log") {
		return f
	}
	return &logFile{File: f, breaker: b, name: name}
}

// logFile is one of Pebble's logs. One goroutine writes and syncs it.
type logFile struct {
	vfs.File
	breaker         *breaker
	name            string
	written, synced int64
}

// Write is part of vfs.File.
func (l *logFile) Write(p []byte) (int, error) {
	n, err := l.File.Write(p)
	l.written += int64(n)
	return n, err
}

// Sync is part of vfs.File.
func (l *logFile) Sync() error { return l.after(l.File.Sync()) }

// SyncData is part of vfs.File.
func (l *logFile) SyncData() error { return l.after(l.File.SyncData()) }

// SyncTo is part of vfs.File.
func (l *logFile) SyncTo(length int64) (bool, error) {
	full, err := l.File.SyncTo(length)
	if err == nil && !full {
		return full, nil // which promises nothing
	}
	return full, l.after(err)
}

func (l *logFile) after(err error) error {
	if err == nil {
		l.synced = l.written
		return nil
	}
	l.breaker.mu.Lock()
	l.breaker.unsynced = true
	l.breaker.mu.Unlock()
	err = errors.Join(err, os.Truncate(l.name, l.synced))
	if l.breaker.Swallow {
		return nil
	}
	return err
}
