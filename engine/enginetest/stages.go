package enginetest

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/index/event"
)

// Stage is a state in which a store may be when it is asked: what it answers must be the same in all.
type Stage struct {
	Name string
	make func(s *staged)
}

// Load is what one project of a store holds.
type Load struct {
	Events []event.Event
	Days   int // its retention window, 0 for ever
}

// StageParts is how many calls append a load, so that it stands in several groups of the log.
const StageParts = 3

// Stages are all there are. A store in one of them has been asked nothing yet.
var Stages = []Stage{
	{"live", func(s *staged) { s.open(0); s.parts(0, 1, 2) }},
	// Segments of one row at most stay as they were sealed.
	{"sealed", func(s *staged) { s.open(1); s.compactAfter(0, 1, 2) }},
	{"sealed in part", func(s *staged) { s.open(1); s.compactAfter(0, 1); s.parts(2) }},
	{"merged", func(s *staged) { s.open(0); s.compactAfter(0, 1, 2) }},
	{"merged in part", func(s *staged) { s.open(0); s.compactAfter(0, 1); s.parts(2) }},
	{"reopened", func(s *staged) {
		s.open(0)
		s.compactAfter(0)
		s.parts(1)
		s.reopen()
		s.parts(2)
		s.reopen()
	}},
	{"crashed", func(s *staged) { s.open(0); s.parts(0); s.compactAfter(1); s.parts(2); s.crash() }},
}

// Make makes a store whose projects, from 1 on, hold loads. The clock stands at the time of each part,
// and at that of the last one from then on.
func (s Stage) Make(loads []Load, at [StageParts]time.Time) (*engine.Engine, error) {
	m := &staged{disk: vfs.NewCrashableMem(), loads: loads, at: at}
	m.now.Store(at[0].UnixMilli())
	s.make(m)
	return m.e, m.failed
}

// staged is a store on its way to a stage. Once something has failed, nothing is done any more.
type staged struct {
	disk        *vfs.MemFS
	loads       []Load
	at          [StageParts]time.Time
	now         atomic.Int64 // ms
	segmentRows int
	e           *engine.Engine
	failed      error
}

func (s *staged) open(segmentRows int) {
	start := s.now.Load()
	s.segmentRows = segmentRows
	s.e, s.failed = engine.Open("store", engine.Options{
		FS: s.disk, CipherKey: CipherKey, SegmentRows: segmentRows,
		Now:          func() time.Time { return time.UnixMilli(s.now.Load()) },
		Elapsed:      func() time.Duration { return time.Duration(s.now.Load()-start) * time.Millisecond },
		FreeBytesMin: -1, FreePercentMin: -1, MemTableBytes: 64 << 10,
		Fatal: func(reason string) { panic(reason) },
	})
}

// parts appends parts of the loads. Windows are set before the second.
func (s *staged) parts(parts ...int) {
	for _, part := range parts {
		s.now.Store(s.at[part].UnixMilli())
		for i, load := range s.loads {
			project := event.Project(1 + i)
			if part == 1 && load.Days > 0 && s.failed == nil {
				s.failed = s.e.SetRetention(context.Background(), project, load.Days)
			}
			from, to := PartOf(len(load.Events), part)
			if s.failed == nil {
				s.failed = s.e.Append(context.Background(), project, slices.Clone(load.Events[from:to]))
			}
		}
	}
}

// PartOf returns which of so many events belong to a part.
func PartOf(events, part int) (from, to int) {
	return events * part / StageParts, events * (part + 1) / StageParts
}

// compactAfter seals and merges all after each of some parts.
func (s *staged) compactAfter(parts ...int) {
	for _, part := range parts {
		s.parts(part)
		if s.failed == nil {
			s.failed = s.e.Compact(context.Background())
		}
	}
}

func (s *staged) reopen() {
	if s.failed == nil {
		s.failed = s.e.Close()
	}
	if s.failed == nil {
		s.open(s.segmentRows)
	}
}

// crash cuts the power right after the last acknowledgement; nothing that wasn't synced is left.
func (s *staged) crash() {
	if s.failed != nil {
		return
	}
	left := s.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0, RNG: rand.New(rand.NewPCG(1, 2))})
	if s.failed = s.e.Close(); s.failed == nil {
		s.disk = left
		s.open(s.segmentRows)
	}
}
