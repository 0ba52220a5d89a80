package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/cmd/millimetric/admin"
	"millimetric/engine"
	"millimetric/engine/backup"
	"millimetric/engine/keyring"
	"millimetric/engine/ledger"
	"millimetric/index/event"
)

// How a backup is restored into a data folder, which must not be one yet:
//
//  1. The newest keyring, under the root key it is under.
//  2. The store, up to the point (engine/backup).
//  3. The newest ledger of who was erased. It comes last: whoever opens the store first applies all of it to
//     all that was restored, before anything can be asked.
//  4. The newest retention windows, where they are shorter than what the store has.
func restoreInto(ctx context.Context, a *backup.Archive, to backup.Point, dir string, root [32]byte, opt engine.Options) (backup.Restored, error) {
	kept, err := a.Kept(ctx)
	if err != nil {
		return backup.Restored{}, err
	}
	if kept[keptKeyring] == nil {
		return backup.Restored{}, errors.New("the backup holds no keyring")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return backup.Restored{}, err
	}
	if err := writeSynced(filepath.Join(dir, keptKeyring), kept[keptKeyring]); err != nil {
		return backup.Restored{}, err
	}
	ring, err := keyring.Open(vfs.Default, dir, root, keyring.Options{Now: time.Now})
	if err != nil {
		return backup.Restored{}, err
	}
	opt = underRing(opt, ring)
	store := filepath.Join(dir, storeName)
	done, err := a.Restore(ctx, to, store, opt)
	if err != nil {
		return done, err
	}
	if erased := kept[keptLedger]; erased != nil {
		if err := writeSynced(filepath.Join(store, ledger.FileName), erased); err != nil {
			return done, err
		}
	}
	return done, restoreWindows(ctx, store, kept[keptWindows], opt)
}

// underRing gives the options of an engine whose cipher keys are in a keyring.
func underRing(opt engine.Options, ring *keyring.Keyring) engine.Options {
	opt.Now, opt.CipherKey, opt.Committed = time.Now, ring.CipherKey, nil
	opt.CipherBuckets, opt.DropCipherKey = ring.CipherBuckets, ring.DropCipherKey
	opt.FreeBytesMin, opt.FreePercentMin = -1, -1
	return opt
}

// restoreWindows is step 4.
func restoreWindows(ctx context.Context, store string, text []byte, opt engine.Options) (err error) {
	windows := map[event.Project]int{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &windows); err != nil {
			return fmt.Errorf("read retention windows: %w", err)
		}
	}
	e, err := engine.Open(store, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	for project, days := range windows {
		if e.Retention(project) == days {
			continue
		}
		if err := e.SetRetention(ctx, project, days); err != nil {
			return err
		}
	}
	return nil
}

func writeSynced(name string, text []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// drillSpare is the free space that a drill leaves beside what it needs, which is about what it reads, twice
// while tables are written anew.
const drillSpare = 256 << 20

// drillOnce restores the newest position into a scratch folder in the data folder, compares it with the store, and
// removes it.
func (b *backups) drillOnce(ctx context.Context) (d admin.Drill, err error) {
	began := time.Now()
	a, err := b.Archive(ctx)
	if err != nil {
		return d, err
	}
	size, err := a.Size(backup.Point{})
	if err != nil {
		return d, err
	}
	if usage, err := vfs.Default.GetDiskUsage(b.folder.dir); err == nil && usage.AvailBytes < uint64(2*size)+drillSpare {
		return d, &event.Error{Kind: event.ErrLimit, Code: event.CodeDiskLow, RetryIn: time.Hour,
			Notes: []string{fmt.Sprintf("%d bytes are free, and a test restore of %d may need twice that", usage.AvailBytes, size)}}
	}
	scratch, err := os.MkdirTemp(b.folder.dir, "drill-")
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	opt := b.settings
	opt.MemoryBytes /= drillShare
	opt.Fatal = nil // what can't be written here can't be written by the server either
	done, err := restoreInto(ctx, a, backup.Point{}, scratch, b.folder.root.key, opt)
	if err != nil {
		return d, err
	}
	d = admin.Drill{At: began.UTC(), Base: done.Base, Group: done.Group, Bytes: done.Bytes, Problems: []string{}}
	if err := b.compare(scratch, opt, &d); err != nil {
		return d, err
	}
	d.OK, d.Took = len(d.Problems) == 0, time.Since(began).Seconds()
	return d, nil
}

// drillShare is which part of the server's memory a drill may need beside it.
const drillShare = 4

// compare reads all events of the restored store and of the one that is open, and has the restored one check itself.
func (b *backups) compare(dir string, opt engine.Options, d *admin.Drill) (err error) {
	ring, err := keyring.Open(vfs.Default, dir, b.folder.root.key, keyring.Options{Now: time.Now})
	if err != nil {
		return err
	}
	e, err := engine.Open(filepath.Join(dir, storeName), underRing(opt, ring))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	report, err := e.Verify()
	if err != nil {
		return err
	}
	d.Problems = append(d.Problems, report.Problems...)
	for _, p := range b.folder.book.AllProjects() {
		if err := compareProject(e, b.folder.engine, p.Number, d); err != nil {
			return err
		}
	}
	return nil
}

func compareProject(restored, live *engine.Engine, number event.Project, d *admin.Drill) error {
	s := restored.Snapshot(number)
	upTo, floor := s.AsOf(), s.Floor()
	s.Release()
	got, err := backup.DigestOf(restored, number, upTo, floor)
	if err != nil {
		return err
	}
	l := live.Snapshot(number)
	asOf, floorNow := l.AsOf(), l.Floor()
	l.Release()
	if floorNow > floor { // a day ended in between
		if got, err = backup.DigestOf(restored, number, upTo, floorNow); err != nil {
			return err
		}
		floor = floorNow
	}
	want, err := backup.DigestOf(live, number, upTo, floor)
	if err != nil {
		return err
	}
	d.Projects++
	d.Events += got.Events
	switch {
	case asOf < upTo:
		d.Problems = append(d.Problems, fmt.Sprintf("project %d has %d positions in the backup, and %d in the store", number, upTo, asOf))
	case got.Events != want.Events:
		d.Problems = append(d.Problems, fmt.Sprintf("project %d has %d events in the backup, and %d in the store", number, got.Events, want.Events))
	case got != want:
		d.Problems = append(d.Problems, fmt.Sprintf("the events of project %d are others in the backup than in the store", number))
	}
	return nil
}
