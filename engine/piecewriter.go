package engine

import (
	"bytes"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millimetric/index/ids"
)

// tableBytesMin is from when on pieces are written into a table of their own, which Pebble takes in
// as it is. Through the log and the tables in memory, each byte would be written three times, and
// commits would wait for it. Smaller ones would leave a file for each.
const tableBytesMin = 4 << 20

// written is a piece as the store keeps it.
type written struct{ key, value []byte }

// pieceWriter writes pieces of things, thing by thing in the order of their stamps. Nothing speaks of
// them until a manifest does, and its batch is synced, with all that was written to Pebble's log
// before it; what Pebble takes in as a table is synced by then.
type pieceWriter struct {
	e       *Engine
	waiting []written
	bytes   int
	table   *table
}

// encrypt makes what the store keeps of a piece of a thing, whose cipher key is prepared.
func (e *Engine) encrypt(t thing, number uint32, plain []byte) written {
	key := t.pieceKey(make([]byte, 0, pieceKeyBytes), number)
	return written{key, e.ciphers.encrypt(t.cipher(), make([]byte, 0, len(plain)+32), key, plain)}
}

// add writes the next piece. It returns the bytes that the store keeps of it.
func (w *pieceWriter) add(t thing, number uint32, plain []byte) (stored int, err error) {
	piece := w.e.encrypt(t, number, plain)
	return piece.bytes(), w.put(piece)
}

func (p written) bytes() int { return len(p.key) + len(p.value) }

func (w *pieceWriter) put(piece written) (err error) {
	if w.table != nil {
		return w.table.put(piece)
	}
	w.waiting, w.bytes = append(w.waiting, piece), w.bytes+piece.bytes()
	if w.bytes < tableBytesMin {
		return nil
	}
	w.table, err = w.e.newTable(w.waiting)
	w.waiting = nil
	return err
}

// finish hands all pieces over to Pebble.
func (w *pieceWriter) finish() error {
	if w.table != nil {
		table := w.table
		w.table = nil
		return w.e.ingest(table)
	}
	batch := w.e.db.NewBatch()
	var failed error
	for _, piece := range w.waiting {
		failed = errors.Join(failed, batch.Set(piece.key, piece.value, nil))
	}
	clearEnd(batch)
	if failed == nil {
		failed = batch.Commit(pebble.NoSync)
	}
	return errors.Join(failed, batch.Close())
}

// abandon gives up what was begun.
func (w *pieceWriter) abandon() {
	if w.table != nil {
		w.table.abandon()
	}
	w.waiting, w.table = nil, nil
}

// writeRun writes a run through one of the builders, whose cipher key it prepares, and notes in entry
// under which stamp, in how many pieces and bytes.
func (w *pieceWriter) writeRun(t thing, entry *runEntry, build func(emit ids.Emit) error) error {
	if err := w.e.ciphers.prepare(t.cipher()); err != nil {
		return err
	}
	entry.stamp = t.stamp
	r := runWriter{e: w.e}
	defer r.abandon()
	err := build(func(id ids.PieceID, plain []byte) error {
		piece := w.e.encrypt(t, uint32(id), plain)
		entry.pieces++
		entry.bytes += uint64(piece.bytes())
		return r.add(piece)
	})
	if err != nil {
		return err
	}
	return r.finish(w)
}

// runWriter takes the pieces of one run. A run's rests and filters come in turn, each kind in its order,
// the first rest before the first filter, whose number is lower: so there are lanes, in each of which
// keys rise, and which don't overlap. The pieces of a small run are sorted; a great one becomes a
// table for each lane, as what it needs of memory must not grow with it.
type runWriter struct {
	e     *Engine
	lanes []*lane
	bytes int
}

type lane struct {
	last    []byte
	waiting []written
	table   *table
}

func (r *runWriter) add(piece written) (err error) {
	var in *lane
	for _, l := range r.lanes {
		if bytes.Compare(l.last, piece.key) < 0 && (in == nil || bytes.Compare(in.last, l.last) < 0) {
			in = l
		}
	}
	if in == nil {
		in = &lane{}
		r.lanes = append(r.lanes, in)
	}
	in.last = piece.key
	r.bytes += piece.bytes()
	if in.table != nil {
		return in.table.put(piece)
	}
	in.waiting = append(in.waiting, piece)
	if r.bytes < tableBytesMin {
		return nil
	}
	for _, l := range r.lanes {
		if l.table == nil {
			if l.table, err = r.e.newTable(l.waiting); err != nil {
				return err
			}
			l.waiting = nil
		}
	}
	return nil
}

// finish hands a great run over to Pebble, and a small one to the writer of what it is written with.
func (r *runWriter) finish(w *pieceWriter) error {
	var tables []*table
	var waiting []written
	for _, l := range r.lanes {
		waiting = append(waiting, l.waiting...)
		if l.table != nil {
			tables = append(tables, l.table)
		}
	}
	if len(tables) > 0 {
		for _, l := range r.lanes {
			if l.table == nil { // it began when the others were tables already
				made, err := r.e.newTable(l.waiting)
				if err != nil {
					return err
				}
				tables = append(tables, made)
			}
		}
		r.lanes = nil
		return r.e.ingest(tables...)
	}
	slices.SortFunc(waiting, func(a, b written) int { return bytes.Compare(a.key, b.key) })
	for _, piece := range waiting {
		if err := w.put(piece); err != nil {
			return err
		}
	}
	return nil
}

// abandon gives up what wasn't finished.
func (r *runWriter) abandon() {
	for _, l := range r.lanes {
		if l.table != nil {
			l.table.abandon()
		}
	}
}
