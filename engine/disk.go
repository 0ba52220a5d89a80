package engine

import (
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ordered is a file system on which a marker never outlives what it points to.
//
// Pebble names its newest manifest by a marker, a file of its own, and syncs the folder once, after
// it has made both. A power cut before that sync may keep the marker and drop the manifest, where
// the file system doesn't keep the order in which entries were made; the store then can't be opened
// again. So the folder is synced before a marker is made, too.
type ordered struct{ vfs.FS }

func (o ordered) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(o.PathBase(name), "marker.") {
		if err := o.syncFolder(o.PathDir(name)); err != nil {
			return nil, err
		}
	}
	return o.FS.Create(name, category)
}

func (o ordered) syncFolder(dir string) error {
	f, err := o.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Unwrap gives Pebble the file system below.
func (o ordered) Unwrap() vfs.FS { return o.FS }
