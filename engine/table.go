package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// table is one of Pebble's tables that is being written beside the store.
type table struct {
	e      *Engine
	name   string
	writer *sstable.Writer
}

// newTable begins a table with pieces, whose keys must rise, as must those of all pieces after them.
func (e *Engine) newTable(pieces []written) (*table, error) {
	t := &table{e: e, name: e.opt.FS.PathJoin(e.incoming(), fmt.Sprintf("%d.sst", e.tables.Add(1)))}
	file, err := e.fs.Create(t.name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("begin table: %w", err)
	}
	options := e.pebbleOptions()
	options.EnsureDefaults()
	t.writer = sstable.NewWriter(objstorageprovider.NewFileWritable(file), options.MakeWriterOptions(0, e.db.TableFormat()))
	for _, piece := range pieces {
		if err := t.put(piece); err != nil {
			t.abandon()
			return nil, err
		}
	}
	return t, nil
}

func (t *table) put(piece written) error {
	if err := t.writer.Set(piece.key, piece.value); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// abandon removes what was written. What stays behind is removed at the next start.
func (t *table) abandon() {
	_ = t.writer.Close()
	_ = t.e.opt.FS.Remove(t.name)
}

// ingest ends tables, and has Pebble take them in, all or none. They are synced then.
func (e *Engine) ingest(tables ...*table) error {
	var names []string
	var failed error
	for _, t := range tables {
		failed = errors.Join(failed, t.writer.Close())
		names = append(names, t.name)
	}
	if failed == nil {
		failed = e.db.Ingest(context.Background(), names)
	}
	if failed != nil {
		for _, name := range names {
			_ = e.opt.FS.Remove(name) // what stays behind is removed at the next start
		}
		return fmt.Errorf("take in %d tables: %w", len(tables), failed)
	}
	return nil
}

// incoming is the folder of tables that are being written.
func (e *Engine) incoming() string { return e.opt.FS.PathJoin(e.dir, "incoming") }

// clearIncoming removes what a crash left there.
func (e *Engine) clearIncoming() error {
	if err := e.opt.FS.RemoveAll(e.incoming()); err != nil {
		return fmt.Errorf("clear %s: %w", e.incoming(), err)
	}
	return e.opt.FS.MkdirAll(e.incoming(), 0o700)
}
