package ids

import (
	"fmt"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// Emit takes a piece of a run that is being written. The bytes are used anew after it returns. The
// head comes last: a run whose head is there is whole.
type Emit func(id PieceID, piece []byte) error

// Build writes a run of hashes, which must rise. The stamp tells the run from all others that are or
// were kept beside it; latest is when the latest of the ids arrived.
func Build(stamp uint64, latest event.Time, hashes []Hash, emit Emit) error {
	w := newWriter(stamp, shapeFor(len(hashes)), emit)
	for _, h := range hashes {
		if err := w.add(h); err != nil {
			return err
		}
	}
	return w.finish(latest)
}

// writer cuts rising hashes into pieces. It keeps one filter and one rest.
type writer struct {
	shape
	stamp  uint64
	emit   Emit
	framer *encode.Framer
	plain  []byte
	frame  []byte

	count      int
	last       Hash
	filterAt   int
	filter     filterWriter
	restAt     int
	restHashes restWriter
}

func newWriter(stamp uint64, s shape, emit Emit) *writer {
	w := &writer{shape: s, stamp: stamp, emit: emit, framer: encode.NewFramer()}
	w.filter.reset()
	return w
}

func (w *writer) add(h Hash) error {
	if w.count > 0 && !w.last.less(h) || h.Lo&0xff != 0 {
		panic(fmt.Sprintf("ids: hash %x follows %x", h, w.last))
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
	w.restHashes.add(w.rest(h))
	return nil
}

// endRests writes the rests before number next.
func (w *writer) endRests(next int) error {
	for ; w.restAt < next; w.restAt++ {
		w.plain = w.restHashes.appendTo(w.plain[:0], w.highBits())
		w.restHashes.reset()
		if err := w.put(w.restID(w.restAt)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) endFilters(next int) error {
	for ; w.filterAt < next; w.filterAt++ {
		w.plain = w.filter.appendTo(w.plain[:0], w.blocks())
		w.filter.reset()
		if err := w.put(w.filterID(w.filterAt)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) put(id PieceID) error {
	w.frame = w.framer.Append(w.frame[:0], w.plain, encode.Place{Stamp: w.stamp, Number: uint32(id)}, encode.SavingNever)
	return w.emit(id, w.frame)
}

func (w *writer) finish(latest event.Time) error {
	if err := w.endRests(w.rests()); err != nil {
		return err
	}
	if err := w.endFilters(w.filters()); err != nil {
		return err
	}
	return w.emit(0, head{w.shape, w.count, latest}.append(nil, w.framer, w.stamp))
}
