// Package commits keeps when positions of a log were committed, as immutable runs.
//
// A run is made of small checksummed pieces, which whoever uses the package stores; a question costs one
// of them. The package knows no clock, it keeps what one said. It opens no files and starts no goroutines; nothing reaches disk. Damage is an error of kind
// event.ErrDamaged, never an answer. Layout: FORMAT.md.
package commits

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/ids"
	"millimetric/index/piece"
)

// A run is a list of pieces: the head, then lists of marks, then directories. The head has: marks (uv),
// the first position (uv), and how many positions the last one is behind it (uv).
//
// All lists have listMarks marks but the last, and all directories directoryLists lists but the last:
// so the number of marks says how many there are of either.
const (
	magic      = "mcom"
	runVersion = 1

	// listMarks: a list is 1 to 6 KiB for the marks of a busy server, and 32 KiB for the oddest.
	listMarks = 1 << 11
	// directoryLists: a directory is at most 32 KiB, and stands for eight million marks.
	directoryLists = 1 << 12
	// marksMax keeps piece numbers within 32 bits.
	marksMax = 1 << 42
)

var kind = piece.Kind{Magic: magic, Version: runVersion}

// Mark says that the positions from First on, up to that of the next mark, were committed at a time.
type Mark struct {
	First event.Seq
	At    event.Time
}

// head is what a run says of itself.
type head struct {
	count       int
	first, last event.Seq
}

func (h head) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.count))
	dst = binary.AppendUvarint(dst, uint64(h.first))
	return binary.AppendUvarint(dst, uint64(h.last-h.first))
}

func readHead(fields *piece.Fields) (h head, sound bool) {
	h.count, h.first = int(fields.Uvarint(marksMax)), event.Seq(fields.Uvarint(math.MaxUint64))
	h.last = h.first + event.Seq(fields.Uvarint(uint64(math.MaxUint64-h.first)))
	if h.count == 0 {
		return h, fields.Done() && h == head{}
	}
	return h, fields.Done() && uint64(h.last-h.first) >= uint64(h.count-1)
}

func (h head) lists() int       { return (h.count + listMarks - 1) / listMarks }
func (h head) directories() int { return (h.lists() + directoryLists - 1) / directoryLists }

func (h head) listID(list int) piece.ID           { return piece.ID(1 + list) }
func (h head) directoryID(directory int) piece.ID { return piece.ID(1 + h.lists() + directory) }

// marksOf returns how many marks a list has.
func (h head) marksOf(list int) int { return min(listMarks, h.count-list*listMarks) }

// Build writes a run of marks: their positions must rise, their times must not fall. The last one
// holds up to position last. The stamp tells the run from all others that are or were kept beside it.
func Build(stamp uint64, marks []Mark, last event.Seq, emit ids.Emit) error {
	w := newWriter(stamp, emit)
	for _, m := range marks {
		if err := w.add(m); err != nil {
			return err
		}
	}
	return w.finish(last)
}

// writer cuts marks into lists. It keeps one of these, and where each begins.
type writer struct {
	out           *piece.Writer
	first         event.Seq
	last          Mark
	count         int
	firsts, times []uint64 // of the current list
	begins        []uint64 // of all lists
	plain         []byte
}

func newWriter(stamp uint64, emit ids.Emit) *writer {
	return &writer{out: piece.NewWriter(kind, stamp, emit)}
}

func (w *writer) add(m Mark) error {
	if w.count > 0 && (m.First <= w.last.First || m.At < w.last.At) {
		panic(fmt.Sprintf("commits: mark %v follows %v", m, w.last))
	}
	if w.count == 0 {
		w.first = m.First
	}
	if len(w.firsts) == 0 {
		w.begins = append(w.begins, uint64(m.First))
	}
	w.last = m
	w.count++
	w.firsts, w.times = append(w.firsts, uint64(m.First)), append(w.times, uint64(m.At))
	if len(w.firsts) < listMarks {
		return nil
	}
	return w.endList()
}

// endList writes a list:
//
//	positions  length (uv), integers
//	times      integers
func (w *writer) endList() error {
	column := encode.AppendInts(nil, w.firsts)
	w.plain = append(binary.AppendUvarint(w.plain[:0], uint64(len(column))), column...)
	w.plain = encode.AppendInts(w.plain, w.times)
	w.firsts, w.times = w.firsts[:0], w.times[:0]
	return w.out.Put(piece.ID(len(w.begins)), w.plain, encode.SavingIntegers)
}

func (w *writer) finish(last event.Seq) error {
	h := head{count: w.count, first: w.first, last: last}
	if w.count == 0 {
		h.last = 0
	} else if last < w.last.First {
		panic(fmt.Sprintf("commits: the last position is %d, that of the last mark %d", last, w.last.First))
	}
	if len(w.firsts) > 0 {
		if err := w.endList(); err != nil {
			return err
		}
	}
	number := 0
	for begins := range slices.Chunk(w.begins, directoryLists) {
		w.plain = encode.AppendInts(w.plain[:0], begins)
		if err := w.out.Put(h.directoryID(number), w.plain, encode.SavingIntegers); err != nil {
			return err
		}
		number++
	}
	return w.out.PutHead(h.append(nil))
}

// Run is a list of marks that doesn't change. It keeps where lists begin in memory, 8 bytes for each,
// and is as safe for concurrent use as its pieces are.
type Run struct {
	head
	stamp  uint64
	pieces ids.Pieces
	begins []event.Seq
}

// Open reads the head and the directories of a run that was written with the stamp.
func Open(stamp uint64, pieces ids.Pieces) (*Run, error) {
	fields, err := kind.OpenHead(pieces, stamp)
	if err != nil {
		return nil, err
	}
	h, sound := readHead(&fields)
	if !sound {
		return nil, piece.Damaged("head of a run of %d marks", h.count)
	}
	r := &Run{head: h, stamp: stamp, pieces: pieces}
	for number := range h.directories() {
		if err := r.readDirectory(number); err != nil {
			return nil, err
		}
	}
	if h.count > 0 && (r.begins[0] != h.first || r.begins[len(r.begins)-1] > h.last) {
		return nil, piece.Damaged("the lists of a run don't begin at position %d", h.first)
	}
	return r, nil
}

func (r *Run) readDirectory(number int) error {
	plain, err := piece.Open(r.pieces, r.stamp, r.directoryID(number))
	if err != nil {
		return err
	}
	begins, err := readInts[event.Seq](plain, min(directoryLists, r.lists()-number*directoryLists))
	if err != nil {
		return err
	}
	if r.begins = append(r.begins, begins...); !rises(r.begins) {
		return piece.Damaged("directory %d of a run of marks", number)
	}
	return nil
}

// readInts reads a column of count integers.
func readInts[T ~uint64 | ~int64](src []byte, count int) ([]T, error) {
	column, err := encode.ParseInts(src)
	if err != nil {
		return nil, err
	}
	if column.Len() != count {
		return nil, piece.Damaged("%d integers of %d", column.Len(), count)
	}
	values := make([]T, count)
	encode.UnpackInts(&column, values)
	return values, nil
}

// Len returns how many marks there are.
func (r *Run) Len() int { return r.count }

// SeqRange returns the first and the last position that the run speaks of, 0 and 0 where there is none.
func (r *Run) SeqRange() (first, last event.Seq) { return r.first, r.last }

// Stamp returns what Open was given.
func (r *Run) Stamp() uint64 { return r.stamp }

// PieceCount returns how many pieces there are: their numbers are below it.
func (r *Run) PieceCount() int { return 1 + r.lists() + r.directories() }

// At returns when a position was committed. known is false where the run doesn't speak of it.
func (r *Run) At(position event.Seq) (at event.Time, known bool, err error) {
	if r.count == 0 || position < r.first || position > r.last {
		return 0, false, nil
	}
	number, found := slices.BinarySearch(r.begins, position)
	if !found {
		number--
	}
	firsts, times, err := r.readList(number)
	if err != nil {
		return 0, false, err
	}
	i, found := slices.BinarySearch(firsts, position)
	if !found {
		i--
	}
	return times[i], true, nil
}

// readList reads a list, which has a mark at least.
func (r *Run) readList(number int) (firsts []event.Seq, times []event.Time, err error) {
	plain, err := piece.Open(r.pieces, r.stamp, r.listID(number))
	if err != nil {
		return nil, nil, err
	}
	fields := piece.FieldsOf(plain)
	column := fields.Bytes()
	if firsts, err = readInts[event.Seq](column, r.marksOf(number)); err != nil {
		return nil, nil, err
	}
	if times, err = readInts[event.Time](fields.Rest(), len(firsts)); err != nil {
		return nil, nil, err
	}
	end := r.last
	if number+1 < len(r.begins) {
		end = r.begins[number+1] - 1
	}
	if !rises(firsts) || firsts[0] != r.begins[number] || firsts[len(firsts)-1] > end || !slices.IsSorted(times) {
		return nil, nil, piece.Damaged("list %d of a run of marks", number)
	}
	return firsts, times, nil
}

func rises(positions []event.Seq) bool {
	for i := 1; i < len(positions); i++ {
		if positions[i] <= positions[i-1] {
			return false
		}
	}
	return true
}

// Each yields all marks in order, until yield returns false. What was yielded before an error is right.
func (r *Run) Each(yield func(Mark) bool) error {
	last := event.Time(math.MinInt64)
	for number := range r.lists() {
		firsts, times, err := r.readList(number)
		if err != nil {
			return err
		}
		if times[0] < last {
			return piece.Damaged("list %d of a run of marks goes back to %d", number, times[0])
		}
		last = times[len(times)-1]
		for i, first := range firsts {
			if !yield(Mark{first, times[i]}) {
				return nil
			}
		}
	}
	return nil
}

// Check reads the whole run, and reports the first damage.
func (r *Run) Check() error { return r.Each(func(Mark) bool { return true }) }

// Merge writes one run of the marks of several, each of which must begin right behind the last position
// of the one before, and no earlier in time: else they are damaged. Where a run goes on with the time at
// which the one before ended, one mark stands for both. It holds where lists begin in memory.
func Merge(stamp uint64, runs []*Run, emit ids.Emit) error {
	w := newWriter(stamp, emit)
	last := event.Seq(0)
	for _, r := range runs {
		if r.count == 0 {
			continue
		}
		if w.count > 0 && r.first != last+1 {
			return piece.Damaged("a run from position %d follows one up to %d", r.first, last)
		}
		last = r.last
		if err := w.addAll(r); err != nil {
			return err
		}
	}
	return w.finish(last)
}

func (w *writer) addAll(r *Run) (failed error) {
	err := r.Each(func(m Mark) bool {
		if w.count > 0 && m.At == w.last.At {
			return true
		}
		failed = w.add(m)
		return failed == nil
	})
	if err != nil {
		return err
	}
	return failed
}
