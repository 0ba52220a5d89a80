package ids

import (
	"encoding/binary"
	"fmt"

	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/piece"
)

// Build writes a run of hashes of IDBits, which must rise. The stamp tells the run from all others that are or
// were kept beside it; latest is when the latest of the ids arrived.
func Build(stamp uint64, latest event.Time, hashes []Hash, emit Emit) error {
	w := NewBodyWriter(piece.NewWriter(kind, stamp, emit), len(hashes), IDBits, 0)
	for _, h := range hashes {
		if err := w.Add(h, 0); err != nil {
			return err
		}
	}
	return finish(w, latest)
}

// finish writes the head: hashes (uv), bucket bits (uv), latest (sv).
func finish(w *BodyWriter, latest event.Time) error {
	if err := w.Finish(); err != nil {
		return err
	}
	return w.out.PutHead(binary.AppendVarint(w.AppendCounts(nil), int64(latest)))
}

// BodyWriter cuts rising hashes into the pieces of a body. It keeps one filter and one rest.
type BodyWriter struct {
	shape
	out   *piece.Writer
	plain []byte

	count      int
	last       Hash
	filterAt   int
	filter     filterWriter
	restAt     int
	restHashes restWriter
}

// NewBodyWriter returns a writer of at most count hashes of so many bits, each with a value of so many.
func NewBodyWriter(out *piece.Writer, count, hashBits, valueBits int) *BodyWriter {
	w := &BodyWriter{shape: shapeFor(count, hashBits, valueBits), out: out}
	w.filter.reset()
	return w
}

// Add writes the next hash, which must be greater than the one before.
func (w *BodyWriter) Add(h Hash, value uint32) error {
	if w.count > 0 && !w.last.less(h) || h.Lo<<(64-w.unused()) != 0 {
		panic(fmt.Sprintf("ids: hash %x follows %x", h, w.last))
	}
	if uint64(value)>>w.valueBits != 0 {
		panic(fmt.Sprintf("ids: value %d has more than %d bits", value, w.valueBits))
	}
	w.last = h
	w.count++
	bucket := w.bucket(h)
	if bucket/restBuckets != w.restAt {
		if err := w.endRests(bucket / restBuckets); err != nil {
			return err
		}
	}
	if bucket/filterBuckets != w.filterAt {
		if err := w.endFilters(bucket / filterBuckets); err != nil {
			return err
		}
	}
	if len(w.restHashes.lows) == restIDsMax {
		panic(fmt.Sprintf("ids: hashes aren't spread evenly: %d between %x and %x", restIDsMax, bucket&^(restBuckets-1), h))
	}
	w.filter.add(bucket%filterBuckets, w.remainder(h))
	high, low := w.rest(h)
	w.restHashes.add(high, low, value)
	return nil
}

// endRests writes the rests before number next.
func (w *BodyWriter) endRests(next int) error {
	for ; w.restAt < next; w.restAt++ {
		w.plain = w.restHashes.appendTo(w.plain[:0], w.shape)
		w.restHashes.reset()
		if err := w.put(w.restID(w.restAt)); err != nil {
			return err
		}
	}
	return nil
}

func (w *BodyWriter) endFilters(next int) error {
	for ; w.filterAt < next; w.filterAt++ {
		w.plain = w.filter.appendTo(w.plain[:0], w.blocks())
		w.filter.reset()
		if err := w.put(w.filterID(w.filterAt)); err != nil {
			return err
		}
	}
	return nil
}

func (w *BodyWriter) put(id PieceID) error { return w.out.Put(id, w.plain, encode.SavingNever) }

// Finish writes what is left; the head is still to come.
func (w *BodyWriter) Finish() error {
	if err := w.endRests(w.rests()); err != nil {
		return err
	}
	return w.endFilters(w.filters())
}

// AppendCounts appends what a reader needs to know of the body: hashes (uv), bucket bits (uv).
func (w *BodyWriter) AppendCounts(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(w.count))
	return binary.AppendUvarint(dst, uint64(w.bucketBits))
}
