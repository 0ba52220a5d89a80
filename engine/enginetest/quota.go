package enginetest

import (
	"os"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// quota is a disk of a certain size, in memory. A write that doesn't fit fails, and is counted.
type quota struct {
	vfs.FS
	size   atomic.Uint64
	used   atomic.Uint64
	failed atomic.Int64
}

func newQuota(size uint64) *quota {
	q := &quota{FS: vfs.NewMem()}
	q.size.Store(size)
	return q
}

// take takes n bytes, or fails.
func (q *quota) take(name string, n int) error {
	if q.used.Add(uint64(n)) > q.size.Load() {
		q.used.Add(-uint64(n))
		q.failed.Add(1)
		return &os.PathError{Op: "write", Path: name, Err: syscall.ENOSPC}
	}
	return nil
}

// GetDiskUsage is part of vfs.FS.
func (q *quota) GetDiskUsage(string) (vfs.DiskUsage, error) {
	size, used := q.size.Load(), q.used.Load()
	return vfs.DiskUsage{TotalBytes: size, UsedBytes: used, AvailBytes: size - min(size, used)}, nil
}

// Create is part of vfs.FS.
func (q *quota) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	q.give(name)
	f, err := q.FS.Create(name, category)
	if err != nil {
		return nil, err
	}
	return &quotaFile{File: f, quota: q, name: name}, nil
}

// ReuseForWrite is part of vfs.FS.
func (q *quota) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	had := q.sizeOf(oldname)
	f, err := q.FS.ReuseForWrite(oldname, newname, category)
	if err != nil {
		return nil, err
	}
	return &quotaFile{File: f, quota: q, name: newname, had: had}, nil
}

// Remove is part of vfs.FS.
func (q *quota) Remove(name string) error {
	size := q.sizeOf(name)
	err := q.FS.Remove(name)
	if err == nil {
		q.used.Add(-size)
	}
	return err
}

// Link is part of vfs.FS. The two names are counted as if each had bytes of its own: either may be
// removed first.
func (q *quota) Link(oldname, newname string) error {
	err := q.FS.Link(oldname, newname)
	if err == nil {
		q.used.Add(q.sizeOf(newname))
	}
	return err
}

// give gives back what a file takes that is about to be replaced.
func (q *quota) give(name string) { q.used.Add(-q.sizeOf(name)) }

func (q *quota) sizeOf(name string) uint64 {
	facts, err := q.FS.Stat(name)
	if err != nil || facts.IsDir() {
		return 0
	}
	return uint64(facts.Size())
}

// Unwrap gives Pebble the file system below.
func (q *quota) Unwrap() vfs.FS { return q.FS }

// quotaFile counts what it grows by.
type quotaFile struct {
	vfs.File
	quota   *quota
	name    string
	had     uint64 // bytes of the file that it was before
	written uint64
}

// Write is part of vfs.File.
func (f *quotaFile) Write(p []byte) (int, error) {
	f.written += uint64(len(p))
	if grows := min(f.written, f.written-min(f.written, f.had)); grows > 0 {
		if err := f.quota.take(f.name, int(min(grows, uint64(len(p))))); err != nil {
			f.written -= uint64(len(p))
			return 0, err
		}
	}
	return f.File.Write(p)
}
