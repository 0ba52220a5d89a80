package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"millimetric/bench/history"
	"millimetric/bench/peers"
)

// stage is one history in the server and in the databases.
type stage struct {
	shape  history.Shape
	server *server
	peers  []*peers.Peer
	folder string // of the databases
	loaded loaded
	sealed time.Duration // from the last acknowledged event until all was sealed
	settle time.Duration // the same until all was merged, too
	tables []table
}

// table is a layout, as it was loaded.
type table struct {
	peers.Layout
	peer         *peers.Peer
	load, finish time.Duration
	bytes, ids   float64
}

func (s settings) shape(events int) history.Shape {
	return history.Shape{Seed: s.seed, Events: events, Days: s.days}
}

// prepare loads a history into everything, or opens what an earlier run kept of it. The caller closes the stage, also
// after an error. What is kept is loaded in all layouts, whoever loads it: a later run may ask them all.
func (s settings) prepare(ctx context.Context, events int, wanted []peers.Layout) (*stage, error) {
	st := &stage{shape: s.shape(events), folder: filepath.Join(s.dir, fmt.Sprintf("peers-%d", events))}
	if s.keep != "" {
		if again, err := st.reopen(ctx, s); again || err != nil {
			return st, err
		}
		wanted = layouts
	}
	if err := st.loadServer(ctx, s); err != nil || len(wanted) == 0 {
		return st, err
	}
	if err := st.loadPeers(s, wanted); err != nil || s.keep == "" {
		return st, err
	}
	return st, st.keep(s)
}

// bodies returns the requests of a load, and what ends them.
func (st *stage) bodies(s settings) (source bodies, end func() error, err error) {
	s.say("make %d events", st.shape.Events)
	h, err := history.New(st.shape)
	if err != nil {
		return nil, nil, err
	}
	if !s.timeLoad {
		return madeBodies{history.Batches(h)}, func() error { return nil }, nil
	}
	filed, err := fileBodies(h, s.dir)
	if err != nil {
		return nil, nil, err
	}
	return filed, filed.close, nil
}

func (st *stage) loadServer(ctx context.Context, s settings, more ...string) (err error) {
	source, end, err := st.bodies(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	s.say("load them into the server")
	if st.server, err = newServer(ctx, s, serverFolder(st.shape.Events), more...); err != nil {
		return err
	}
	if st.loaded, err = st.server.load(ctx, source); err != nil {
		return err
	}
	s.say("taken in %v, %d refusals; seal and merge", st.loaded.took.Round(time.Millisecond), st.loaded.refused)
	if st.sealed, st.settle, err = st.server.settle(); err != nil {
		return err
	}
	kept, err := st.server.count()
	if err == nil && kept != st.shape.Events {
		err = fmt.Errorf("%d events were sent and %d are counted", st.shape.Events, kept)
	}
	return err
}

func (st *stage) loadPeers(s settings, layouts []peers.Layout) error {
	kinds, err := st.openPeers(s)
	if err != nil {
		return err
	}
	h, err := history.New(st.shape)
	if err != nil {
		return err
	}
	s.say("write the events as Parquet")
	parquet, err := peers.Export(h, kinds[peers.DuckDB], st.folder)
	if err != nil {
		return err
	}
	defer os.Remove(parquet)
	for _, l := range layouts {
		s.say("load %s, table %s", l.Kind, l.Table)
		t, err := loadTable(kinds[l.Kind], l, parquet)
		if err != nil {
			return err
		}
		st.tables = append(st.tables, t)
	}
	return nil
}

// openPeers starts both databases.
func (st *stage) openPeers(s settings) (map[peers.Kind]*peers.Peer, error) {
	kinds := map[peers.Kind]*peers.Peer{}
	for _, kind := range []peers.Kind{peers.DuckDB, peers.ClickHouse} {
		p, err := peers.Open(kind, s.script, filepath.Join(st.folder, string(kind)))
		if err != nil {
			return nil, err
		}
		kinds[kind], st.peers = p, append(st.peers, p)
	}
	return kinds, nil
}

func loadTable(p *peers.Peer, l peers.Layout, parquet string) (table, error) {
	prepare, load, finish := l.Create(parquet)
	t := table{Layout: l, peer: p}
	if _, err := p.Run(prepare...); err != nil {
		return t, err
	}
	times, err := p.Run(load...)
	if err != nil {
		return t, err
	}
	t.load = sum(times)
	if times, err = p.Run(finish...); err != nil {
		return t, err
	}
	t.finish = sum(times)
	t.bytes, t.ids, err = l.Bytes(p)
	return t, err
}

func sum(times []time.Duration) (all time.Duration) {
	for _, t := range times {
		all += t
	}
	return all
}

func (st *stage) close() error {
	var errs []error
	for _, p := range st.peers {
		errs = append(errs, p.Close())
	}
	if st.server != nil && st.server.child != nil {
		errs = append(errs, st.server.stop())
	}
	return errors.Join(errs...)
}
