package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
)

// Two kinds of damage Pebble can't tell from what is usual: a store without the file that names its
// manifest, which looks like none, and a manifest with a record that can't be read, which looks like one
// whose last write was cut off. It would begin anew, or go on without what that record and all behind it
// said; and then delete what they held.

// checkMarker refuses such a store.
func checkMarker(dir string, fs vfs.FS) error {
	desc, err := pebble.Peek(dir, fs)
	if err != nil {
		return storeError("open store "+dir, err)
	}
	names, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("open store %s: %w", dir, err)
	}
	if desc.Exists {
		return checkManifestLog(dir, fs, desc.ManifestFilename, names)
	}
	// The marker of a new store is durable before its first log is made, so a crash leaves neither without it.
	for _, name := range names {
		if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".sst") {
			return lostStore("store %s holds %s, but no file marker.manifest.…: it is not opened, as it would begin anew", dir, name)
		}
	}
	return nil
}

// checkManifestLog looks whether the log, from which all is replayed that the manifest doesn't know to be in
// tables, is there. That of a manifest which was cut off is: logs are deleted only after the record that
// says that they aren't needed is durable.
func checkManifestLog(dir string, fs vfs.FS, manifest string, names []string) error {
	oldest, whole, err := readManifestLog(fs, manifest)
	if err != nil {
		return fmt.Errorf("open store %s: %w", dir, err)
	}
	if whole || oldest == 0 {
		return nil
	}
	for _, name := range names {
		if name == fmt.Sprintf("%06d.log", oldest) {
			return nil
		}
	}
	return lostStore("store %s: %s is damaged: it needs log %06d, which was deleted since", dir, manifest, oldest)
}

// readManifestLog returns the oldest log that a manifest still needs, 0 where it doesn't say, and whether
// all its records can be read.
func readManifestLog(fs vfs.FS, manifest string) (oldest uint64, whole bool, err error) {
	file, err := fs.Open(manifest)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	records := record.NewReader(file, 0)
	for {
		edit, err := records.Next()
		if err == nil {
			err = readLogNumber(bufio.NewReader(edit), &oldest)
		}
		switch {
		case err == nil:
		case err == io.EOF:
			return oldest, true, nil
		case record.IsInvalidRecord(err):
			return oldest, false, nil
		default:
			return 0, false, err
		}
	}
}

// The fields with which Pebble's records may begin, as far as the number of a log stands behind them.
const (
	manifestComparer = 1
	manifestLog      = 2
)

// readLogNumber reads the number of the oldest log from a record, if it has one, and the rest, whose
// checksum shows whether the record can be read.
func readLogNumber(edit *bufio.Reader, oldest *uint64) error {
	tag, err := binary.ReadUvarint(edit)
	if err == nil && tag == manifestComparer {
		var length uint64
		if length, err = binary.ReadUvarint(edit); err == nil {
			_, err = io.CopyN(io.Discard, edit, int64(min(length, 1<<20)))
		}
		if err == nil {
			tag, err = binary.ReadUvarint(edit)
		}
	}
	var number uint64
	if err == nil && tag == manifestLog {
		number, err = binary.ReadUvarint(edit)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, edit)
	}
	if err == io.EOF {
		return nil // a record that has nothing more
	}
	if err == nil && number > 0 {
		*oldest = number
	}
	return err
}

// lostStore is damage that concerns the whole store.
func lostStore(format string, args ...any) error {
	return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf(format, args...)}
}
