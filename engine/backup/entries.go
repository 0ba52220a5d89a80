package backup

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"millimetric/engine"
	"millimetric/index/event"
)

// What an object holds, decrypted, is a row of entries, each of which begins with its kind:
//
//	V  a value: store key, value, each behind its length (uv)
//	C  a commit: number of its group (uv, 0 where it has none), time (uv), the group behind its length (uv), records
//	R  all records that there are: what came before is gone
//	E  the end: how many entries came before (uv); nothing comes after
//
// Records are their count (uv), and of each the store key behind its length, 1 or 0 for one that was deleted, and
// the value behind its length.
const (
	entryValue   = 'V'
	entryCommit  = 'C'
	entryRecords = 'R'
	entryEnd     = 'E'

	// What a reader takes at most: no store key and no value is longer, and no commit has more records.
	keyBytesMax   = 64 << 10
	valueBytesMax = 1 << 30
	recordsMax    = 1 << 24
)

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendValue(dst []byte, v engine.Value) []byte {
	return appendBytes(appendBytes(append(dst, entryValue), v.Key), v.Value)
}

func appendCommit(dst []byte, c engine.Commit) []byte {
	dst = binary.AppendUvarint(append(dst, entryCommit), c.Number)
	dst = appendBytes(binary.AppendUvarint(dst, uint64(c.At)), c.Group)
	return appendRecords(dst, c.Records)
}

func appendRecords(dst []byte, records []engine.Value) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(records)))
	for _, v := range records {
		dst = appendBytes(dst, v.Key)
		if v.Value == nil {
			dst = append(dst, 0, 0)
			continue
		}
		dst = appendBytes(append(dst, 1), v.Value)
	}
	return dst
}

func appendEnd(dst []byte, entries int) []byte {
	return binary.AppendUvarint(append(dst, entryEnd), uint64(entries))
}

// visitor is told what an object holds. What is nil is passed over. What it is given is its own.
type visitor struct {
	value   func(engine.Value) error
	commit  func(engine.Commit) error
	records func([]engine.Value) error
}

// readEntries reads an object to its end.
func readEntries(name string, from io.Reader, v visitor) error {
	r := &entryReader{r: bufio.NewReaderSize(from, chunkBytes)}
	for n := 0; ; n++ {
		kind := r.byte()
		var err error
		switch kind {
		case entryValue:
			found := engine.Value{Key: r.bytes(keyBytesMax), Value: r.bytes(valueBytesMax)}
			if r.err == nil && v.value != nil {
				err = v.value(found)
			}
		case entryCommit:
			found := engine.Commit{Number: r.uvarint(), At: event.Time(r.uvarint()), Group: r.bytes(valueBytesMax), Records: r.records()}
			if r.err == nil && v.commit != nil {
				err = v.commit(found)
			}
		case entryRecords:
			found := r.records()
			if r.err == nil && v.records != nil {
				err = v.records(found)
			}
		case entryEnd:
			return r.end(name, n)
		default:
			r.fail(errors.New("an entry of an unknown kind"))
		}
		if r.err != nil {
			return r.blame(name)
		}
		if err != nil {
			return err
		}
	}
}

// entryReader reads fields one behind the other. After a failure it reads nothing.
type entryReader struct {
	r   *bufio.Reader
	err error
}

func (r *entryReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *entryReader) byte() byte {
	b, err := r.r.ReadByte()
	if err != nil {
		r.fail(err)
	}
	return b
}

func (r *entryReader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		r.fail(err)
	}
	return n
}

// bytes allocates as it reads: a length that lies costs nothing.
func (r *entryReader) bytes(most uint64) []byte {
	n := r.uvarint()
	if r.err != nil {
		return nil
	}
	if n > most {
		r.fail(errors.New("an entry that is too long"))
		return nil
	}
	if n <= chunkBytes {
		b := make([]byte, n)
		if _, err := io.ReadFull(r.r, b); err != nil {
			r.fail(err)
		}
		return b
	}
	b, err := io.ReadAll(io.LimitReader(r.r, int64(n)))
	if err == nil && uint64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		r.fail(err)
	}
	return b
}

func (r *entryReader) records() (list []engine.Value) {
	n := r.uvarint()
	if n > recordsMax {
		r.fail(errors.New("too many records"))
	}
	for range n {
		if r.err != nil {
			return nil
		}
		v := engine.Value{Key: r.bytes(keyBytesMax)}
		there, value := r.byte(), r.bytes(valueBytesMax)
		if there == 1 {
			v.Value = value
		}
		if r.err == nil && !v.IsRecord() {
			r.fail(errors.New("a record that is none"))
		}
		list = append(list, v)
	}
	return list
}

func (r *entryReader) end(name string, entries int) error {
	if n := r.uvarint(); r.err == nil && n != uint64(entries) {
		r.fail(errors.New("entries are missing"))
	}
	if _, err := r.r.ReadByte(); r.err == nil && !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("something comes after its end")
		}
		r.fail(err)
	}
	if r.err != nil {
		return r.blame(name)
	}
	return nil
}

// blame says why an object can't be read. An error of the target, or one that says damage, stays what it is.
func (r *entryReader) blame(name string) error {
	if errors.Is(r.err, event.ErrDamaged) || isTarget(r.err) {
		return r.err
	}
	return damaged("object %s can't be read: %w", name, r.err)
}

// isTarget reports whether reading failed at the target, and not for what was read.
func isTarget(err error) bool {
	var failed *targetError
	return errors.As(err, &failed)
}

// targetError says that the target failed.
type targetError struct{ err error }

func (e *targetError) Error() string { return e.err.Error() }
func (e *targetError) Unwrap() error { return e.err }
