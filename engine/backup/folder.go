package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine/durable"
)

// Folder is a target on a mounted disk. It should be another one than the store's.
type Folder struct{ dir string }

// NewFolder returns the target in dir, which is made where it is missing.
func NewFolder(dir string) (*Folder, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("open backup folder: %w", err)
	}
	return &Folder{dir}, nil
}

// temporary begins the names of files that are being written. No object is named so.
const temporary = ".new-"

// String is part of Target.
func (f *Folder) String() string { return f.dir }

// Put is part of Target. The bytes are synced before the file has its name, and the name is before it returns.
func (f *Folder) Put(ctx context.Context, name string, r io.Reader, _ int64) (err error) {
	if err := checkName(name); err != nil {
		return err
	}
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := f.makeFolders(filepath.Dir(path)); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), temporary)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // it is one of the leftovers otherwise
			err = fmt.Errorf("write %s: %w", name, err)
		}
	}()
	_, err = io.Copy(file, cancelled{ctx, r})
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return durable.SyncFolder(vfs.Default, filepath.Dir(path))
}

// makeFolders makes a folder of the target so that it lasts.
func (f *Folder) makeFolders(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if dir != f.dir {
		if err := f.makeFolders(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return durable.SyncFolder(vfs.Default, filepath.Dir(dir))
}

// Get is part of Target.
func (f *Folder) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(f.dir, filepath.FromSlash(name)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, missing(name)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{cancelled{ctx, file}, file}, nil
}

// List is part of Target. Files that are being written are none of its objects.
func (f *Folder) List(ctx context.Context, prefix string, visit func(Object) error) error {
	return filepath.WalkDir(f.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil || entry.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		name, err := filepath.Rel(f.dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if !strings.HasPrefix(name, prefix) || strings.HasPrefix(entry.Name(), temporary) {
			return nil
		}
		facts, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return visit(Object{Name: name, Bytes: facts.Size(), Modified: facts.ModTime()})
	})
}

// Remove is part of Target.
func (f *Folder) Remove(_ context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(f.dir, filepath.FromSlash(name)))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// cancelled reads until ctx ends.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

// Read is part of io.Reader.
func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
