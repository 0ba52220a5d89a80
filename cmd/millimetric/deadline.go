package main

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// deadline is when reading from a connection, or writing to it, ends. The HTTP library sets three for each request,
// mostly a little later than those of the request before, and hardly one of them is ever reached; but each costs a
// change of the runtime's timers. So a later one is only noted here, and the runtime is told of it once the earlier
// one has come.
type deadline struct {
	mu     sync.Mutex // guards what follows
	wanted time.Time  // zero: none
	known  time.Time  // to the runtime; zero: none
}

// set notes when the end is wanted, and tells the runtime where that is earlier than what it knows.
func (d *deadline) set(wanted time.Time, tell func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = wanted
	if !d.known.IsZero() && (wanted.IsZero() || !wanted.Before(d.known)) {
		return nil
	}
	d.known = wanted
	return tell(wanted)
}

// goesOn reports whether what ended with err goes on, because it ended at a deadline that isn't the wanted one any
// more. The runtime knows the wanted one then.
func (d *deadline) goesOn(err error, tell func(time.Time) error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known.Equal(d.wanted) {
		return false
	}
	d.known = d.wanted
	return tell(d.wanted) == nil
}

// deadlineConn is a connection whose deadlines are as cheap as that.
type deadlineConn struct {
	net.Conn
	reads, writes deadline
}

// SetReadDeadline says when reads end.
func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	return c.reads.set(t, c.Conn.SetReadDeadline)
}

// SetWriteDeadline says when writes end.
func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	return c.writes.set(t, c.Conn.SetWriteDeadline)
}

// SetDeadline says when both end.
func (c *deadlineConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Read reads until the wanted deadline.
func (c *deadlineConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || err == nil || !c.reads.goesOn(err, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

// Write writes until the wanted deadline.
func (c *deadlineConn) Write(p []byte) (written int, err error) {
	for {
		n, err := c.Conn.Write(p[written:])
		written += n
		if err == nil || !c.writes.goesOn(err, c.Conn.SetWriteDeadline) {
			return written, err
		}
	}
}
