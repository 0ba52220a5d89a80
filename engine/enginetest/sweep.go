package enginetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"millimetric/engine"
)

// Sweep lets one operation of a real disk fail: the n-th of its kind, for every kind and n, with a
// bad sector, a full disk or no more open files. Each time a child process works on a store of its
// own, and says what is acknowledged; for the child may end by it, as Pebble sees to that by itself
// where it can't go on. After that the store is opened on a disk that doesn't fail: what was
// acknowledged must be there, once.
type Sweep struct {
	Seed       uint64
	Injections int    // how many faults to bring about, at least
	Folder     string // where stores are made and removed
	// Child starts this program anew so that it calls SweepChild with its standard input and output.
	Child func() *exec.Cmd

	Lasting bool // the fault stays: all later operations of the kind fail as well
	upkeep  *Upkeep
	// Swallow makes failing syncs of the log say that they succeeded. Such a sweep must report losses,
	// or it is blind.
	Swallow bool
}

// SweepResult is what was found. Its points are the faults that came to pass.
type SweepResult struct {
	Result
	Operations int // of the disk, that could have failed
	Through    int // faults that the process lived through
	Ended      int // that ended it as the engine does, with status 70
	Fatal      int // that ended it in a way that nothing can catch: by the runtime, or inside Pebble
	Hung       int // after which it said nothing for ten seconds
	Hangs      []string
	Lied       int // after which a failed sync was taken for a good one
}

const (
	sweepWorkers = 2
	sweepHang    = 10 * time.Second
	// sweepPatience is for how long a commit may take when the store is judged: a machine that is busy with
	// other things is no finding.
	sweepPatience = 2 * time.Minute
)

// Run takes new seeds until there were enough faults.
func (s Sweep) Run() (SweepResult, error) {
	all := SweepResult{Result: Result{Upkeep: &Upkeep{}}}
	s.upkeep = all.Upkeep
	for seed := s.Seed; all.Points < s.Injections; seed++ {
		faults, err := s.faults(seed)
		if err != nil {
			return all, err
		}
		all.Operations += len(faults) / len(errnos)
		if err := s.bring(faults, &all); err != nil {
			return all, err
		}
	}
	return all, nil
}

// faults lists all that can fail under one seed, in an order in which the kinds take turns: the rare
// ones are then complete, however few faults are asked for.
func (s Sweep) faults(seed uint64) ([]fault, error) {
	counter := &sweeper{sweep: s, folder: filepath.Join(s.Folder, "count")}
	defer counter.stop()
	if err := counter.bring(fault{Seed: seed}); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, 1))
	var byKind [opKinds][]fault
	for kind, n := range counter.counts {
		if s.Swallow && !isSync(errorfs.OpKind(kind)) {
			continue
		}
		for nth := 1; nth <= n; nth++ {
			for _, errno := range errnos {
				f := fault{Seed: seed, Kind: errorfs.OpKind(kind), Nth: nth, Errno: errno, Lasting: s.Lasting, Swallow: s.Swallow}
				byKind[kind] = append(byKind[kind], f)
			}
		}
		random.Shuffle(len(byKind[kind]), func(i, j int) { byKind[kind][i], byKind[kind][j] = byKind[kind][j], byKind[kind][i] })
	}
	var faults []fault
	for turn, more := 0, true; more; turn++ {
		more = false
		for _, list := range byKind {
			if turn < len(list) {
				faults, more = append(faults, list[turn]), true
			}
		}
	}
	if len(faults) == 0 {
		return nil, errors.New("sweep: nothing can fail")
	}
	return faults, nil
}

func isSync(kind errorfs.OpKind) bool {
	return kind == errorfs.OpFileSync || kind == errorfs.OpFileSyncData || kind == errorfs.OpFileSyncTo
}

// bring brings about faults, until there were enough.
func (s Sweep) bring(faults []fault, all *SweepResult) error {
	var mu sync.Mutex // guards faults and all
	next := func() (f fault, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(faults) == 0 || all.Points >= s.Injections {
			return f, false
		}
		f, faults = faults[0], faults[1:]
		return f, true
	}
	failed := make(chan error, sweepWorkers)
	for n := range sweepWorkers {
		go func() {
			w := &sweeper{sweep: s, folder: filepath.Join(s.Folder, strconv.Itoa(n))}
			defer w.stop()
			for f, ok := next(); ok; f, ok = next() {
				if err := w.bring(f); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				all.add(w.found)
				mu.Unlock()
				w.found = SweepResult{}
			}
			failed <- nil
		}()
	}
	var err error
	for range sweepWorkers {
		err = errors.Join(err, <-failed)
	}
	return err
}

func (r *SweepResult) add(o SweepResult) {
	r.Points += o.Points
	r.Acked += o.Acked
	r.Lost += o.Lost
	r.Unacked += o.Unacked
	r.Torn += o.Torn
	r.Through += o.Through
	r.Ended += o.Ended
	r.Fatal += o.Fatal
	r.Hung += o.Hung
	r.Hangs = append(r.Hangs, o.Hangs...)
	r.Lied += o.Lied
	for _, p := range o.Problems {
		r.problem("%s", p)
	}
}

// sweeper brings about one fault at a time, in a child that it starts where there is none.
type sweeper struct {
	sweep  Sweep
	folder string
	found  SweepResult
	counts [opKinds]int

	child  *exec.Cmd
	in     io.WriteCloser
	lines  chan string
	stderr *bytes.Buffer
}

func (w *sweeper) start() error {
	w.child, w.stderr = w.sweep.Child(), &bytes.Buffer{}
	w.child.Stderr = w.stderr
	in, err := w.child.StdinPipe()
	if err != nil {
		return err
	}
	out, err := w.child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := w.child.Start(); err != nil {
		return err
	}
	w.in, w.lines = in, make(chan string, 1024)
	go func() {
		defer close(w.lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			w.lines <- text.Text()
		}
	}()
	return nil
}

// stop ends the child and waits for it.
func (w *sweeper) stop() {
	if w.child == nil {
		return
	}
	_ = w.in.Close()
	_ = w.child.Process.Kill()
	for range w.lines {
	}
	_ = w.child.Wait()
	w.child = nil
}

// bring has the child bring about f, and looks at what it left. A child that dies before f came to
// pass died of the fault before it, in a goroutine that Pebble left behind; f is then begun anew.
func (w *sweeper) bring(f fault) error {
	f.Folder = w.folder
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	for range 3 {
		if err := os.RemoveAll(f.Folder); err != nil {
			return err
		}
		if w.child == nil {
			if err := w.start(); err != nil {
				return err
			}
		}
		_, _ = w.in.Write(append(text, '\n')) // what can't be written to has ended, and listen notes how
		said, err := w.listen(f)
		if err != nil {
			return err
		}
		if said.hit {
			w.judge(f, said)
		}
		if said.hit || said.through {
			return nil
		}
	}
	return fmt.Errorf("%s: the child ends before it comes to pass", f)
}

// said is what a child said about one fault.
type said struct {
	hit     bool
	through bool
	acked   int
	kept    []int
}

// listen hears the child until it is through with f, ends or hangs.
func (w *sweeper) listen(f fault) (s said, err error) {
	timer := time.NewTimer(sweepHang)
	defer timer.Stop()
	for {
		select {
		case line, ok := <-w.lines:
			if !ok {
				w.ended(f)
				return s, nil
			}
			timer.Reset(sweepHang)
			word, facts, _ := strings.Cut(line, " ")
			switch word {
			case sayHit:
				s.hit = true
			case sayAcked:
				s.acked, err = strconv.Atoi(facts)
			case sayKept:
				n, wrong := strconv.Atoi(facts)
				s.kept, err = append(s.kept, n), wrong
			case sayLied:
				w.found.Lied++
				w.found.problem("%s: acknowledged after a failed sync", f)
			case sayOps:
				err = json.Unmarshal([]byte(facts), &w.counts)
			case sayUpkeep:
				var sealed, merged int64
				_, err = fmt.Sscan(facts, &sealed, &merged)
				w.sweep.upkeep.add(sealed, merged)
			case sayEnd:
				s.through = true
				if s.hit {
					w.found.Through++
				}
				return s, nil
			}
			if err != nil {
				return s, fmt.Errorf("the child says %q: %w", line, err)
			}
		case <-timer.C:
			w.found.Hung++
			w.found.Hangs = append(w.found.Hangs, fmt.Sprintf("%s: hangs in%s", f, w.where()))
			return s, nil
		}
	}
}

// where ends a child that hangs and says which of our functions it was in.
func (w *sweeper) where() (functions string) {
	process := w.child.Process
	_ = process.Signal(syscall.SIGQUIT)
	kill := time.AfterFunc(sweepHang, func() { _ = process.Kill() }) // what hangs may hang while it tells, too
	defer kill.Stop()
	for range w.lines {
	}
	_ = w.child.Wait()
	w.child = nil
	for line := range strings.Lines(w.stderr.String()) {
		if name, ours := strings.CutPrefix(line, "millimetric/"); ours {
			functions += " " + strings.TrimSpace(name)
		}
	}
	return functions
}

// ended notes how the child ended by itself.
func (w *sweeper) ended(f fault) {
	_ = w.child.Wait()
	code, complaint := w.child.ProcessState.ExitCode(), w.stderr.String()
	w.child = nil
	switch {
	case code == 70:
		w.found.Ended++
	case code == 2 && inPebble(complaint):
		w.found.Fatal++
	default:
		w.found.problem("%s: the process ended with %d: %.2000s", f, code, complaint)
	}
}

// inPebble reports whether what a process left when it crashed says that it was none of our doing. It
// ends then as surely as the engine would end it: Pebble can't rotate its log, say, or has failed to
// open a store while it compacts it already.
func inPebble(complaint string) bool {
	_, stack, _ := strings.Cut(complaint, "[running]:\n")
	for line := range strings.Lines(stack) {
		if ours := strings.HasPrefix(line, "millimetric/"); ours || strings.HasPrefix(line, "github.com/cockroachdb/pebble/") {
			return !ours
		}
	}
	return false
}

func (f fault) String() string {
	return fmt.Sprintf("seed=%d kind=%d nth=%d errno=%d lasting=%t", f.Seed, int(f.Kind), f.Nth, int(f.Errno), f.Lasting)
}

// judge opens what is left on a disk that doesn't fail.
func (w *sweeper) judge(f fault, s said) {
	quiet := newSwept(f, io.Discard)
	opt, err := sweptOptions(f.Folder, vfs.Default, quiet.now)
	if err != nil {
		w.found.problem("%s: keyring: %v", f, err)
		opt.CipherKey = CipherKey // and all is lost
	}
	opt.Fatal = func(reason string) { panic(reason) }
	opt.CommitWait, opt.StallExit = sweepPatience, sweepPatience
	after := aftermath{
		Result: &w.found.Result, dir: storeIn(f.Folder), name: f.String(), plans: []plan{quiet.plan},
		cut: &cut{acked: []int{s.acked}},
	}
	after.more = func(e *engine.Engine) {
		for _, n := range s.kept {
			after.record(e, sweptRecord(n))
		}
	}
	after.check(opt, true)
}
