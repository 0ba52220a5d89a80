package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"millimetric/bench"
	"millimetric/bench/launch"
	"millimetric/bench/peers"
)

// timing is how long some runs took.
type timing struct {
	median, least, most time.Duration
	processor           time.Duration // of one run, on average over all; 0 where it wasn't looked at
}

func timingOf(times []time.Duration) timing {
	if len(times) == 0 {
		return timing{}
	}
	sorted := slices.Sorted(slices.Values(times))
	n := len(sorted)
	return timing{median: (sorted[(n-1)/2] + sorted[n/2]) / 2, least: sorted[0], most: sorted[n-1]}
}

// line is what a question took.
type line struct {
	target
	server     timing
	first      time.Duration // what the server took when it was first asked
	chilled    timing        // cold
	tables     []timing      // in the order of the stage's tables
	coldTables []timing
}

// size is one history, with all questions asked about it.
type size struct {
	events      int
	lines       []line
	memory      launch.Memory // of the server over the set
	tables      []table
	tableMemory []launch.Memory
	how         string // the caches were dropped; "" where none was asked cold
}

// layouts are those that the questions are put to.
var layouts = []peers.Layout{peers.ByDay, peers.ByVisitor, peers.ByArrival}

// measurePeers times the questions on each size of history, after the answers were found to agree.
func measurePeers(ctx context.Context, s settings) error {
	var sizes []size
	text := func(m bench.Machine) string { return peersReport(s, m, sizes) }
	return s.report("peers", "Questions, beside ClickHouse and DuckDB", text, func() error {
		for i, events := range s.events {
			z, err := s.measureSize(ctx, events, i > 0 || len(s.events) == 1) // the smallest of several isn't asked cold
			if err != nil {
				return err
			}
			sizes = append(sizes, z)
		}
		return nil
	})
}

func (s settings) measureSize(ctx context.Context, events int, chilled bool) (z size, err error) {
	st, err := s.prepare(ctx, events, layouts)
	defer func() { err = errors.Join(err, st.close()) }()
	if err != nil {
		return z, err
	}
	user, err := st.busiest()
	if err != nil {
		return z, err
	}
	z.events, z.tables = events, st.tables
	for _, t := range targets(st.shape, user) {
		z.lines = append(z.lines, line{target: t})
	}
	if err := z.agree(ctx, s, st); err != nil {
		return z, err
	}
	told, _ := memoryOf(events)
	st.server.more = append(slices.Clone(st.server.more), "--memory", strconv.Itoa(told>>20)+"MiB")
	if err := st.renew(ctx, s); err != nil {
		return z, err
	}
	if err := z.warm(ctx, s, st); err != nil || !chilled || s.cold == 0 {
		return z, err
	}
	return z, z.chill(ctx, s, st)
}

// memoryOf returns the memory, in bytes, that a server is told it may need for questions about so many events, and
// the most that it is meant to take.
func memoryOf(events int) (told, target int) {
	if events <= 10_000_000 {
		return 512 << 20, 512 << 20
	}
	return 3 << 29, 1 << 30 // of fifty million, funnels by first touch are refused with less
}

// agree refuses to time answers that differ.
func (z *size) agree(ctx context.Context, s settings, st *stage) error {
	s.say("compare the answers")
	for i := range z.lines {
		l := &z.lines[i]
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if l.alone {
			continue
		}
		rows, differences, err := compare(st, &l.question)
		if err != nil {
			return err
		}
		if len(differences) > 0 {
			return fmt.Errorf("answers differ, so nothing is timed:\n%s", strings.Join(differences, "\n"))
		}
		if rows == 0 {
			return fmt.Errorf("%s has an empty answer: there is nothing to be timed", l.question.ID)
		}
	}
	return nil
}

// renew starts the server and the databases anew, so that what they took to load isn't counted.
func (st *stage) renew(ctx context.Context, s settings) error {
	if err := st.renewServer(ctx, s); err != nil {
		return err
	}
	return st.renewPeers(s, peers.ClickHouse, peers.DuckDB)
}

func (st *stage) renewServer(ctx context.Context, s settings) error {
	if err := st.server.stop(); err != nil {
		return err
	}
	return st.server.start(ctx, s)
}

func (st *stage) renewPeers(s settings, kinds ...peers.Kind) error {
	for i, p := range st.peers {
		if !slices.Contains(kinds, p.Kind) {
			continue
		}
		if err := p.Close(); err != nil {
			return err
		}
		again, err := peers.Open(p.Kind, s.script, filepath.Join(st.folder, string(p.Kind)))
		if err != nil {
			return err
		}
		st.peers[i] = again
		for k := range st.tables {
			if st.tables[k].Kind == p.Kind {
				st.tables[k].peer = again
			}
		}
	}
	return nil
}

// idleRuns are asked first and don't count.
const idleRuns = 2

// warm asks every question several times, of the server and of each table.
func (z *size) warm(ctx context.Context, s settings, st *stage) error {
	for i := range z.lines {
		l := &z.lines[i]
		s.say("%s: %s", l.question.ID, l.question.Text)
		request, err := l.question.Request()
		if err != nil {
			return err
		}
		if l.server, l.first, err = st.server.ask(ctx, &l.question, request, s.runs); err != nil {
			return err
		}
	}
	var err error
	if z.memory, err = st.server.child.Memory(); err != nil {
		return err
	}
	return z.warmTables(ctx, s, st)
}

// ask asks one question several times. What the first time took stands by itself.
func (v *server) ask(ctx context.Context, q *peers.Question, request []byte, runs int) (t timing, first time.Duration, err error) {
	var times []time.Duration
	var before time.Duration
	for n := range runs + idleRuns {
		if ctx.Err() != nil {
			return timing{}, 0, ctx.Err()
		}
		if n == idleRuns {
			if before, err = v.child.Processor(); err != nil {
				return timing{}, 0, err
			}
		}
		_, took, err := v.call(v.keys.RK, q.Path, request)
		if err != nil {
			return timing{}, 0, fmt.Errorf("%s: %w", q.ID, err)
		}
		if n == 0 {
			first = took
		}
		if n >= idleRuns {
			times = append(times, took)
		}
	}
	t = timingOf(times)
	after, err := v.child.Processor()
	t.processor = (after - before) / time.Duration(runs)
	return t, first, err
}

func (z *size) warmTables(ctx context.Context, s settings, st *stage) error {
	for _, t := range st.tables {
		s.say("%s, table %s", t.Kind, t.Table)
		for i := range z.lines {
			l := &z.lines[i]
			if l.alone {
				l.tables = append(l.tables, timing{})
				continue
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			of, err := askTable(t, l.question.SQL(t.Layout, st.base()), s.runs)
			if err != nil {
				return err
			}
			l.tables = append(l.tables, of)
		}
		memory, err := t.peer.Memory()
		if err != nil {
			return err
		}
		z.tableMemory = append(z.tableMemory, memory)
	}
	return nil
}

func askTable(t table, sql string, runs int) (timing, error) {
	if _, err := t.peer.Ask(sql, idleRuns); err != nil {
		return timing{}, err
	}
	before, err := t.peer.Processor()
	if err != nil {
		return timing{}, err
	}
	reply, err := t.peer.Ask(sql, runs)
	if err != nil {
		return timing{}, err
	}
	of := timingOf(reply.Times)
	after, err := t.peer.Processor()
	of.processor = (after - before) / time.Duration(runs)
	return of, err
}

// chill asks every question of a process that was just started, with nothing of the files in memory.
func (z *size) chill(ctx context.Context, s settings, st *stage) (err error) {
	for i := range z.lines {
		l := &z.lines[i]
		s.say("%s, cold", l.question.ID)
		var server []time.Duration
		tables := make([][]time.Duration, len(st.tables))
		for range s.cold {
			took, how, err := st.coldServer(ctx, s, l)
			if err != nil {
				return err
			}
			server, z.how = append(server, took), how
			if err := st.coldTables(ctx, s, l, tables); err != nil {
				return err
			}
		}
		l.chilled = timingOf(server)
		for _, times := range tables {
			l.coldTables = append(l.coldTables, timingOf(times))
		}
	}
	return nil
}

func (st *stage) coldServer(ctx context.Context, s settings, l *line) (took time.Duration, how string, err error) {
	if err := st.server.stop(); err != nil {
		return 0, "", err
	}
	if how, err = dropCaches(s.dir); err != nil {
		return 0, "", err
	}
	if err := st.server.start(ctx, s); err != nil {
		return 0, "", err
	}
	request, err := l.question.Request()
	if err != nil {
		return 0, "", err
	}
	_, took, err = st.server.call(st.server.keys.RK, l.question.Path, request)
	return took, how, err
}

func (st *stage) coldTables(ctx context.Context, s settings, l *line, times [][]time.Duration) error {
	if l.alone {
		return nil
	}
	for i := range st.tables {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := st.renewPeers(s, st.tables[i].Kind); err != nil {
			return err
		}
		if _, err := dropCaches(s.dir); err != nil {
			return err
		}
		t := &st.tables[i]
		reply, err := t.peer.Ask(l.question.SQL(t.Layout, st.base()), 1)
		if err != nil {
			return err
		}
		times[i] = append(times[i], reply.Times...)
	}
	return nil
}
