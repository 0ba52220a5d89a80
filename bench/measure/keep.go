package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"millimetric/bench/history"
	"millimetric/bench/launch"
	"millimetric/bench/peers"
)

// kept is what stands beside a history's folders once all of it is loaded.
type kept struct {
	Shape   history.Shape
	Keys    launch.Keys
	Layouts []peers.Layout
}

func serverFolder(events int) string { return fmt.Sprintf("server-%d", events) }

// note is the file of a history that was kept.
func (s settings) note(events int) string {
	return filepath.Join(s.dir, fmt.Sprintf("kept-%d.json", events))
}

// keepAll makes the histories that -keep lacks.
func keepAll(ctx context.Context, s settings) error {
	if s.keep == "" {
		return errors.New("prepare keeps what it makes: name a folder with -keep")
	}
	for _, events := range s.events {
		st, err := s.prepare(ctx, events, layouts)
		if err := errors.Join(err, st.close()); err != nil {
			return err
		}
	}
	return nil
}

// keep writes down that all is loaded. Before, a run that was cut off has left nothing that counts.
func (st *stage) keep(s settings) error {
	k := kept{Shape: st.shape, Keys: st.server.keys}
	for _, t := range st.tables {
		k.Layouts = append(k.Layouts, t.Layout)
	}
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return os.WriteFile(s.note(st.shape.Events), text, 0o600)
}

// reopen starts the server and the databases on what an earlier run kept. Where there is nothing complete, it makes
// room for a new load and returns false.
func (st *stage) reopen(ctx context.Context, s settings) (bool, error) {
	data := filepath.Join(s.dir, serverFolder(st.shape.Events))
	text, err := os.ReadFile(s.note(st.shape.Events))
	if errors.Is(err, fs.ErrNotExist) {
		return false, errors.Join(os.RemoveAll(data), os.RemoveAll(st.folder))
	}
	if err != nil {
		return false, err
	}
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return false, fmt.Errorf("read what is kept: %w", err)
	}
	if k.Shape != st.shape {
		return false, fmt.Errorf("%s keeps the history %+v, not %+v", s.keep, k.Shape, st.shape)
	}
	s.say("open %d events that were kept", st.shape.Events)
	st.server = &server{data: data, keys: k.Keys}
	if err := st.server.start(ctx, s); err != nil {
		return false, err
	}
	opened, err := st.openPeers(s)
	if err != nil {
		return false, err
	}
	for _, l := range k.Layouts {
		st.tables = append(st.tables, table{Layout: l, peer: opened[l.Kind]})
	}
	return true, nil
}
