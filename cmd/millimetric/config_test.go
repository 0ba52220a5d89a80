package main

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestSizesAreRead(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "17B": 17, "500MB": 500e6, "2GiB": 2 << 30, "1 KiB": 1024} {
		if got, err := parseBytes(text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "lots", "-1", "1.5GB", "5PB", "GB", "9999999999GiB"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// exhausted is a listener whose process has no file descriptor left for a while.
type exhausted struct {
	net.Listener
	left int
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.left--; l.left >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return nil, net.ErrClosed
}

func TestTheListenerOutlivesALackOfFileDescriptors(t *testing.T) {
	inner := &exhausted{left: 3}
	l := &patientListener{Listener: inner, max: 1, log: quietLog(io.Discard), open: new(atomic.Int64)}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) || inner.left != -1 {
		t.Errorf("%v with %d left", err, inner.left)
	}
}
