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

// bodies are the requests of a load, made beforehand and kept in a file: the server is to be measured,
// and not what makes its events, just as another database is given a file that is ready.
type bodies struct {
	file *os.File
	in   *bufio.Reader
}

// writeBodies makes the file. Each body has its length and its number of events before it.
func writeBodies(h *history.History, folder string) (file string, err error) {
	file = filepath.Join(folder, "bodies")
	out, err := os.Create(file)
	if err != nil {
		return "", fmt.Errorf("write requests: %w", err)
	}
	defer out.Close() // a second close after the one below does nothing
	buffered := bufio.NewWriterSize(out, 1<<20)
	batches := history.Batches(h)
	for text, n := batches.Append(nil, loadBatch); n > 0; text, n = batches.Append(text[:0], loadBatch) {
		var head [8]byte
		binary.LittleEndian.PutUint32(head[:], uint32(len(text)))
		binary.LittleEndian.PutUint32(head[4:], uint32(n))
		if _, err := buffered.Write(append(head[:], text...)); err != nil {
			return "", fmt.Errorf("write requests: %w", err)
		}
	}
	if err := errors.Join(buffered.Flush(), out.Close()); err != nil {
		return "", fmt.Errorf("write requests: %w", err)
	}
	return file, nil
}

func openBodies(name string) (*bodies, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	return &bodies{file: file, in: bufio.NewReaderSize(file, 1<<20)}, nil
}

// next reads the next body; it has no events at the end.
func (b *bodies) next(dst []byte) (body, error) {
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
