package importer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
)

// lineBytesMax bounds a line. The largest event that a server takes is a few times smaller; the
// rest of a longer line is passed over, so that no file can fill the memory.
const lineBytesMax = 1 << 20

// line is one line of a file. Text is without the line's end, "\n" or "\r\n", so that a file means
// the same in both spellings. It is valid until the next line is read.
type line struct {
	number int // from 1
	text   []byte
	ended  bool // false for a last line that no newline ends: it may be cut off
	long   bool // over lineBytesMax, and text is only its beginning
}

type lineReader struct {
	in     *bufio.Reader
	buf    []byte
	number int // of the last line read
}

// newLineReader reads lines from in, unpacking it where it is gzipped.
func newLineReader(in io.Reader) (*lineReader, error) {
	plain := bufio.NewReaderSize(in, 64<<10)
	start, err := plain.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.Equal(start, []byte{0x1f, 0x8b}) {
		return &lineReader{in: plain}, nil
	}
	unpacked, err := gzip.NewReader(plain)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return &lineReader{in: bufio.NewReaderSize(unpacked, 64<<10)}, nil
}

// next returns the next line, or io.EOF after the last one.
func (r *lineReader) next() (line, error) {
	r.buf = r.buf[:0]
	long := false
	for {
		part, err := r.in.ReadSlice('\n')
		if room := lineBytesMax + len("\r\n") - len(r.buf); len(part) > room {
			part, long = part[:room], true
		}
		r.buf = append(r.buf, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil && (err != io.EOF || len(r.buf) == 0) {
			return line{}, err
		}
		r.number++
		text, ended := bytes.CutSuffix(r.buf, []byte{'\n'})
		if ended {
			text = bytes.TrimSuffix(text, []byte{'\r'})
		}
		return line{number: r.number, text: text, ended: err == nil, long: long || len(text) > lineBytesMax}, nil
	}
}
