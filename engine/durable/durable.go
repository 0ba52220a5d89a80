// Package durable replaces small files as a whole, so that a cut of the power at any step leaves the old one or
// the new one.
//
// It starts no goroutines. What it is given reaches the disk as it is: encrypting it is its user's.
package durable

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Suffix is what a file's name has more while the file is being written.
const Suffix = ".new"

// Replace gives a file of a folder other bytes.
//
//  1. The new bytes go to a file of their own and are synced: no later step can expose half of them.
//  2. That file takes the old one's name, which is one step for readers.
//  3. The folder is synced: from here on the old file can't come back, and callers may rely on it.
func Replace(fs vfs.FS, dir, name string, text []byte) error {
	fresh := fs.PathJoin(dir, name+Suffix)
	if err := write(fs, fresh, text); err != nil {
		return fmt.Errorf("write %s: %w", fresh, err)
	}
	if err := fs.Rename(fresh, fs.PathJoin(dir, name)); err != nil {
		return err
	}
	return SyncFolder(fs, dir)
}

// SyncFolder makes durable which files a folder holds.
func SyncFolder(fs vfs.FS, dir string) error {
	folder, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func write(fs vfs.FS, name string, text []byte) error {
	file, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err := file.Write(text); err != nil {
		return errors.Join(err, file.Close())
	}
	return errors.Join(file.Sync(), file.Close())
}
