package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/wal"

	"millimetric/engine/ledger"
	"millimetric/index/event"
)

// What is left of who was erased is searched for in two ways:
//
//  1. In all of Pebble's tables and logs, entry by entry, whether anything can reach an entry or not: an
//     entry of what was deleted, or of the log's trimmed groups, is a trace.
//  2. In all segments of the project, by every user and visitor in their dictionaries, decrypted and hashed as
//     in the ledger: a row of somebody who was erased, from before that, is a trace.

// searched is what a search has found.
type searched struct {
	bytes   uint64
	residue int
}

func (e *Engine) searchStore(pass *pass) (found searched, err error) {
	visit := func(key []byte, _ func() ([]byte, error)) {
		number, isGroup := groupNumber(key)
		project, stamp, isPiece := thingOf(key)
		left, erased := pass.left[project]
		if isGroup && number <= pass.upTo || isPiece && erased && stamp < left.next && !left.named[stamp] {
			found.residue++
		}
	}
	if found.bytes, err = e.eachEntry(visit); err != nil {
		return found, err
	}
	for number, list := range pass.of {
		n, err := e.rowsLeft(number, list)
		if err != nil {
			return found, err
		}
		found.residue += n
	}
	return found, nil
}

// rowsLeft counts the rows that are left of erased persons of a project.
func (e *Engine) rowsLeft(number event.Project, all []*Erasure) (rows int, err error) {
	p, names, wanted := e.known(number), map[ledger.Hash]string{}, map[ledger.Hash]ledger.Kind{}
	s := e.Snapshot(number)
	defer s.Release()
	entries := e.targetsOf(number, all)
	for _, entry := range entries {
		wanted[entry.Who] = entry.Kind
	}
	if err := e.resolve(p, s.sealed, wanted, names); err != nil {
		return 0, err
	}
	targets := make([]target, len(entries))
	for i, entry := range entries {
		targets[i] = target{kind: entry.Kind, id: names[entry.Who], entry: entry}
	}
	found, err := e.findRows(p, s.sealed, targets)
	for _, n := range found.by {
		rows += n
	}
	for i := range s.sealed.segments {
		rows += s.sealed.segments[i].Hidden().Count()
	}
	return rows, err
}

// entryVisit takes an entry. Its value is read where it is asked for; both are valid until it returns.
type entryVisit func(key []byte, value func() ([]byte, error))

// eachEntry visits the store keys of all entries in all tables and logs of Pebble's, and returns how many
// bytes these have.
func (e *Engine) eachEntry(visit entryVisit) (bytes uint64, err error) {
	names, err := e.storeFiles()
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		path := e.fs.PathJoin(e.dir, name)
		facts, err := e.fs.Stat(path)
		if err == nil && strings.HasSuffix(name, ".sst") {
			if err = e.eachOfTable(path, visit); err != nil && e.isWhole(name) {
				err = e.eachOfTable(path, visit) // which it wasn't a moment ago
			} else if err != nil {
				continue // it is being written, of tables that are searched
			}
		}
		if errors.Is(err, os.ErrNotExist) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return bytes, fmt.Errorf("search %s: %w", name, err)
		}
		bytes += uint64(facts.Size())
	}
	return bytes, e.eachOfLogs(visit)
}

// isWhole reports whether a file is a table that Pebble reads from, and not one that is being written, or that
// a crash has left and the next start removes.
func (e *Engine) isWhole(name string) bool {
	levels, err := e.db.SSTables()
	if err != nil {
		return true
	}
	for _, tables := range levels {
		for _, t := range tables {
			if name == fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum)) {
				return true
			}
		}
	}
	return false
}

func (e *Engine) eachOfTable(path string, visit entryVisit) (err error) {
	file, err := e.fs.Open(path)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	options := e.pebbleOptions()
	options.EnsureDefaults()
	table, err := sstable.NewReader(context.Background(), readable, options.MakeReaderOptions())
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	entries, err := table.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return err
	}
	for kv := entries.First(); kv != nil; kv = entries.Next() {
		visit(kv.K.UserKey, func() ([]byte, error) { value, _, err := kv.Value(nil); return value, err })
	}
	return errors.Join(entries.Error(), entries.Close())
}

// eachOfLogs visits the entries of Pebble's logs. The newest is being written: what of its end isn't whole
// was written after all that is searched for.
func (e *Engine) eachOfLogs(visit entryVisit) error {
	logs, err := wal.Scan(wal.Dir{FS: e.fs, Dirname: e.dir})
	if err != nil {
		return fmt.Errorf("search logs: %w", err)
	}
	for _, log := range logs {
		err := eachOfLog(log, visit)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("search log %d: %w", log.Num, err)
		}
	}
	return nil
}

func eachOfLog(log wal.LogicalLog, visit entryVisit) (err error) {
	reader := log.OpenForRead()
	defer func() { err = errors.Join(err, reader.Close()) }()
	var room bytes.Buffer
	for {
		record, _, err := reader.NextRecord()
		if err == nil {
			room.Reset()
			_, err = io.Copy(&room, record)
		}
		switch {
		case errors.Is(err, os.ErrNotExist):
			return err
		case err != nil || room.Len() < batchrepr.HeaderLen:
			return nil
		}
		for entries := batchrepr.Read(room.Bytes()); len(entries) > 0; {
			kind, key, value, ok, err := entries.Next()
			if err != nil || !ok {
				return err
			}
			if kind == pebble.InternalKeyKindSet {
				visit(key, func() ([]byte, error) { return value, nil })
			}
		}
	}
}
