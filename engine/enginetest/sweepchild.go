package enginetest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/engine/keyring"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// What a child says, each in a line of its own: the words, then for some a number or a text. What
// was acknowledged stands there before anything else happens, so it holds wherever the child ends.
const (
	sayHit    = "hit"    // the fault has come to pass
	sayAcked  = "acked"  // so many requests are acknowledged
	sayKept   = "kept"   // the record of this number is
	sayLied   = "lied"   // a request was acknowledged after a sync of the log had failed
	sayFailed = "failed" // an operation of the engine failed, and why
	sayOps    = "ops"    // how many operations of each kind there were
	sayUpkeep = "upkeep" // how often events were sealed and segments merged
	sayEnd    = "end"    // of this fault; the next one may come
)

// SweepChild does what Sweep tells it through in, one fault after the other, and says what comes of
// it. It may end the process at any of them: that is what it is for.
func SweepChild(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var f fault
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return err
		}
		newSwept(f, out).run()
	}
	return lines.Err()
}

// swept is one store whose disk fails once.
type swept struct {
	fault
	out   io.Writer
	disk  *breaker
	plan  plan
	ticks atomic.Int64
	acked int

	upkeep Upkeep
}

func newSwept(f fault, out io.Writer) *swept {
	s := &swept{fault: f, out: out, plan: f.plan()}
	s.disk = newBreaker(f, func() { s.say(sayHit, "") })
	return s
}

// sweptRequests is how many requests a sweep sends: enough for flushes, new logs and tables.
const sweptRequests = 48

func (f fault) plan() plan {
	return newPlan(rand.New(rand.NewPCG(f.Seed, 0x7377656570)), 0, sweptRequests)
}

func (s *swept) say(word string, facts any) {
	fmt.Fprintln(s.out, word, strings.ReplaceAll(fmt.Sprint(facts), "\n", " "))
}

// run opens the store twice, so that what a start reads and writes can fail, too.
func (s *swept) run() {
	for session := 1; session <= 2; session++ {
		s.disk.begin()
		e, err := s.open()
		if err != nil {
			s.say(sayFailed, err)
			continue
		}
		s.send(e, len(s.plan)*session/2)
		if err := e.Close(); err != nil {
			s.say(sayFailed, err)
		}
	}
	counts, err := json.Marshal(s.disk.counts())
	if err != nil {
		panic(err)
	}
	s.say(sayOps, string(counts))
	s.say(sayUpkeep, fmt.Sprint(s.upkeep.sealed.Load(), " ", s.upkeep.merged.Load()))
	s.say(sayEnd, "")
}

func (s *swept) open() (*engine.Engine, error) {
	opt, err := sweptOptions(s.Folder, s.disk, s.now)
	if err != nil {
		return nil, err
	}
	opt.Notify = s.upkeep.notice
	return engine.Open(storeIn(s.Folder), opt)
}

func (s *swept) now() time.Time { return time.UnixMilli(int64(eventtest.Start) + s.ticks.Add(1)) }

func storeIn(folder string) string { return filepath.Join(folder, "store") }

// sweptOptions opens the keyring in a folder and gives options for the store beside it.
func sweptOptions(folder string, fs vfs.FS, now func() time.Time) (engine.Options, error) {
	ring, err := keyring.Open(fs, folder, [32]byte{1}, keyring.Options{Now: now})
	if err != nil {
		return engine.Options{}, err
	}
	return engine.Options{
		FS: fs, CipherKey: ring.CipherKey, Now: now,
		MemTableBytes: 64 << 10, FreeBytesMin: -1, FreePercentMin: -1,
		SealRows: 24, SegmentRows: 1000,
		CommitWait: 3 * time.Second, StallExit: 6 * time.Second,
	}, nil
}

// send sends requests until so many are acknowledged. It gives up at one that fails three times.
func (s *swept) send(e *engine.Engine, until int) {
	for s.acked < until {
		if !s.sendOne(e, s.plan[s.acked]) {
			return
		}
		s.acked++
		s.say(sayAcked, s.acked)
		if s.acked%4 == 0 {
			if err := e.PutRecords(context.Background(), sweptRecord(s.acked)); err != nil {
				s.say(sayFailed, err)
			} else {
				s.say(sayKept, s.acked)
			}
		}
		if s.acked%16 == 0 { // so that there is something to merge
			if err := e.Compact(context.Background()); err != nil {
				s.say(sayFailed, err)
			}
		}
	}
}

func (s *swept) sendOne(e *engine.Engine, r planned) bool {
	for range 3 {
		// One that fails after this was that of another write, or its loss is found later.
		failed := s.disk.syncFailed()
		err := e.Append(context.Background(), r.project, append([]event.Event{}, r.events...))
		if err == nil {
			// What is only repeated is durable already, and may be acknowledged until the process ends.
			if failed && !s.Swallow && len(r.kept) > 0 {
				s.say(sayLied, "")
			}
			return true
		}
		s.say(sayFailed, err)
	}
	return false
}

func sweptRecord(n int) engine.Record {
	return engine.Record{Kind: "project", ID: fmt.Sprint("prj_", n), Value: fmt.Appendf(nil, "value of %d", n)}
}
