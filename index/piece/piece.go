// Package piece holds what all runs have in common: a run is a head and numbered pieces, each of them
// a checksummed frame in the place of the run's stamp and the piece's number.
//
// Whoever uses a run stores its pieces, each as one value under whatever key it likes. What is in them
// is the matter of the packages that make runs: ids, visitors, links and commits. The package opens no
// files and starts no goroutines; nothing reaches disk. Pieces that come back are not trusted: damage
// is an error of kind event.ErrDamaged. Each kind has a FORMAT.md.
package piece

import (
	"encoding/binary"
	"fmt"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// BytesMax is the greatest size of a piece: a store reads and decrypts it as a whole.
const BytesMax = 64 << 10

// ID numbers the pieces of a run from 0, which is the head.
type ID uint32

// Source gives the pieces of one run. What it returns must stay as it is until the next call.
type Source interface {
	Piece(id ID) ([]byte, error)
}

// Emit takes a piece of a run that is being written. The bytes are used anew after it returns. The
// head comes last: a run whose head is there is whole.
type Emit func(id ID, piece []byte) error

// Kind tells runs of one kind from all others. The head of a run:
//
//	magic    4 bytes
//	version  1 byte
//	frame    of what the kind says of its runs
type Kind struct {
	Magic   string // 4 bytes
	Version byte
}

// OpenHead reads the head of a run that was written with the stamp.
func (k Kind) OpenHead(from Source, stamp uint64) (Fields, error) {
	fields, _, err := k.OpenHeadFrom(k.Version, from, stamp)
	return fields, err
}

// OpenHeadFrom is OpenHead for runs of several versions, from the oldest on. It returns which one it is.
func (k Kind) OpenHeadFrom(oldest byte, from Source, stamp uint64) (fields Fields, version byte, err error) {
	src, err := from.Piece(0)
	if err != nil {
		return Fields{}, 0, err
	}
	if len(src) < len(k.Magic)+1 || string(src[:len(k.Magic)]) != k.Magic {
		return Fields{}, 0, Damaged("head of %d bytes isn't one of %s", len(src), k.Magic)
	}
	version = src[len(k.Magic)]
	if version < oldest || version > k.Version {
		return Fields{}, 0, Damaged("version %d of %s is unknown", version, k.Magic)
	}
	plain, err := encode.OpenFrame(src[len(k.Magic)+1:], encode.Place{Stamp: stamp})
	return Fields{rest: plain}, version, err
}

// Open reads another piece. What it returns may alias what the source gave.
func Open(from Source, stamp uint64, id ID) ([]byte, error) {
	src, err := from.Piece(id)
	if err != nil {
		return nil, err
	}
	return encode.OpenFrame(src, encode.Place{Stamp: stamp, Number: uint32(id)})
}

// Writer writes the pieces of one run. It is not safe for concurrent use.
type Writer struct {
	kind   Kind
	stamp  uint64
	emit   Emit
	framer *encode.Framer
	frame  []byte
}

// NewWriter returns a Writer of a run. The stamp tells it from all others that are or were kept
// beside it.
func NewWriter(kind Kind, stamp uint64, emit Emit) *Writer {
	return &Writer{kind: kind, stamp: stamp, emit: emit, framer: encode.NewFramer()}
}

// Put writes a piece other than the head.
func (w *Writer) Put(id ID, plain []byte, saving encode.Saving) error {
	w.frame = w.framer.Append(w.frame[:0], plain, encode.Place{Stamp: w.stamp, Number: uint32(id)}, saving)
	return w.send(id)
}

// PutHead writes the head, which must come last.
func (w *Writer) PutHead(plain []byte) error {
	w.frame = append(append(w.frame[:0], w.kind.Magic...), w.kind.Version)
	w.frame = w.framer.Append(w.frame, plain, encode.Place{Stamp: w.stamp}, encode.SavingNever)
	return w.send(0)
}

func (w *Writer) send(id ID) error {
	if len(w.frame) > BytesMax {
		panic(fmt.Sprintf("piece: %s piece %d has %d bytes", w.kind.Magic, id, len(w.frame)))
	}
	return w.emit(id, w.frame)
}

// Fields is the numbers of a head or of a directory, read from front to back. After the first that
// isn't there, all are 0 and Done reports false.
type Fields struct {
	rest []byte
	bad  bool
}

// FieldsOf reads plain.
func FieldsOf(plain []byte) Fields { return Fields{rest: plain} }

// Uvarint reads an unsigned number, which must be at most most.
func (f *Fields) Uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 || v > most {
		f.Fail()
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

// Varint reads a signed number.
func (f *Fields) Varint() int64 {
	v, n := binary.Varint(f.rest)
	if n <= 0 {
		f.Fail()
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

// Bytes reads as many bytes as a number before them says; they alias what is read.
func (f *Fields) Bytes() []byte {
	n := f.Uvarint(uint64(len(f.rest)))
	if n > uint64(len(f.rest)) {
		f.Fail()
		return nil
	}
	taken := f.rest[:n:n]
	f.rest = f.rest[n:]
	return taken
}

// Rest returns what isn't read yet, and takes it as read.
func (f *Fields) Rest() []byte {
	rest := f.rest
	f.rest = nil
	return rest
}

// Fail makes Done report false, for whoever sees that a number can't be.
func (f *Fields) Fail() { f.bad, f.rest = true, nil }

// Done reports whether all was read and all was there.
func (f *Fields) Done() bool { return !f.bad && len(f.rest) == 0 }

// Damaged is the error for bytes that aren't what was written.
func Damaged(format string, args ...any) error {
	return &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf(format, args...)}
}
