package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"millimetric/bench/history"
)

// bodies are the requests of a load. next returns one, in dst where that has room; it has no events at the end.
type bodies interface {
	next(dst []byte) (body, error)
}

type body struct {
	text   []byte
	events int
}

// madeBodies are made while they are sent: half a kilobyte an event, so fifty million would need a disk of their own.
// What a load takes isn't to be measured with them.
type madeBodies struct{ batches *history.Batch }

func (m madeBodies) next(dst []byte) (body, error) {
	text, n := m.batches.Append(dst[:0], loadBatch)
	return body{text, n}, nil
}

// filedBodies are made beforehand and lie in a file: the server is to be measured, and not what makes its events,
// just as another database is given a file that is ready.
type filedBodies struct {
	file *os.File
	in   *bufio.Reader
}

// fileBodies makes the file, which the caller closes; it is gone then. Each body has its length and its number of
// events before it.
func fileBodies(h *history.History, folder string) (filed *filedBodies, err error) {
	file, err := os.Create(filepath.Join(folder, "bodies"))
	if err != nil {
		return nil, fmt.Errorf("file requests: %w", err)
	}
	filed = &filedBodies{file: file, in: bufio.NewReaderSize(file, 1<<20)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("file requests: %w", err), filed.close())
		}
	}()
	buffered := bufio.NewWriterSize(file, 1<<20)
	batches := history.Batches(h)
	for text, n := batches.Append(nil, loadBatch); n > 0; text, n = batches.Append(text[:0], loadBatch) {
		var head [8]byte
		binary.LittleEndian.PutUint32(head[:], uint32(len(text)))
		binary.LittleEndian.PutUint32(head[4:], uint32(n))
		if _, err := buffered.Write(append(head[:], text...)); err != nil {
			return filed, err
		}
	}
	if err := buffered.Flush(); err != nil {
		return filed, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return filed, err
}

func (b *filedBodies) close() error { return errors.Join(b.file.Close(), os.Remove(b.file.Name())) }

func (b *filedBodies) next(dst []byte) (body, error) {
	var head [8]byte
	if _, err := io.ReadFull(b.in, head[:]); err == io.EOF {
		return body{}, nil
	} else if err != nil {
		return body{}, fmt.Errorf("read requests: %w", err)
	}
	n := int(binary.LittleEndian.Uint32(head[:]))
	if cap(dst) < n {
		dst = make([]byte, n)
	}
	if _, err := io.ReadFull(b.in, dst[:n]); err != nil {
		return body{}, fmt.Errorf("read requests: %w", err)
	}
	return body{dst[:n], int(binary.LittleEndian.Uint32(head[4:]))}, nil
}
