package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The process really has no file descriptor left while clients come: they wait, who is there is served, and all
// goes on once there are some.
func TestTheServerOutlivesALackOfFileDescriptors(t *testing.T) {
	d := startDaemon(t, "--data", filepath.Join(t.TempDir(), "data"))
	addr := strings.TrimPrefix(d.url, "http://")
	there, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	ask := func(c net.Conn) error {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return err
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err == nil && res.StatusCode != 200 {
			err = fmt.Errorf("status %d", res.StatusCode)
		}
		return err
	}
	if err := ask(there); err != nil {
		t.Fatal(err)
	}
	var usual unix.Rlimit
	if err := unix.Prlimit(d.Process.Pid, unix.RLIMIT_NOFILE, nil, &usual); err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	// Whichever numbers the open ones have, fewer than twenty are left below this limit or none at all.
	if err := unix.Prlimit(d.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(len(open)), Max: usual.Max}, nil); err != nil {
		t.Fatal(err)
	}
	var waiting []net.Conn
	for range 20 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		waiting = append(waiting, c)
	}
	for range 500 {
		if strings.Contains(d.errs.String(), "no file descriptor is free") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !strings.Contains(d.errs.String(), "no file descriptor is free") {
		t.Errorf("the log doesn't say what is missing: %s", d.errs.String())
	}
	if err := ask(there); err != nil {
		t.Errorf("a connection that was there before: %v", err)
	}
	if err := unix.Prlimit(d.Process.Pid, unix.RLIMIT_NOFILE, &usual, nil); err != nil {
		t.Fatal(err)
	}
	for i, c := range waiting {
		if err := ask(c); err != nil {
			t.Errorf("connection %d after the lack: %v", i, err)
		}
	}
}
