package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"millimetric/engine"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// Some tests need a process of their own: this test binary, told by a variable what to do.
const (
	childVariable  = "MILLIMETRIC_TEST_CHILD"
	folderVariable = "MILLIMETRIC_TEST_FOLDER"
	failVariable   = "MILLIMETRIC_TEST_FAIL"
)

func childRole() string { return os.Getenv(childVariable) }

func child(role string) {
	switch role {
	case "hold the lock":
		e, err := engine.Open(os.Getenv(folderVariable), engine.Options{Now: clock, CipherKey: enginetest.CipherKey, FreeBytesMin: -1, FreePercentMin: -1})
		if err != nil {
			fmt.Println("open:", err)
			os.Exit(1)
		}
		fmt.Println("open")
		io.Copy(io.Discard, os.Stdin) // until the parent lets go
		e.Close()
	case "append until a sync fails":
		appendUntilSyncFails()
	case "append past one failing write":
		appendPastFailingWrite()
	}
}

func command(t *testing.T, role, folder string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childVariable+"="+role, folderVariable+"="+folder)
	return c
}

func TestASecondProcessIsRefusedTheFolder(t *testing.T) {
	folder := t.TempDir()
	c := command(t, "hold the lock", folder)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4)
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "open" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	opt := engine.Options{Now: clock, CipherKey: enginetest.CipherKey, FreeBytesMin: -1, FreePercentMin: -1}
	_, err = engine.Open(folder, opt)
	wantInUse(t, err)
	if !strings.Contains(fmt.Sprint(err), folder) {
		t.Errorf("%v doesn't name the folder", err)
	}
	in.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(folder, opt)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, e)
}

// appendUntilSyncFails prints a line for each event that is acknowledged. After twenty of them,
// syncs of the log fail.
func appendUntilSyncFails() {
	failing := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if isLogSync(op) {
			return errors.New("input/output error")
		}
		return nil
	})}
	e, err := engine.Open(os.Getenv(folderVariable), engine.Options{
		FS: errorfs.Wrap(vfs.Default, failing), Now: clock, CipherKey: enginetest.CipherKey, FreeBytesMin: -1, FreePercentMin: -1,
	})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	for i := range 100 {
		if i == 20 {
			failing.On()
		}
		if err := e.Append(context.Background(), 1, []event.Event{{Name: fmt.Sprint("event ", i)}}); err == nil {
			fmt.Println("acknowledged", i)
		}
	}
}

func isLogSync(op errorfs.Op) bool {
	sync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
	return sync && strings.HasSuffix(op.Path, ".log")
}

func TestAFailedSyncEndsTheProcessAndIsNeverAcknowledged(t *testing.T) {
	folder := t.TempDir()
	c := command(t, "append until a sync fails", folder)
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 70 || !strings.Contains(complaint.String(), "input/output error") {
		t.Fatalf("the process ended with %v and said %q", err, complaint.String())
	}
	if got := strings.Count(string(out), "acknowledged"); got != 20 {
		t.Errorf("%d events were acknowledged:\n%s", got, out)
	}
	e, err := engine.Open(folder, engine.Options{Now: clock, CipherKey: enginetest.CipherKey, FreeBytesMin: -1, FreePercentMin: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, e)
	if got := e.Snapshot(1).AsOf(); got < 20 {
		t.Errorf("%d of 20 acknowledged events are there", got)
	}
}

// appendPastFailingWrite lets one write to the disk fail, of whatever kind, and prints what was
// acknowledged all the same; at the end, how many writes there were.
func appendPastFailingWrite() {
	fail, err := strconv.Atoi(os.Getenv(failVariable))
	if err != nil {
		panic(err)
	}
	var writes atomic.Int64
	disk := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && writes.Add(1) == int64(fail) {
			return errors.New("input/output error")
		}
		return nil
	}))
	e, err := engine.Open(os.Getenv(folderVariable), engine.Options{
		FS: disk, Now: clock, CipherKey: enginetest.CipherKey, FreeBytesMin: -1, FreePercentMin: -1, MemTableBytes: 64 << 10,
	})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	gen := eventtest.New(uint64(fail), 50, 1000)
	for i := range 60 {
		events := gen.Events(50)
		for i := range events {
			events[i].ID = ""
		}
		if err := e.Append(context.Background(), 1, events); err == nil {
			fmt.Println("acknowledged", i)
		}
	}
	if err := e.Close(); err != nil {
		fmt.Println("close:", err)
	}
	fmt.Println("writes", writes.Load())
}

// Whichever write fails, the process may end, but what it acknowledged is there at the next start,
// and it doesn't hang.
func TestNoFailingWriteLosesWhatWasAcknowledged(t *testing.T) {
	points := 40
	if testing.Short() {
		points = 8
	}
	seed := rand.Uint64N(1 << 40)
	r := rand.New(rand.NewPCG(seed, 3))
	_, out := failingWrite(t, 0)
	var writes int
	if i := strings.Index(out, "writes "); i < 0 {
		t.Fatalf("the child says %q", out)
	} else if _, err := fmt.Sscanf(out[i:], "writes %d", &writes); err != nil || writes < 200 {
		t.Fatalf("%d writes, %v", writes, err)
	}
	ended := 0
	for range points {
		fail := 1 + r.IntN(writes)
		folder, out := failingWrite(t, fail)
		if !strings.Contains(out, "writes ") {
			ended++
		}
		acked := strings.Count(out, "acknowledged ")
		e, err := engine.Open(folder, engine.Options{Now: clock, CipherKey: enginetest.CipherKey, FreeBytesMin: -1, FreePercentMin: -1})
		if err != nil {
			t.Fatalf("seed=%d write %d: %v", seed, fail, err)
		}
		if got := int(e.Snapshot(1).AsOf()); got < 50*acked {
			t.Errorf("seed=%d write %d: %d requests were acknowledged, %d events are there", seed, fail, acked, got)
		}
		closed(t, e)
	}
	t.Logf("seed=%d writes=%d points=%d ended=%d", seed, writes, points, ended)
	if ended == 0 {
		t.Error("no failure ended the process: the test is blind")
	}
}

// failingWrite runs the child once and returns what it printed.
func failingWrite(t *testing.T, fail int) (folder, out string) {
	t.Helper()
	folder = t.TempDir()
	c := command(t, "append past one failing write", folder)
	c.Env = append(c.Env, failVariable+"="+strconv.Itoa(fail))
	timer := time.AfterFunc(20*time.Second, func() { c.Process.Kill() })
	bytes, err := c.Output()
	if !timer.Stop() {
		t.Fatalf("write %d failed, and the process hangs: %v", fail, err)
	}
	return folder, string(bytes)
}
