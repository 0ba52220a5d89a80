// Command measure takes the figures that the project's targets name: of the engine, of questions beside
// two databases that others wrote, and whether the three agree.
//
//	measure engine   ingest, space, start and memory
//	measure peers    the questions Q1 to Q12, timed
//	measure agree    many questions, compared
//	measure trust    persons out, restores, and starts of a store with a backup
//	measure prepare  nothing: it makes and keeps the data that peers and agree ask about with the same -keep
//
// It builds nothing: it runs the program that -program names, as an operator would, and the databases
// under node. It starts goroutines that send events while a history is loaded, and waits for them. What
// it makes on disk lies in a folder below -dir, removed at the end, but for what -keep keeps and the report that
// -write names.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"millimetric/bench/launch"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

// settings are what the command line says.
type settings struct {
	program  launch.Program
	script   string
	source   string
	dir      string
	keep     string // a folder whose histories outlive the run; "" keeps none
	timeLoad bool   // what a load takes is a figure
	write    string
	events   []int
	days     int
	seed     uint64
	runs     int           // of a warm question
	cold     int           // of a cold one
	each     int           // questions of a kind, in agree
	duration time.Duration // of an ingest round
	calm     time.Duration // before idle memory is looked at: what a server gives back, it gives back slowly
	peers    bool
	persons  int // that are erased

	out, progress io.Writer
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	s := settings{out: out, progress: progress}
	events := ""
	flags := flag.NewFlagSet("measure engine|peers|agree|trust|prepare", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.StringVar(&s.program.Path, "program", "bin/millimetric", "the program to be measured")
	flags.StringVar(&s.script, "script", "bench/peers/node/peer.mjs", "what runs the other databases; npm install must have been run beside it")
	flags.StringVar(&s.dir, "dir", os.TempDir(), "folder in which data is kept meanwhile; about 1 KB per event, on a real disk")
	flags.StringVar(&s.keep, "keep", "", "folder in which peers, agree and prepare keep their histories, for later runs to ask again; used instead of -dir")
	flags.StringVar(&s.source, "source", ".", "the project's source, for the figures that only its own benchmarks can take; empty leaves these out")
	flags.StringVar(&s.write, "write", "", "put the report into this markdown file, between its marks")
	flags.StringVar(&events, "events", "10000000", "events of the history; peers takes a comma list, smallest first")
	flags.IntVar(&s.days, "days", 90, "days over which the events lie")
	flags.Uint64Var(&s.seed, "seed", 1, "chance that makes the history")
	flags.IntVar(&s.runs, "runs", 7, "times that a warm question is asked, after two that don't count")
	flags.IntVar(&s.cold, "cold", 3, "times that a cold question is asked, each of a new process; 0 leaves these out, and cold starts")
	flags.IntVar(&s.each, "each", 12, "questions of each kind that are compared")
	flags.DurationVar(&s.duration, "duration", time.Minute, "length of a round of ingest")
	flags.DurationVar(&s.calm, "calm", 10*time.Second, "time that a server is left alone before its idle memory is looked at")
	flags.IntVar(&s.persons, "persons", 7, "persons that are erased, one after the other; trust")
	flags.BoolVar(&s.peers, "peers", true, "also measure the space and load time of the other databases")
	if len(args) == 0 {
		flags.Usage()
		return flag.ErrHelp
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	for text := range strings.SplitSeq(events, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 {
			return fmt.Errorf("-events %q: expected numbers from 1000 on", text)
		}
		s.events = append(s.events, n)
	}
	if s.persons < 1 || s.persons > 1000 {
		return errors.New("-persons must be 1 to 1000")
	}
	if s.runs < 1 || s.days < 31 || s.days > 365 {
		return errors.New("-runs must be 1 or more, and -days 31 to 365: questions look at the last 30 of them")
	}
	what := map[string]func(context.Context, settings) error{"engine": measureEngine, "peers": measurePeers, "agree": agree, "trust": measureTrust, "prepare": keepAll}[args[0]]
	if what == nil {
		return fmt.Errorf("%q is none of engine, peers, agree, trust and prepare", args[0])
	}
	if s.keep != "" && !slices.Contains([]string{"peers", "agree", "prepare"}, args[0]) {
		return fmt.Errorf("%s writes into its history: it can't be of -keep", args[0])
	}
	remove, err := s.makeFolder()
	if err != nil {
		return err
	}
	defer remove()
	return what(ctx, s)
}

// makeFolder makes the folder of a run's data, and returns what takes it away again.
func (s *settings) makeFolder() (remove func(), err error) {
	if s.keep != "" {
		s.dir = s.keep
		return func() {}, os.MkdirAll(s.keep, 0o755)
	}
	if s.dir, err = os.MkdirTemp(s.dir, "millimetric-measure-*"); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	return func() { os.RemoveAll(s.dir) }, nil
}

// say tells what is done next.
func (s settings) say(format string, args ...any) {
	fmt.Fprintf(s.progress, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
