package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
)

// fullDisk is a disk on which no table can be begun while it is full.
type fullDisk struct {
	vfs.FS
	full atomic.Bool
}

// Create is part of vfs.FS.
func (d *fullDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if d.full.Load() && filepath.Ext(name) == ".sst" {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
	}
	return d.FS.Create(name, category)
}

// Unwrap gives Pebble the file system below.
func (d *fullDisk) Unwrap() vfs.FS { return d.FS }

func TestCompactingOnAFullDiskSaysSoAndIsDoneWhenThereIsRoom(t *testing.T) {
	disk := &fullDisk{FS: vfs.Default}
	r := startServerWith(t, engine.Options{FS: disk}, func(*server) {})
	r.sendMany(1)
	disk.full.Store(true)
	res, body := r.call("POST", "/v1/admin/compact", bearer(r.words["ak"]), nil)
	if res.StatusCode != 503 || body != `{"error":"disk_low"}` || res.Header.Get("Retry-After") == "" {
		t.Errorf("on a full disk: %d %s %v", res.StatusCode, body, res.Header)
	}
	if !strings.Contains(r.logs.String(), "code=disk_low") {
		t.Errorf("the log doesn't say that the disk is full:\n%s", r.logs)
	}
	if e := r.auditRows(); e[len(e)-1].Result != "disk_low" {
		t.Errorf("the audit log says %+v", e)
	}
	disk.full.Store(false)
	r.do("POST", "/v1/admin/compact", "", 200, nil)
}
