package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"millimetric/bench"
)

// trustFigures are what measureTrust found.
type trustFigures struct {
	loaded    loaded
	footprint footprint
	disk      int64 // bytes of the data folder
	target    int64 // of the backup, after its base was made
	base      time.Duration

	starts   // until it says that it is ready
	persons  []person
	restores []restored // of the newest position
	loss     loss
}

// measureTrust takes the figures of what is promised of persons' data and of the loss of a machine: over one
// history, in a server whose backup goes to a folder.
func measureTrust(ctx context.Context, s settings) error {
	var f trustFigures
	text := func(m bench.Machine) string { return f.report(s, m) }
	return s.report("trust", "Persons out, restores and starts", text, func() error { return f.measure(ctx, s) })
}

func (f *trustFigures) measure(ctx context.Context, s settings) (err error) {
	st := &stage{shape: s.shape(s.events[len(s.events)-1])}
	defer func() { err = errors.Join(err, st.close()) }()
	if err := st.loadServer(ctx, s, "--backup-to", s.target()); err != nil {
		return err
	}
	f.loaded = st.loaded
	for _, step := range []func(context.Context, settings, *stage) error{
		f.sendPersons, f.makeBase, f.measureReady, f.measurePersons, f.measureRestore, f.measureLoss,
	} {
		if err := step(ctx, s, st); err != nil {
			return err
		}
	}
	return nil
}

// target is the folder that backups go to.
func (s settings) target() string { return filepath.Join(s.dir, "target") }

// makeBase has the backup hold all there is in segments, as it does once a day.
func (f *trustFigures) makeBase(_ context.Context, s settings, st *stage) (err error) {
	s.say("make a base of the backup")
	if _, f.base, err = st.server.call(st.server.keys.AK, "/v1/admin/backups", []byte("{}")); err != nil {
		return err
	}
	if f.footprint, err = st.server.footprint(); err != nil {
		return err
	}
	if f.disk, err = folderBytes(st.server.data); err == nil {
		f.target, err = folderBytes(s.target())
	}
	return err
}

// folderBytes is the length of all files of a folder. Files may go meanwhile.
func folderBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var facts fs.FileInfo
			if facts, err = entry.Info(); err == nil {
				total += facts.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look at the size of a folder: %w", err)
	}
	return total, nil
}

// measureReady takes the time from the start of the process until it says that it takes events.
func (f *trustFigures) measureReady(ctx context.Context, s settings, st *stage) (err error) {
	for _, way := range []struct {
		into       *timing
		kill, cold bool
	}{{&f.clean, false, false}, {&f.killed, true, false}, {&f.coldClean, false, true}, {&f.coldKilled, true, true}} {
		if way.cold && s.cold == 0 {
			continue
		}
		s.say("start until ready, killed before: %v, cold: %v", way.kill, way.cold)
		var times []time.Duration
		for range max(s.cold, 1) {
			took, err := f.startReady(ctx, s, st.server, way.kill, way.cold)
			if err != nil {
				return err
			}
			times = append(times, took)
		}
		*way.into = timingOf(times)
	}
	return nil
}

func (f *trustFigures) startReady(ctx context.Context, s settings, v *server, kill, cold bool) (took time.Duration, err error) {
	if kill {
		err = errors.Join(v.sendSome(s), v.kill())
	} else {
		err = v.stop()
	}
	if err == nil && cold {
		f.how, err = dropCaches(s.dir)
	}
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := v.start(ctx, s); err != nil {
		return 0, err
	}
	_, _, err = v.call("", "/readyz", nil)
	return time.Since(begin), err
}

func (v *server) kill() error {
	v.client.CloseIdleConnections()
	return v.child.Kill()
}

// removed removes a folder that isn't needed any more.
func removed(dir string, err error) error { return errors.Join(err, os.RemoveAll(dir)) }
