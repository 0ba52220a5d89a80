package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/maypok86/otter/v2"

	"millimetric/index"
	"millimetric/index/ids"
)

// pieceID names a piece in the cache. Stamps are never used twice, so what is cached is never stale.
type pieceID struct {
	thing  thing
	number uint32
}

// pieceOverhead is about what the cache needs for an entry besides its bytes.
const pieceOverhead = 128

func newPieceCache(bytes int64) *otter.Cache[pieceID, []byte] {
	return otter.Must(&otter.Options[pieceID, []byte]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ pieceID, plain []byte) uint32 { return uint32(len(plain)) + pieceOverhead },
		// What is to be done after a change is little, and done at once: no goroutine outlives its owner.
		Executor: func(task func()) { task() },
	})
}

// piece returns a piece, decrypted. It is shared: nobody changes it.
func (e *Engine) piece(t thing, number uint32) ([]byte, error) {
	id := pieceID{t, number}
	if plain, ok := e.cache.GetIfPresent(id); ok {
		return plain, nil
	}
	plain, err := e.readPiece(t, number)
	if err == nil {
		e.cache.Set(id, plain)
	}
	return plain, err
}

// readPiece reads past the cache, for those who read all of a thing once.
func (e *Engine) readPiece(t thing, number uint32) ([]byte, error) {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.closed {
		return nil, errStopping()
	}
	var room [pieceKeyBytes]byte
	key := t.pieceKey(room[:0], number)
	value, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, damagedValue(key, errors.New("a piece is missing"))
	}
	if err != nil {
		return nil, storeError(fmt.Sprintf("read store key %x", key), err)
	}
	plain, err := e.ciphers.decrypt(t.cipher(), key, value)
	return plain, errors.Join(err, closer.Close())
}

// sections gives the sections of a segment, through the cache.
type sections struct {
	e     *Engine
	thing thing
}

// Section is part of index.Sections.
func (s sections) Section(id index.SectionID) ([]byte, error) { return s.e.piece(s.thing, uint32(id)) }

// passing gives the sections of a segment that is read once from front to back: past the cache, of
// which it would take the place of what is asked for again. It keeps a few, as many pieces share one.
type passing struct {
	e     *Engine
	thing thing
	near  [passingKept]nearSection
	next  int
}

type nearSection struct {
	id    index.SectionID
	plain []byte
}

// passingKept is how many sections are kept: a merge reads a few columns side by side.
const passingKept = 8

// Section is part of index.Sections. It is not safe for concurrent use.
func (p *passing) Section(id index.SectionID) ([]byte, error) {
	for i := range p.near {
		if p.near[i].plain != nil && p.near[i].id == id {
			return p.near[i].plain, nil
		}
	}
	plain, err := p.e.readPiece(p.thing, uint32(id))
	if err == nil {
		p.near[p.next] = nearSection{id, plain}
		p.next = (p.next + 1) % passingKept
	}
	return plain, err
}

// runPieces gives the pieces of a run, through the cache or, where they are direct, past it.
type runPieces struct {
	e      *Engine
	thing  thing
	direct bool
}

// Piece is part of ids.Pieces.
func (p runPieces) Piece(id ids.PieceID) ([]byte, error) {
	if p.direct {
		return p.e.readPiece(p.thing, uint32(id))
	}
	return p.e.piece(p.thing, uint32(id))
}

// tableBytesMin is from when on pieces are written into a table of their own, which Pebble takes in
// as it is. Through the log and the tables in memory, each byte would be written three times, and
// commits would wait for it. Smaller ones would leave a file for each.
const tableBytesMin = 4 << 20

// pieceWriter writes pieces, in the order of their store keys. Nothing speaks of them until a manifest
// does, and its batch is synced, with all that was written to Pebble's log before it; what Pebble
// takes in as a table is synced by then.
type pieceWriter struct {
	e       *Engine
	waiting []written
	bytes   int
	table   *sstable.Writer
	name    string
}

type written struct{ key, value []byte }

// add writes one piece of a thing, whose cipher key is prepared. It returns the bytes that the store
// keeps of it.
func (w *pieceWriter) add(t thing, number uint32, plain []byte) (stored int, err error) {
	key := t.pieceKey(make([]byte, 0, pieceKeyBytes), number)
	value := w.e.ciphers.encrypt(t.cipher(), make([]byte, 0, len(plain)+32), key, plain)
	stored = len(key) + len(value)
	if w.table != nil {
		return stored, w.table.Set(key, value)
	}
	w.waiting, w.bytes = append(w.waiting, written{key, value}), w.bytes+stored
	if w.bytes < tableBytesMin {
		return stored, nil
	}
	return stored, w.startTable(t.stamp)
}

func (w *pieceWriter) startTable(stamp uint64) error {
	w.name = w.e.opt.FS.PathJoin(w.e.incoming(), fmt.Sprintf("%d.sst", w.e.tables.Add(1)))
	file, err := w.e.fs.Create(w.name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("write pieces of stamp %d: %w", stamp, err)
	}
	options := w.e.pebbleOptions()
	options.EnsureDefaults()
	w.table = sstable.NewWriter(objstorageprovider.NewFileWritable(file), options.MakeWriterOptions(0, w.e.db.TableFormat()))
	for _, piece := range w.waiting {
		if err := w.table.Set(piece.key, piece.value); err != nil {
			return err
		}
	}
	w.waiting = nil
	return nil
}

// finish hands all pieces over to Pebble.
func (w *pieceWriter) finish() error {
	if w.table != nil {
		err := w.table.Close()
		w.table = nil
		if err == nil {
			err = w.e.db.Ingest(context.Background(), []string{w.name})
		}
		return err
	}
	batch := w.e.db.NewBatch()
	var failed error
	for _, piece := range w.waiting {
		failed = errors.Join(failed, batch.Set(piece.key, piece.value, nil))
	}
	if failed == nil {
		failed = batch.Commit(pebble.NoSync)
	}
	return errors.Join(failed, batch.Close())
}

// abandon gives up what was begun. A table that is left is removed at the next start at the latest.
func (w *pieceWriter) abandon() {
	if w.table != nil {
		_ = w.table.Close()           // it is thrown away
		_ = w.e.opt.FS.Remove(w.name) // or it is found at the next start
	}
	w.waiting, w.table = nil, nil
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

// writeRun writes a run through one of the builders, whose cipher key it prepares, and notes in entry
// under which stamp, in how many pieces and bytes.
func (w *pieceWriter) writeRun(t thing, entry *runEntry, build func(emit ids.Emit) error) error {
	if err := w.e.ciphers.prepare(t.cipher()); err != nil {
		return err
	}
	entry.stamp = t.stamp
	return build(func(id ids.PieceID, piece []byte) error {
		stored, err := w.add(t, uint32(id), piece)
		entry.pieces++
		entry.bytes += uint64(stored)
		return err
	})
}

// forget deletes things that no manifest names and no reader reads.
func (e *Engine) forget(dead []thing) error {
	if len(dead) == 0 {
		return nil
	}
	batch := e.db.NewBatch()
	var failed error
	for _, t := range dead {
		end := t
		end.stamp++
		failed = errors.Join(failed, batch.DeleteRange(t.key(nil), end.key(nil), nil))
	}
	if failed == nil {
		failed = batch.Commit(pebble.NoSync)
	}
	return errors.Join(failed, batch.Close())
}
