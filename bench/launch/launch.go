// Package launch starts the real program as a child process, the way an operator would, and looks at
// it from outside: the address that it prints, the memory that the system counts for it, how it ends.
//
// It starts one goroutine per child, which reads the child's messages and ends with it. It writes
// nothing to disk itself; what the child keeps lies where its arguments say.
package launch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"syscall"
	"time"
)

const (
	// startMax is for a server on a folder of 50 million events whose log must be read again.
	startMax = 2 * time.Minute
	// stopMax is for the end that a signal asks for; then the child is killed.
	stopMax = time.Minute
)

// Program is the one that is started.
type Program struct{ Path string }

// Keys are those of a new project.
type Keys struct{ AK, SK, RK string }

// Init makes a data folder with a project of that name in it.
func (p Program) Init(ctx context.Context, data, project string) (keys Keys, err error) {
	out, err := p.Output(ctx, "init", "--data", data, "--project", project, "--json")
	if err != nil {
		return Keys{}, fmt.Errorf("make a project: %w", err)
	}
	if err := json.Unmarshal(out, &keys); err != nil || keys.SK == "" || keys.RK == "" {
		return Keys{}, errors.New("make a project: init printed no keys")
	}
	return keys, nil
}

// Output runs a command to its end, and returns what it printed. An error says what it complained of.
func (p Program) Output(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, p.Path, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return out, err
}

// Serve serves a data folder on a free port of this machine.
func (p Program) Serve(ctx context.Context, data string, more ...string) (*Child, error) {
	return p.Start(ctx, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--min-free", "0"}, more...)...)
}

// Child is a running process that serves.
type Child struct {
	URL string

	name    string
	ctx     context.Context
	process *exec.Cmd
	read    chan struct{} // closed when the child says no more
	last    string        // what it said last; to be read once read is closed
}

var addressPattern = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`)

// Start runs a command that serves, and waits for the address that it prints. The child is stopped
// when the context ends.
func (p Program) Start(ctx context.Context, args ...string) (*Child, error) {
	c := &Child{name: args[0], ctx: ctx, process: exec.CommandContext(ctx, p.Path, args...), read: make(chan struct{})}
	c.process.Cancel = func() error { return c.process.Process.Signal(syscall.SIGTERM) }
	c.process.WaitDelay = stopMax
	messages, err := c.process.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	if err := c.process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	found := make(chan string, 1)
	go c.listen(messages, found)
	wait := time.NewTimer(startMax)
	defer wait.Stop()
	select {
	case c.URL = <-found:
		return c, nil
	case <-c.read:
		select {
		case c.URL = <-found: // it named one and ended; whoever asks it something will see
			return c, nil
		default:
		}
	case <-ctx.Done():
	case <-wait.C:
	}
	return nil, errors.Join(fmt.Errorf("start %s: it named no address", c.name), c.Stop())
}

// listen reads what the child says until its end.
func (c *Child) listen(messages io.Reader, found chan<- string) {
	defer close(c.read)
	named := false
	lines := bufio.NewScanner(messages)
	for lines.Scan() {
		c.last = lines.Text()
		if at := addressPattern.FindString(c.last); at != "" && !named {
			named = true
			found <- at
		}
	}
	_, _ = io.Copy(io.Discard, messages) // a line too long for the scanner must not block the child
}

// Stop asks the child to end and waits for it. An end that isn't a clean one is an error, with what the
// child said last.
func (c *Child) Stop() error {
	// A child that has ended can't be signalled; Wait says how it ended.
	_ = c.process.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopMax, func() { _ = c.process.Process.Kill() })
	defer kill.Stop()
	<-c.read
	if err := c.process.Wait(); err != nil && c.ctx.Err() == nil {
		return fmt.Errorf("%s: %w: %s", c.name, err, c.last)
	}
	return nil
}

// Kill ends the child without a warning, as a crash would.
func (c *Child) Kill() error {
	if err := c.process.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", c.name, err)
	}
	<-c.read
	var exit *exec.ExitError
	if err := c.process.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("kill %s: %w", c.name, err)
	}
	return nil
}
