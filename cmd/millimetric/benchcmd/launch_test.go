package benchcmd

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"millimetric/bench"
)

// childVariable makes the test binary play the program that the launcher starts, in one of several
// ways.
const childVariable = "MILLIMETRIC_BENCH_TEST_CHILD"

func TestMain(m *testing.M) {
	mode := os.Getenv(childVariable)
	if mode == "" {
		os.Exit(m.Run())
	}
	os.Exit(child(mode, os.Args[1]))
}

func child(mode, command string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch {
	case command == "init" && mode == "no keys":
		fmt.Fprintln(os.Stderr, "the folder is in use")
		return 1
	case command == "init":
		fmt.Println(`{"project_id":"prj_1","slug":"bench","ak":"ak_1","pk":"pk_1","sk":"sk_1","rk":"rk_1"}`)
		if err := os.MkdirAll(os.Args[3], 0o700); err != nil {
			return 1
		}
	case mode == "no address":
		fmt.Fprintln(os.Stderr, "the address is taken")
		return 1
	default:
		fmt.Fprintln(os.Stderr, "level=INFO msg=listening url=http://127.0.0.1:1234 data=x")
		<-ctx.Done()
		if mode == "bad end" {
			fmt.Fprintln(os.Stderr, "sync failed")
			return 1
		}
	}
	return 0
}

func TestAServerIsStartedOnAFolderOfItsOwnAndLeavesNothing(t *testing.T) {
	t.Setenv(childVariable, "good")
	l := launcher{program: os.Args[0], dir: t.TempDir()}
	target, err := l.server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if target.URL != "http://127.0.0.1:1234" || target.Key != "sk_1" || target.Read != "rk_1" {
		t.Errorf("%+v", target)
	}
	folders, _ := filepath.Glob(filepath.Join(l.dir, "*", "data"))
	if len(folders) != 1 {
		t.Errorf("data folders: %v", folders)
	}
	if err := target.Stop(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(l.dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWhatAChildSaysLastIsInTheError(t *testing.T) {
	for mode, want := range map[string]string{"no keys": "in use", "no address": "address is taken"} {
		t.Setenv(childVariable, mode)
		l := launcher{program: os.Args[0], dir: t.TempDir()}
		if _, err := l.server(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", mode, err)
		}
		if left, _ := os.ReadDir(l.dir); len(left) != 0 {
			t.Errorf("%s: left behind: %v", mode, left)
		}
	}
	t.Setenv(childVariable, "bad end")
	l := launcher{program: os.Args[0], dir: t.TempDir()}
	target, err := l.server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Stop(); err == nil || !strings.Contains(err.Error(), "sync failed") {
		t.Errorf("got %v", err)
	}
}

// pipeLine hands on what is written, line or not.
type pipeLine chan string

func (p pipeLine) Write(text []byte) (int, error) {
	p <- string(text)
	return len(text), nil
}

func TestTheEmptyHandlerAnswersAndStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	cmd := emptyCommand()
	said := make(pipeLine, 1)
	cmd.SetErr(said)
	cmd.SetArgs(nil)
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	address := regexp.MustCompile(`http://[0-9.:]+`).FindString(<-said)
	client := &http.Client{Timeout: 10 * time.Second}
	resp, err := client.Post(address+"/v1/batch", "application/json", strings.NewReader(`{"events":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("status %d", resp.StatusCode)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestALoadNeedsAFolderThatIsThere(t *testing.T) {
	if _, err := bench.MachineOf(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing folder was measured")
	}
}
