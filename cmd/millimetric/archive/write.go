package archive

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// sumsName is the entry that lists all others.
const sumsName = "SHA256SUMS"

// Writer writes an archive, part by part.
type Writer struct {
	encrypted io.WriteCloser
	tar       *tar.Writer
	at        time.Time
	sums      strings.Builder // a line for each part: some hundred bytes
}

// NewWriter begins an archive; at is the time that its parts bear.
func NewWriter(w io.Writer, secret Secret, at time.Time) (*Writer, error) {
	encrypted, err := encrypt(w, secret)
	if err != nil {
		return nil, fmt.Errorf("begin an archive: %w", err)
	}
	return &Writer{encrypted: encrypted, tar: tar.NewWriter(encrypted), at: at}, nil
}

// Add adds a part.
func (w *Writer) Add(name string, content []byte) error {
	if err := w.write(name, content); err != nil {
		return err
	}
	fmt.Fprintf(&w.sums, "%x  %s\n", sha256.Sum256(content), name)
	return nil
}

func (w *Writer) write(name string, content []byte) error {
	head := &tar.Header{Name: name, Size: int64(len(content)), Mode: 0o600, ModTime: w.at, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(head); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := w.tar.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// Close adds the hashes of all parts, and the end. Without it, an archive can't be read as a whole one.
func (w *Writer) Close() error {
	if err := w.write(sumsName, []byte(w.sums.String())); err != nil {
		return err
	}
	if err := errors.Join(w.tar.Close(), w.encrypted.Close()); err != nil {
		return fmt.Errorf("end an archive: %w", err)
	}
	return nil
}
