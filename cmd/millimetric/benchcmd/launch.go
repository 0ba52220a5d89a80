package benchcmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"millimetric/bench"
)

const (
	startMax = 20 * time.Second // for a server on an empty folder
	stopMax  = 20 * time.Second // for the end that a signal asks for; then it is killed
)

// launcher starts this program's other commands as child processes.
type launcher struct {
	program string
	dir     string // where data folders are made
}

// server makes a data folder with a project in it and serves it.
func (l launcher) server(ctx context.Context) (target bench.Target, err error) {
	folder, err := os.MkdirTemp(l.dir, "millimetric-bench-*")
	if err != nil {
		return bench.Target{}, fmt.Errorf("make a data folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	data := filepath.Join(folder, "data")
	out, err := exec.CommandContext(ctx, l.program, "init", "--data", data, "--project", "bench", "--json").Output()
	if err != nil {
		return bench.Target{}, fmt.Errorf("make a project: %w", failure(err))
	}
	var keys struct{ SK, RK string }
	if err := json.Unmarshal(out, &keys); err != nil || keys.SK == "" || keys.RK == "" {
		return bench.Target{}, errors.New("make a project: init printed no keys")
	}
	address, stop, err := l.start(ctx, "serve", "--data", data, "--listen", "127.0.0.1:0", "--min-free", "0")
	if err != nil {
		return bench.Target{}, err
	}
	return bench.Target{URL: address, Key: keys.SK, Read: keys.RK, Stop: func() error {
		return errors.Join(stop(), os.RemoveAll(folder))
	}}, nil
}

// empty serves the handler that does nothing.
func (l launcher) empty(ctx context.Context) (bench.Target, error) {
	address, stop, err := l.start(ctx, "bench", "empty")
	return bench.Target{URL: address, Key: "none", Stop: stop}, err
}

var addressPattern = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`)

// start runs a command that serves, and returns the address that it prints. stop ends it.
func (l launcher) start(ctx context.Context, args ...string) (address string, stop func() error, err error) {
	child := exec.CommandContext(ctx, l.program, args...)
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = stopMax
	messages, err := child.StderrPipe()
	if err != nil {
		return "", nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	if err := child.Start(); err != nil {
		return "", nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	found := make(chan string, 1)
	read := make(chan struct{})
	var last string // what the child said last, for when it fails; read once read is closed
	go func() {
		defer close(read)
		lines := bufio.NewScanner(messages)
		for lines.Scan() {
			last = lines.Text()
			if at := addressPattern.FindString(last); at != "" && len(found) == 0 {
				select {
				case found <- at:
				default:
				}
			}
		}
		_, _ = io.Copy(io.Discard, messages) // a line too long for the scanner must not block the child
	}()
	stop = func() error {
		// A child that has ended can't be signalled; Wait says how it ended.
		_ = child.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(stopMax, func() { _ = child.Process.Kill() })
		defer kill.Stop()
		<-read
		if err := child.Wait(); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w: %s", args[0], err, last)
		}
		return nil
	}
	wait := time.NewTimer(startMax)
	defer wait.Stop()
	select {
	case address = <-found:
		return address, stop, nil
	case <-read:
	case <-ctx.Done():
	case <-wait.C:
	}
	return "", nil, errors.Join(fmt.Errorf("start %s: it named no address", args[0]), stop())
}

// failure adds what a command said to the error that it ended with.
func failure(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return err
}
