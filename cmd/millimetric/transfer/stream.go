package transfer

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"sync"
	"time"

	"millimetric/index/event"
	"millimetric/query"
)

// source gives the events of a listing, batch by batch.
type source interface {
	Next(most int) (query.Batch, error)
}

const (
	// batchEvents is how many events are read at a time: each batch looks through the times of a day's
	// segment once more, and is held while the client reads. They take some ten megabytes.
	batchEvents = 16 << 10
	// pieceEvents is how many events are encoded at a time, where the form lets them be parted.
	pieceEvents = 256
	// stallMax is how long a client may take for a piece. Slower ones are cut off: whoever holds one of the
	// few places for exports must use it.
	stallMax = 30 * time.Second
)

// stream is the body of an answer: it reads, encodes and writes a little at a time, no faster than the
// client takes it.
type stream struct {
	from    source
	encoder encoder
	out     *bytes.Buffer // what the encoder wrote
	whole   bool          // batches must be encoded as a whole
	limit   int           // of events; 0 for none
	batch   int           // events read at a time; 0 is batchEvents
	events  []*event.Event
	more    bool
	rows    int

	patience func(time.Duration) // gives the client so long for what comes next
	finish   func() error        // writes what comes after the events; may be nil
	ended    func(rows int, more bool)
	failed   func(error)
	closed   sync.Once
	release  func()
}

// begin reads the first batch: what is wrong with a request shows before its answer begins.
func (s *stream) begin() error {
	s.more = true
	return s.read()
}

// read reads the next batch.
func (s *stream) read() error {
	most := cmp.Or(s.batch, batchEvents)
	if s.limit > 0 {
		most = min(most, s.limit-s.rows)
	}
	batch, err := s.from.Next(most)
	if err != nil {
		return err
	}
	s.events, s.more = batch.Events, batch.More
	s.rows += len(batch.Events)
	return nil
}

// SupportsBodyWriteTo says that WriteTo writes what Read reads, in larger pieces.
func (s *stream) SupportsBodyWriteTo() bool { return true }

// WriteTo writes the whole stream. After an error the answer lacks its end, so that the client knows.
func (s *stream) WriteTo(w io.Writer) (written int64, err error) {
	for {
		done, err := s.fill()
		if err != nil {
			s.failed(err)
			return written, err
		}
		if s.out.Len() > 0 {
			s.patience(stallMax)
			n, err := w.Write(s.out.Bytes())
			written += int64(n)
			s.out.Reset()
			if err != nil {
				return written, err // the client is gone, which is no fault of ours
			}
		}
		if done {
			return written, nil
		}
	}
}

// fill encodes the next events.
func (s *stream) fill() (done bool, err error) {
	full := s.limit > 0 && s.rows >= s.limit
	if len(s.events) == 0 && s.more && !full {
		if err := s.read(); err != nil {
			return false, err
		}
	}
	if len(s.events) > 0 {
		n := min(len(s.events), pieceEvents)
		if s.whole {
			n = len(s.events)
		}
		err := s.encoder.write(s.events[:n])
		clear(s.events[:n])
		s.events = s.events[n:]
		return false, err
	}
	if s.more && !full {
		return false, nil
	}
	if s.finish != nil {
		err = s.finish()
	}
	if err == nil {
		err = s.encoder.end()
	}
	if s.ended != nil {
		s.ended(s.rows, s.more)
	}
	return true, err
}

// Read is not how the server reads a stream: it asks for WriteTo.
func (s *stream) Read([]byte) (int, error) {
	return 0, errors.New("a stream is written, not read")
}

// Close gives back the place of the export.
func (s *stream) Close() error {
	s.closed.Do(s.release)
	return nil
}
