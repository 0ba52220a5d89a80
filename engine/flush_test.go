package engine

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crowded is a disk on which no table can be begun while it is full. It counts how often one is tried to be.
type crowded struct {
	vfs.FS
	full  atomic.Bool
	tries atomic.Int64
}

func (d *crowded) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if d.full.Load() && filepath.Ext(name) == ".sst" {
		d.tries.Add(1)
		return nil, syscall.ENOSPC
	}
	return d.FS.Create(name, category)
}

func (d *crowded) Unwrap() vfs.FS { return d.FS }

// Pebble by itself would neither come back nor rest.
func TestNobodyWaitsForAFlushThatFails(t *testing.T) {
	disk := &crowded{FS: vfs.NewMem()}
	e := opened(t, Options{FS: disk})
	if err := e.Append(context.Background(), 1, one("x")); err != nil {
		t.Fatal(err)
	}
	disk.full.Store(true)
	for range 2 {
		if err := e.Compact(context.Background()); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("compacted on a full disk: %v", err)
		}
	}
	if n := disk.tries.Load(); n == 0 || n > 20 {
		t.Errorf("a table was begun %d times", n)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.flush(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more, and yet: %v", err)
	}
	disk.full.Store(false)
	waitFor(t, "the flush to succeed", func() bool { return e.Compact(context.Background()) == nil })
	if last, wait := e.failures.newest(); last != nil || wait != 0 {
		t.Errorf("after a success it still waits for %v: %v", wait, last)
	}
	disk.full.Store(true)
	if err := e.Append(context.Background(), 1, one("y")); err != nil {
		t.Fatal(err)
	}
	waits := make(chan error, 1)
	go func() { waits <- e.flush(context.Background()) }()
	waitFor(t, "a table to be begun", func() bool {
		_, wait := e.failures.newest()
		return wait > 0
	})
	mustClose(t, e)
	if err := <-waits; err == nil {
		t.Error("a flush that failed until the end succeeded")
	}
}

func TestEachFailureMakesTheNextTableWaitLonger(t *testing.T) {
	var f failures
	for range 20 {
		f.note(syscall.EIO)
	}
	if last, wait := f.newest(); last == nil || wait != retryTableMax {
		t.Errorf("waits for %v: %v", wait, last)
	}
	f.note(nil)
	if last, wait := f.newest(); last != nil || wait != 0 {
		t.Errorf("waits for %v: %v", wait, last)
	}
	f.note(syscall.EIO)
	if _, wait := f.newest(); wait != retryTableMin || wait > lookAtFlush/2 {
		t.Errorf("waits for %v", wait)
	}
}
