package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// connsSpare are connections that the HTTP library would still take when ours are used up: it
	// must never come to its own refusal, which tells the client nothing.
	connsSpare = 64
	// filesSpare are the file descriptors kept for the store, its log and everything else.
	filesSpare = 512
	connsMost  = 1 << 15
	// connBytes is what a connection needs while a request is read: its goroutine, its buffer, a small body.
	connBytes = 32 << 10
	// connShare is the part of the memory that connections may have.
	connShare = 8

	acceptPause = 50 * time.Millisecond // while descriptors are used up
	lingerTime  = 2 * time.Second
	lingerBytes = 64 << 20
)

// connectionsMax is how many connections may be open, given what the system allows the process and how much
// memory it may need.
func connectionsMax(memory int64) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	files := int64(min(limit.Cur, 1<<20))
	return int(min(max(files-filesSpare-connsSpare, files/4, 16), connsMost, memory/connShare/connBytes))
}

// patientListener goes on where the HTTP library would give up or say nothing: it waits while file
// descriptors are used up, and refuses connections beyond its bound with an answer.
type patientListener struct {
	net.Listener
	max    int64
	secure bool // TLS follows: a refusal in the clear would not be understood
	log    *slog.Logger

	open   *atomic.Int64
	warned atomic.Bool
}

// refusal is the answer to a connection beyond the bound. Each says another time to come again.
func refusal() string {
	return fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 22\r\n"+
		"Retry-After: %d\r\nConnection: close\r\n\r\n{\"error\":\"overloaded\"}", 1+rand.IntN(3))
}

// Accept returns the next connection that is within the bound.
func (l *patientListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
			l.warn("connections wait: no file descriptor is free")
			time.Sleep(acceptPause)
			continue
		}
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) > l.max {
			l.open.Add(-1)
			l.warn("connections are refused: too many are open")
			if !l.secure {
				// A fresh connection's buffer is empty, so this doesn't block.
				_, _ = io.WriteString(c, refusal())
			}
			_ = c.Close()
			continue
		}
		return &countedConn{deadlineConn: deadlineConn{Conn: c}, open: l.open}, nil
	}
}

// warn says something once: an attack must not fill the log.
func (l *patientListener) warn(what string) {
	if !l.warned.Swap(true) {
		l.log.Warn(what + "; said once")
	}
}

// countedConn is a connection that is counted, and that may linger: closing a connection while the
// other side still sends would reset it, and the answer that says why would be lost with it.
type countedConn struct {
	deadlineConn
	open   *atomic.Int64
	linger atomic.Bool
	once   sync.Once
}

// Close closes the connection.
func (c *countedConn) Close() error {
	defer c.once.Do(func() { c.open.Add(-1) })
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger.Swap(false) && half.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, &c.deadlineConn, lingerBytes)
	}
	return c.Conn.Close()
}

// lingerOn has a connection read on for a moment when it is closed.
func lingerOn(c net.Conn) {
	if counted, ok := below(c).(*countedConn); ok {
		counted.linger.Store(true)
	}
}
