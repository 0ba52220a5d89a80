package engine

import (
	"errors"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ordered is a file system on which a marker never outlives what it points to, and on which what isn't
// needed any more is gone.
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

// archive is where Pebble moves the files that it doesn't need any more, as it is told to: only then does
// it write no new log over an old one, behind whose end the old one's bytes would stay.
const archive = "archive"

// MkdirAll is part of vfs.FS. There is no archive: see Rename.
func (o ordered) MkdirAll(dir string, perm os.FileMode) error {
	if o.PathBase(dir) == archive {
		return nil
	}
	return o.FS.MkdirAll(dir, perm)
}

// Rename is part of vfs.FS. What is moved to the archive is removed.
func (o ordered) Rename(from, to string) error {
	if o.PathBase(o.PathDir(to)) == archive {
		return o.Remove(from)
	}
	return o.FS.Rename(from, to)
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
