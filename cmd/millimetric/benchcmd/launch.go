package benchcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"millimetric/bench"
	"millimetric/bench/launch"
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
	data, program := filepath.Join(folder, "data"), launch.Program{Path: l.program}
	keys, err := program.Init(ctx, data, "bench")
	if err != nil {
		return bench.Target{}, err
	}
	child, err := program.Serve(ctx, data)
	if err != nil {
		return bench.Target{}, err
	}
	return bench.Target{URL: child.URL, Key: keys.SK, Read: keys.RK, Stop: func() error {
		return errors.Join(child.Stop(), os.RemoveAll(folder))
	}}, nil
}

// empty serves the handler that does nothing.
func (l launcher) empty(ctx context.Context) (bench.Target, error) {
	child, err := launch.Program{Path: l.program}.Start(ctx, "bench", "empty")
	if err != nil {
		return bench.Target{}, err
	}
	return bench.Target{URL: child.URL, Key: "none", Stop: child.Stop}, nil
}
