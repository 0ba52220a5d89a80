// Package peers puts the questions of the benchmark to ClickHouse and to DuckDB, which run in process
// under node (see node/peer.mjs), and holds the server's answers against theirs.
//
// Each question stands here once as a request and once as SQL, with what the two mean differently
// worked around in the SQL and said beside it. Nothing here judges speed; the caller does.
//
// It starts one process per open Peer and no goroutines. Files reach the disk in the folder that a peer is
// given: its tables, and what Export writes.
package peers

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"millimetric/bench/launch"
)

// Kind is one of the two databases.
type Kind string

// The databases that are asked.
const (
	ClickHouse Kind = "clickhouse"
	DuckDB     Kind = "duckdb"
)

// Peer is a running database.
type Peer struct {
	Kind Kind

	process *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

// Open starts a database on a folder, which is made. script is the path of peer.mjs, beside which its
// packages are installed.
func Open(kind Kind, script, folder string) (*Peer, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("open %s: %w", kind, err)
	}
	p := &Peer{Kind: kind, process: exec.Command("node", script, string(kind), folder)}
	p.process.Stderr = os.Stderr
	in, err := p.process.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", kind, err)
	}
	out, err := p.process.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", kind, err)
	}
	if err := p.process.Start(); err != nil {
		return nil, fmt.Errorf("open %s: %w", kind, err)
	}
	p.in, p.out = in, json.NewDecoder(bufio.NewReader(out))
	p.out.UseNumber()
	if _, err := p.Ask("select 1", 1); err != nil {
		return nil, errors.Join(fmt.Errorf("%w; are its packages installed (npm install in bench/peers/node)?", err), p.Close())
	}
	return p, nil
}

// Reply is what a query gave.
type Reply struct {
	Rows  [][]any // of the last run; numbers as json.Number
	Times []time.Duration
}

// Ask runs a query so many times.
func (p *Peer) Ask(sql string, runs int) (Reply, error) {
	request, err := json.Marshal(struct {
		SQL  string `json:"sql"`
		Runs int    `json:"runs"`
	}{sql, runs})
	if err != nil {
		return Reply{}, fmt.Errorf("ask %s: %w", p.Kind, err)
	}
	if _, err := p.in.Write(append(request, '\n')); err != nil {
		return Reply{}, fmt.Errorf("ask %s: %w", p.Kind, err)
	}
	var answer struct {
		MS    []float64
		Rows  [][]any
		Error string
	}
	if err := p.out.Decode(&answer); err != nil {
		return Reply{}, fmt.Errorf("ask %s: no answer: %w", p.Kind, err)
	}
	if answer.Error != "" {
		return Reply{}, fmt.Errorf("ask %s: %s\n%s", p.Kind, answer.Error, sql)
	}
	reply := Reply{Rows: answer.Rows}
	for _, ms := range answer.MS {
		reply.Times = append(reply.Times, time.Duration(ms*float64(time.Millisecond)))
	}
	return reply, nil
}

// Run runs statements one after the other and says how long each took.
func (p *Peer) Run(statements ...string) (times []time.Duration, err error) {
	for _, sql := range statements {
		reply, err := p.Ask(sql, 1)
		if err != nil {
			return times, err
		}
		times = append(times, reply.Times...)
	}
	return times, nil
}

// Memory looks at the database's process.
func (p *Peer) Memory() (launch.Memory, error) { return launch.MemoryOf(p.process.Process.Pid) }

// Processor is the time that the database has had a processor.
func (p *Peer) Processor() (time.Duration, error) {
	return launch.ProcessorOf(p.process.Process.Pid)
}

// Close ends the database.
func (p *Peer) Close() error {
	if err := p.in.Close(); err != nil {
		return fmt.Errorf("close %s: %w", p.Kind, err)
	}
	if err := p.process.Wait(); err != nil {
		return fmt.Errorf("close %s: %w", p.Kind, err)
	}
	return nil
}
