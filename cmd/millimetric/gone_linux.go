package main

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// isGone reports whether the other side of a connection has hung up. It reads nothing: what waits to be read
// may be the next request. With TLS, the last that came is a farewell rather than nothing, so the
// connection itself is looked at and not what it carries.
func isGone(c net.Conn) bool {
	c = below(c)
	if counted, ok := c.(*countedConn); ok {
		c = counted.Conn
	}
	raw, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	plain, err := raw.SyscallConn()
	if err != nil {
		return true // it was closed on this side
	}
	gone := false
	err = plain.Control(func(fd uintptr) {
		ask := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(ask, 0)
		gone = err == nil && n > 0 && ask[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}
