package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// shelf is a store of several projects on a disk in memory, and what it must answer.
type shelf struct {
	t    *testing.T
	fs   *vfs.MemFS
	opt  Options
	want map[event.Project][]event.Event

	mu   sync.Mutex // guards told
	told []Notice
}

func newShelf(t *testing.T, opt Options) *shelf {
	s := &shelf{t: t, fs: vfs.NewCrashableMem(), want: map[event.Project][]event.Event{}}
	s.opt = opt
	s.opt.FS = s.fs
	s.opt.Notify = func(n Notice) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told = append(s.told, n)
	}
	return s
}

func (s *shelf) heard(match func(Notice) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.told, match)
}

// fill appends events to each project, from 1 on, and waits until they are acknowledged.
func (s *shelf) fill(e *Engine, seed uint64, projects, events int) {
	s.t.Helper()
	gen := eventtest.New(seed, 40, 2000)
	for p := range event.Project(projects) {
		for n := range events {
			ev := gen.Event()
			ev.ID = fmt.Sprintf("%d-%d-%d", seed, p, n)
			if err := e.Append(context.Background(), 1+p, []event.Event{ev}); err != nil {
				s.t.Fatal(err)
			}
			ev.Seq = event.Seq(len(s.want[1+p]) + 1)
			s.want[1+p] = append(s.want[1+p], ev)
		}
	}
}

// answers reports whether a project answers as it must; an error must be of damage.
func (s *shelf) answers(e *Engine, project event.Project) bool {
	s.t.Helper()
	snapshot := e.Snapshot(project)
	defer snapshot.Release()
	got, err := snapshot.Events()
	if err != nil {
		if !errors.Is(err, event.ErrDamaged) || codeOf(err) != event.CodeDamaged {
			s.t.Errorf("project %d: %v", project, err)
		}
		return false
	}
	if !slices.Equal(got, s.want[project]) {
		s.t.Errorf("project %d answers %d events, and not the %d that it has", project, len(got), len(s.want[project]))
	}
	return true
}

// goesOn checks that all projects but one answer, and take, seal and merge events.
func (s *shelf) goesOn(e *Engine, but event.Project, projects int) {
	s.t.Helper()
	for p := range event.Project(projects) {
		if 1+p == but {
			continue
		}
		if !s.answers(e, 1+p) {
			s.t.Errorf("project %d doesn't answer, as project %d is damaged", 1+p, but)
		}
		ev := event.Event{Name: "later", AnonymousID: "v", Time: eventtest.Start, Properties: "{}"}
		if err := e.Append(context.Background(), 1+p, []event.Event{ev}); err != nil {
			s.t.Errorf("project %d takes no events, as project %d is damaged: %v", 1+p, but, err)
			continue
		}
		ev.Seq = event.Seq(len(s.want[1+p]) + 1)
		s.want[1+p] = append(s.want[1+p], ev)
	}
	if err := e.Compact(context.Background()); err != nil && (but == 0 || codeOf(err) != event.CodeDamaged) {
		s.t.Errorf("with project %d damaged: %v", but, err)
	}
	for p := range event.Project(projects) {
		if 1+p == but {
			continue
		}
		if live, _ := e.projects[1+p].liveRows(); live > 0 || !s.answers(e, 1+p) {
			s.t.Errorf("project %d has %d live events after all was sealed", 1+p, live)
		}
	}
}

// rot turns a bit of stored bytes in each table where they lie: some may be obsolete, and not deleted yet. It reports
// whether they lie in one.
func (s *shelf) rot(random *rand.Rand, stored []byte) (found bool) {
	s.t.Helper()
	names, err := s.fs.List("store")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range names {
		if filepath.Ext(name) != ".sst" {
			continue
		}
		file, err := s.fs.OpenReadWrite("store/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			s.t.Fatal(err)
		}
		defer file.Close()
		facts, err := file.Stat()
		if err != nil {
			s.t.Fatal(err)
		}
		if facts.Size() == 0 {
			continue // it is being written
		}
		text := make([]byte, facts.Size())
		if _, err := file.ReadAt(text, 0); err != nil {
			s.t.Fatal(err)
		}
		if at := bytes.Index(text, stored); at >= 0 {
			at += random.IntN(len(stored))
			if _, err := file.WriteAt([]byte{text[at] ^ 1<<random.IntN(8)}, int64(at)); err != nil {
				s.t.Fatal(err)
			}
			found = true
		}
	}
	return found
}

// storedUnder lists the values under a prefix.
func storedUnder(t *testing.T, e *Engine, prefix []byte) (values [][]byte) {
	t.Helper()
	err := walk(e.db, prefix, func(_, value []byte) error {
		values = append(values, bytes.Clone(value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// Whatever piece of a project rots, all others answer as before, and take, seal and merge events.
func TestARottenPieceCostsItsProjectOnly(t *testing.T) {
	const projects = 3
	s := newShelf(t, Options{SealRows: 40, SegmentRows: 100})
	e := opened(t, s.opt)
	s.fill(e, 1, projects, 300)
	if err := e.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	pieces := storedUnder(t, e, binaryPrefix(prefixPiece, 2))
	mustClose(t, e)
	sound, want, silent := s.fs, s.want, 0
	for point := range min(len(pieces), 40) {
		random := rand.New(rand.NewPCG(2, uint64(point)))
		s.fs = sound.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: random})
		s.opt.FS, s.told, s.want = s.fs, nil, map[event.Project][]event.Event{}
		for p, events := range want {
			s.want[p] = slices.Clone(events)
		}
		if !s.rot(random, pieces[point*len(pieces)/min(len(pieces), 40)]) {
			t.Fatalf("piece %d is in no table", point)
		}
		e := opened(t, s.opt)
		damaged := !s.answers(e, 2)
		s.goesOn(e, 2, projects)
		if !damaged && !s.heard(Notice.Urgent) {
			silent++ // nobody has had to read it
		}
		if s.heard(func(n Notice) bool { return strings.Contains(n.String(), "\n") }) {
			t.Errorf("a notice of several lines among %v", s.told)
		}
		mustClose(t, e)
		s.goesOnAfterwards(projects)
	}
	if silent > 4 {
		t.Errorf("%d rotten pieces were met by nobody", silent)
	}
}

// goesOnAfterwards opens the store once more.
func (s *shelf) goesOnAfterwards(projects int) {
	s.t.Helper()
	e := opened(s.t, s.opt)
	defer mustClose(s.t, e)
	for _, p := range []event.Project{1, 3} {
		if !s.answers(e, p) {
			s.t.Errorf("project %d doesn't answer after a restart", p)
		}
	}
}

func binaryPrefix(first byte, project event.Project) []byte {
	key := manifestKey(project)
	key[0] = first
	return key
}

func TestARottenManifestCostsItsProjectOnly(t *testing.T) {
	const projects = 120
	s := newShelf(t, Options{})
	e := opened(t, s.opt)
	s.fill(e, 1, projects, 3)
	if err := e.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.fill(e, 2, projects, 2)
	manifests := storedUnder(t, e, []byte{prefixManifest})
	mustClose(t, e)
	if !s.rot(rand.New(rand.NewPCG(1, 2)), manifests[60]) {
		t.Fatal("the manifest is in no table")
	}
	for range 2 {
		e = opened(t, s.opt)
		broken := 0
		for p := range event.Project(projects) {
			if s.answers(e, 1+p) {
				continue
			}
			broken++
			if err := e.Append(context.Background(), 1+p, one("x")); codeOf(err) != event.CodeDamaged {
				t.Errorf("broken project %d takes events: %v", 1+p, err)
			}
		}
		if broken != 1 || e.projects[61].damage() == nil {
			t.Errorf("%d projects are broken", broken)
		}
		if err := e.Compact(context.Background()); err != nil && codeOf(err) != event.CodeDamaged {
			t.Error(err)
		}
		mustClose(t, e)
	}
	report, err := Check("store", fixed(s.opt))
	if err != nil || len(report.Problems) == 0 {
		t.Errorf("check: %v, %v", report.Problems, err)
	}
}

// Events of a broken project are nowhere but in the log, which goes on being trimmed for all others.
func TestTheLogKeepsTheEventsOfABrokenProject(t *testing.T) {
	const projects = 3
	s := newShelf(t, Options{})
	e := opened(t, s.opt)
	s.fill(e, 1, projects, 20)
	if err := e.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.fill(e, 2, projects, 20)
	mustClose(t, e)
	manifest := s.swap(manifestKey(2), []byte("what a manifest isn't, and long enough"))
	for range 2 {
		e = opened(t, s.opt)
		if s.answers(e, 2) || !s.heard(func(n Notice) bool { b, ok := n.(Broken); return ok && b.Project == 2 }) {
			t.Error("a project without its manifest answers")
		}
		s.goesOn(e, 2, projects)
		if groups := len(storedUnder(t, e, []byte{prefixGroup})); groups != 20 {
			t.Errorf("the log has %d groups, project 2 came in 20", groups)
		}
		mustClose(t, e)
	}
	s.swap(manifestKey(2), manifest)
	e = opened(t, s.opt)
	s.goesOn(e, 0, projects)
	if groups := len(storedUnder(t, e, []byte{prefixGroup})); groups != 0 {
		t.Errorf("the log has %d groups that nobody needs", groups)
	}
	mustClose(t, e)
}

// swap replaces a value of the closed store, and returns the old one.
func (s *shelf) swap(key, value []byte) []byte {
	s.t.Helper()
	db, err := pebble.Open("store", &pebble.Options{FS: s.fs, FormatMajorVersion: storeFormat, Logger: quietLogger{}})
	if err != nil {
		s.t.Fatal(err)
	}
	old, closer, err := db.Get(key)
	if err != nil {
		s.t.Fatal(err)
	}
	before := bytes.Clone(old)
	if err := errors.Join(closer.Close(), db.Set(key, value, pebble.Sync), db.Close()); err != nil {
		s.t.Fatal(err)
	}
	return before
}

type quietLogger struct{}

func (quietLogger) Infof(string, ...any)  {}
func (quietLogger) Errorf(string, ...any) {}
func (quietLogger) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// A log that rots beside an open store is left: what it holds is sealed, and a restart needs none of it.
func TestALogThatRotsIsSealedAndLeft(t *testing.T) {
	s := newShelf(t, Options{})
	e := opened(t, s.opt)
	s.fill(e, 1, 3, 50)
	value, closer, err := e.db.Get(appendGroupKey(nil, 70)) // from memory
	if err != nil {
		t.Fatal(err)
	}
	group := bytes.Clone(value)
	closer.Close()
	if err := e.db.Flush(); err != nil {
		t.Fatal(err)
	}
	// Pebble reads the log's blocks only now, after they have rotted.
	if !s.rot(rand.New(rand.NewPCG(1, 2)), group) {
		t.Fatal("the group is in no table")
	}
	if err := e.readLog(); !errors.Is(err, event.ErrDamaged) {
		t.Fatalf("the log doesn't show its damage: %v", err)
	}
	for range 1000 {
		if e.trimmed.Load() == 150 && e.Ready() == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.goesOn(e, 0, 3)
	mustClose(t, e)
	e = opened(t, s.opt)
	s.goesOn(e, 0, 3)
	mustClose(t, e)
	if !s.heard(func(n Notice) bool { _, ok := n.(Damaged); return ok }) {
		t.Error("nobody was told")
	}
}

func TestAReportOfDamageAloneRefusesNobody(t *testing.T) {
	s := newShelf(t, Options{})
	e := opened(t, s.opt)
	s.fill(e, 1, 2, 5)
	for range 3 {
		e.listener().DataCorruption(pebble.DataCorruptionInfo{Path: "000007.sst", Details: errors.New("bad block")})
		s.fill(e, 2, 2, 5)
	}
	mustClose(t, e)
	told := 0
	for _, n := range s.told {
		if n.Urgent() && n.String() == "000007.sst is damaged: bad block" {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times of %v", told, s.told)
	}
}

// A rotten block in a table of Pebble's topmost level fails all that would move it down. That must
// neither hold up writes nor be tried without pause.
func TestARottenBlockInTheTopmostLevelHoldsNobodyUp(t *testing.T) {
	s := newShelf(t, Options{SealRows: 40, SegmentRows: 100, MemTableBytes: 256 << 10})
	e := opened(t, s.opt)
	e.swept.Store(e.endingDay()) // a sweep waits for compactions, whether these fail or not
	e.merging.Lock()             // what is merged away would be in no table
	s.fill(e, 1, 3, 60)
	for _, p := range e.all() {
		if _, err := e.seal(p); err != nil {
			t.Fatal(err)
		}
	}
	pieces := storedUnder(t, e, binaryPrefix(prefixPiece, 2)) // which are in memory yet
	if err := e.db.Flush(); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		if !s.rot(rand.New(rand.NewPCG(1, 2)), pieces[n*len(pieces)/5]) {
			t.Fatal("the piece is in no table")
		}
	}
	e.merging.Unlock()
	for seed := range uint64(20) {
		s.fill(e, 100+seed, 1, 150)
	}
	for _, p := range []event.Project{1, 3} {
		if !s.answers(e, p) {
			t.Errorf("project %d doesn't answer", p)
		}
	}
	s.mu.Lock()
	background := 0
	for _, n := range s.told {
		switch n := n.(type) {
		case Background:
			background++
		case Stalled:
			if strings.Contains(n.Reason, "L0") {
				t.Error(n)
			}
		}
	}
	s.mu.Unlock()
	if failed := e.db.Metrics().Compact.FailedCount; background > 0 || failed > 100 {
		t.Errorf("in the background, %d compactions failed, of which %d were told", failed, background)
	}
	t.Logf("%d tables lie in the topmost level", e.db.Metrics().Levels[0].TablesCount)
	mustClose(t, e)
}

// Where it can't be told whose manifest is gone, nobody is told that there was nothing.
func TestAProjectWhoseManifestMayBeGoneIsNotEmpty(t *testing.T) {
	s := newShelf(t, Options{})
	e := opened(t, s.opt)
	s.fill(e, 1, 3, 3)
	if err := e.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	manifest := storedUnder(t, e, manifestKey(3))[0]
	mustClose(t, e)
	s.rot(rand.New(rand.NewPCG(1, 2)), manifest)
	e = opened(t, s.opt)
	for p := range event.Project(6) {
		if s.answers(e, 1+p) == (p == 2) {
			t.Errorf("project %d answers: %t", 1+p, p == 2)
		}
	}
	if err := e.SetRetention(context.Background(), 3, 7); codeOf(err) != event.CodeDamaged {
		t.Errorf("set retention: %v", err)
	}
	mustClose(t, e)
}
