package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/metrics"
	"millimetric/engine"
	"millimetric/engine/keyring"
	"millimetric/index/event"
)

// What lies in a data folder. The keyring's file is named by its package.
const (
	lockName    = "lock"
	rootKeyName = "root.key"
	storeName   = "store"
)

// folder is an open data folder: the one place where engine, keyring and keys come together.
type folder struct {
	dir    string
	lock   io.Closer
	engine *engine.Engine
	ring   *keyring.Keyring
	book   *auth.Book
	audit  *audit.Log
	root   foundKey

	figures *metrics.Set
}

// folderOptions say how to open a data folder.
type folderOptions struct {
	Dir         string
	RootKeyFile string    // empty for the file in the folder
	RootKey     *[32]byte // where it is known already
	Log         *slog.Logger
	Now         func() time.Time
	Engine      engine.Options // what of it is left open here is set by openFolder
}

// openFolder opens a data folder, and makes it where there is none:
//
//  1. The lock comes first: of two processes that start at once, one must find all made.
//  2. The root key comes before the keyring, which is encrypted under it. It is made only while
//     there is no keyring: a new one beside an old keyring would open nothing.
//  3. The keyring comes before the store: nothing in the store can be read without it, so a store
//     without a keyring is an error and never a reason to make one.
func openFolder(opt folderOptions) (_ *folder, err error) {
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	f := &folder{dir: opt.Dir, figures: metrics.New()}
	if f.lock, err = lockFolder(opt.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.ring, f.root, err = openRing(opt); err != nil {
		return nil, err
	}
	opt.Engine.Now, opt.Engine.CipherKey = opt.Now, f.ring.CipherKey
	opt.Engine.CipherBuckets, opt.Engine.DropCipherKey = f.ring.CipherBuckets, f.ring.DropCipherKey
	opt.Engine.Notify = func(n engine.Notice) {
		f.figures.Notice(n)
		if n.Urgent() {
			opt.Log.Warn(n.String())
		} else {
			opt.Log.Info(n.String())
		}
	}
	if f.engine, err = engine.Open(filepath.Join(opt.Dir, storeName), opt.Engine); err != nil {
		return nil, err
	}
	if f.book, err = auth.Open(auth.Options{Store: records{f.engine}, Pepper: f.ring.Pepper(), Now: opt.Now}); err != nil {
		return nil, err
	}
	for _, l := range f.book.Lost() {
		lost := engine.Lost(l)
		opt.Engine.Notify(engine.Damaged{Path: "the " + l.Kind + " records", Cause: errors.New(lost.String())})
	}
	if f.audit, err = openAudit(f, opt.Now); err == nil && f.audit.Broken() != nil {
		opt.Engine.Notify(engine.Damaged{Path: "the audit log", Cause: f.audit.Broken()})
	}
	return f, err
}

// openRing does steps 2 and 3 for the keyring alone. The caller has the lock.
func openRing(opt folderOptions) (*keyring.Keyring, foundKey, error) {
	if !keyring.Exists(vfs.Default, opt.Dir) && exists(filepath.Join(opt.Dir, storeName)) {
		return nil, foundKey{}, fmt.Errorf("open data folder: %s holds events but no keyring, without which they can't be read; put the file \"keyring\" back from its newest copy", opt.Dir)
	}
	root, err := rootKey(opt)
	if err != nil {
		return nil, foundKey{}, fmt.Errorf("open data folder: %w", err)
	}
	ring, err := keyring.Open(vfs.Default, opt.Dir, root.key, keyring.Options{Now: opt.Now})
	if errors.Is(err, keyring.ErrRootKey) && root.file != "" {
		return finishRotation(opt, root, err)
	}
	return ring, root, err
}

// lockedRing opens the keyring alone, for commands that need no store. It makes nothing.
func lockedRing(opt folderOptions) (_ *keyring.Keyring, _ foundKey, lock io.Closer, err error) {
	if !keyring.Exists(vfs.Default, opt.Dir) && !exists(filepath.Join(opt.Dir, storeName)) {
		return nil, foundKey{}, nil, noFolder(opt.Dir)
	}
	if lock, err = lockFolder(opt.Dir); err != nil {
		return nil, foundKey{}, nil, err
	}
	ring, root, err := openRing(opt)
	if err != nil {
		return nil, foundKey{}, nil, errors.Join(err, lock.Close())
	}
	return ring, root, lock, nil
}

// close writes what is only in memory and closes all that is open.
func (f *folder) close() error {
	var errs []error
	if f.book != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		errs = append(errs, f.book.Flush(ctx))
		if f.audit != nil {
			errs = append(errs, f.audit.Upkeep(ctx, true))
		}
		cancel()
	}
	if f.engine != nil {
		errs = append(errs, f.engine.Close())
	}
	return errors.Join(append(errs, f.lock.Close())...)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func lockFolder(dir string) (io.Closer, error) {
	lock, err := vfs.Default.Lock(filepath.Join(dir, lockName))
	if errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("data folder %s is %w", dir, errInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	return lock, nil
}

var errInUse = errors.New("in use by another process; stop the server first")

// records lets the book keep its records in the engine.
type records struct{ engine *engine.Engine }

func (r records) Records(kind string) ([]auth.Record, []auth.Lost, error) {
	found, gone, err := r.engine.ReadableRecords(kind)
	list, lost := make([]auth.Record, len(found)), make([]auth.Lost, len(gone))
	for i, record := range found {
		list[i] = auth.Record(record)
	}
	for i, l := range gone {
		lost[i] = auth.Lost(l)
	}
	return list, lost, err
}

func (r records) PutRecords(ctx context.Context, list ...auth.Record) error {
	out := make([]engine.Record, len(list))
	for i, record := range list {
		out[i] = engine.Record(record)
	}
	return r.engine.PutRecords(ctx, out...)
}

// auditRecords lets the audit log keep its records there, too.
type auditRecords struct{ engine *engine.Engine }

func (r auditRecords) Records(kind string) ([]audit.Record, error) {
	found, err := r.engine.Records(kind)
	list := make([]audit.Record, len(found))
	for i, record := range found {
		list[i] = audit.Record(record)
	}
	return list, err
}

func (r auditRecords) PutRecords(ctx context.Context, list ...audit.Record) error {
	out := make([]engine.Record, len(list))
	for i, record := range list {
		out[i] = engine.Record(record)
	}
	return r.engine.PutRecords(ctx, out...)
}

// openAudit opens the audit log. Its heads are signed under a key that follows from the keyring, and so
// can't be made by who has the store alone.
func openAudit(f *folder, now func() time.Time) (*audit.Log, error) {
	pepper := f.ring.Pepper()
	seed, err := hkdf.Key(sha256.New, pepper[:], nil, "millimetric audit head 1", 32)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return audit.Open(audit.Options{Store: auditRecords{f.engine}, Seed: [32]byte(seed), Now: now})
}

var errRootKey = fmt.Errorf("%w: the root key must be 64 hex digits", event.ErrInput)
