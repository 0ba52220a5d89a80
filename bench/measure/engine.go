package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"millimetric/bench"
	"millimetric/bench/launch"
	"millimetric/bench/peers"
)

// engineFigures are what measureEngine found.
type engineFigures struct {
	single  bench.Result
	batches []ingestRound

	attended attended

	loaded    loaded
	sealed    time.Duration
	settle    time.Duration
	footprint footprint
	noIDs     footprint // of the same history without event ids
	tables    []table

	starts
	empty, idle, asked launch.Memory
	encryption         encryption
}

// spaceLayouts are those whose space stands beside the server's.
var spaceLayouts = []peers.Layout{peers.ByDay, peers.ByVisitor, peers.ByZstd, peers.ByArrival}

// measureEngine takes the figures of ingest, space, start and memory, one after the other.
func measureEngine(ctx context.Context, s settings) error {
	var f engineFigures
	s.timeLoad = true
	text := func(m bench.Machine) string { return f.report(s, m) }
	return s.report("engine", "Ingest, space, start and memory", text, func() error {
		for _, step := range []func(context.Context, settings) error{f.measureSingle, f.measureBatches, f.measureAttended, f.measureEmpty, f.measureIDs, f.measureFull, f.measureEncryption} {
			if err := step(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// measureSingle sends events one by one, in turn with a handler that reads bodies and does nothing.
func (f *engineFigures) measureSingle(ctx context.Context, s settings) error {
	s.say("send single events")
	n := 0
	results, err := bench.Load(ctx, bench.Config{
		Points: []bench.Point{{Batch: 0, Connections: 64}}, Duration: max(s.duration/6, time.Second), Rounds: 3,
		Server: func(ctx context.Context) (bench.Target, error) {
			n++
			v, err := newServer(ctx, s, fmt.Sprintf("single-%d", n))
			if err != nil {
				return bench.Target{}, err
			}
			return bench.Target{URL: v.child.URL, Key: v.keys.SK, Read: v.keys.RK, Stop: func() error {
				return errors.Join(v.stop(), os.RemoveAll(v.data))
			}}, nil
		},
		Empty: s.empty,
	})
	if err == nil {
		f.single = results[0]
	}
	return err
}

// empty serves the empty handler from a process of its own, as the server is in one.
func (s settings) empty(ctx context.Context) (bench.Target, error) {
	child, err := s.program.Start(ctx, "bench", "empty")
	if err != nil {
		return bench.Target{}, err
	}
	return bench.Target{URL: child.URL, Key: "none", Stop: child.Stop}, nil
}

func (f *engineFigures) measureBatches(ctx context.Context, s settings) error {
	for _, point := range []struct{ batch, connections int }{{100, 8}, {1000, 4}} {
		r, err := s.ingest(ctx, point.batch, point.connections)
		if err != nil {
			return err
		}
		f.batches = append(f.batches, r)
		if err := os.RemoveAll(filepath.Join(s.dir, fmt.Sprintf("ingest-%d", point.batch))); err != nil {
			return fmt.Errorf("remove a round's data: %w", err)
		}
	}
	return nil
}

func (f *engineFigures) measureEmpty(ctx context.Context, s settings) (err error) {
	v, err := newServer(ctx, s, "empty")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	time.Sleep(s.calm)
	f.empty, err = v.child.Memory()
	return err
}

// measureIDs loads the history without event ids: what ids take is the difference, wherever it lies.
func (f *engineFigures) measureIDs(ctx context.Context, s settings) (err error) {
	st := &stage{shape: s.shape(s.events[len(s.events)-1])}
	st.shape.NoIDs = true
	err = st.loadServer(ctx, s)
	if err == nil {
		f.noIDs, err = st.server.footprint()
	}
	return errors.Join(err, st.close(), os.RemoveAll(st.server.data))
}

// measureFull loads the history, looks at the space, and starts the server on it in several ways.
func (f *engineFigures) measureFull(ctx context.Context, s settings) (err error) {
	layouts := spaceLayouts
	if !s.peers {
		layouts = nil
	}
	st, err := s.prepare(ctx, s.events[len(s.events)-1], layouts)
	defer func() { err = errors.Join(err, st.close()) }()
	if err != nil {
		return err
	}
	f.loaded, f.sealed, f.settle, f.tables = st.loaded, st.sealed, st.settle, st.tables
	if f.footprint, err = st.server.footprint(); err != nil {
		return err
	}
	if err := f.measureMemory(ctx, s, st); err != nil {
		return err
	}
	for _, way := range []struct {
		into       *timing
		kill, cold bool
	}{{&f.clean, false, false}, {&f.killed, true, false}, {&f.coldClean, false, true}, {&f.coldKilled, true, true}} {
		if way.cold && s.cold == 0 {
			continue
		}
		if *way.into, err = f.measureStart(ctx, s, st, way.kill, way.cold); err != nil {
			return err
		}
	}
	return nil
}

func (f *engineFigures) measureMemory(ctx context.Context, s settings, st *stage) (err error) {
	s.say("look at memory")
	if err := st.renewServer(ctx, s); err != nil {
		return err
	}
	time.Sleep(s.calm)
	if f.idle, err = st.server.child.Memory(); err != nil {
		return err
	}
	all := fmt.Sprintf("?from=%s&to=%s", st.base().Std().Format(time.DateOnly), st.shape.To().Std().Format(time.DateOnly))
	for _, path := range []string{"/v1/stats" + all, "/v1/stats" + all + "&metric=uniques&interval=day", "/v1/sources" + all, "/v1/stats" + all + "&metric=uniques&group_by=path"} {
		for range 3 {
			if _, _, err := st.server.call(st.server.keys.RK, path, nil); err != nil {
				return err
			}
		}
	}
	f.asked, err = st.server.child.Memory()
	return err
}

// measureStart takes the time from the start of the process to its first answer.
func (f *engineFigures) measureStart(ctx context.Context, s settings, st *stage, kill, cold bool) (timing, error) {
	s.say("start, killed before: %v, cold: %v", kill, cold)
	var times []time.Duration
	for range max(s.cold, 1) {
		if kill {
			// So that there is something to be read again, which a killed server always has.
			if err := st.server.sendSome(s); err != nil {
				return timing{}, err
			}
			st.server.client.CloseIdleConnections()
			if err := st.server.child.Kill(); err != nil {
				return timing{}, err
			}
		} else if err := st.server.stop(); err != nil {
			return timing{}, err
		}
		if cold {
			var err error
			if f.how, err = dropCaches(s.dir); err != nil {
				return timing{}, err
			}
		}
		begin := time.Now()
		if err := st.server.start(ctx, s); err != nil {
			return timing{}, err
		}
		path := fmt.Sprintf("/v1/stats?from=%s&to=%s", (st.shape.To() - 30*dayMS).Std().Format(time.DateOnly), st.shape.To().Std().Format(time.DateOnly))
		if _, _, err := st.server.call(st.server.keys.RK, path, nil); err != nil {
			return timing{}, err
		}
		times = append(times, time.Since(begin))
	}
	return timingOf(times), nil
}
