package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/engine/keyring"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// A sample is a data folder that holds some of all that the format knows: segments of months and of
// days, merged ones and others, runs of all kinds, a live log, records, a project whose window has taken
// events, one that was destroyed. One of each format is kept in the repository, so that a program that
// reads the format otherwise is found out.
const (
	sampleForever = event.Project(1)
	sampleWindow  = event.Project(2) // has segments of days
	sampleLive    = event.Project(3) // was never sealed
	sampleGone    = event.Project(4) // was destroyed

	sampleFolder = "data"
	sampleDays   = 30
	sampleStep   = 8 * 3600 * 1000 // milliseconds between two events of a project, about
)

// sampleRoot is the root key of all samples.
var sampleRoot = [32]byte{1}

// sampleMaker fills a new store, and a model beside it.
type sampleMaker struct {
	e      *engine.Engine
	model  *Model
	now    atomic.Int64
	merged atomic.Int64
	gens   map[event.Project]*eventtest.Gen
}

// sampleOptions opens the keyring of a sample and gives options for the store beside it.
func sampleOptions(fs vfs.FS, now func() time.Time) (engine.Options, *keyring.Keyring, error) {
	ring, err := keyring.Open(fs, sampleFolder, sampleRoot, keyring.Options{Now: now})
	if err != nil {
		return engine.Options{}, nil, err
	}
	return engine.Options{
		FS: fs, Now: now, CipherKey: ring.CipherKey, CipherBuckets: ring.CipherBuckets, DropCipherKey: ring.DropCipherKey,
		MemTableBytes: 64 << 10, FreeBytesMin: -1, FreePercentMin: -1,
		Fatal: func(reason string) { panic(reason) },
	}, ring, nil
}

// makeSample makes one on a disk in memory, and says what must be found in it.
func makeSample() (*vfs.MemFS, *expected, error) {
	disk := vfs.NewMem()
	m := &sampleMaker{model: NewModel(), gens: map[event.Project]*eventtest.Gen{}}
	m.now.Store(int64(eventtest.Start))
	opt, ring, err := sampleOptions(disk, m.clock)
	if err != nil {
		return nil, nil, err
	}
	opt.Notify = func(n engine.Notice) {
		if _, ok := n.(engine.Merged); ok {
			m.merged.Add(1)
		}
	}
	if m.e, err = engine.Open(storeIn(sampleFolder), opt); err != nil {
		return nil, nil, err
	}
	err = m.fill()
	want, failed := m.expect()
	if err = errors.Join(err, failed, m.e.Close()); err != nil {
		return nil, nil, err
	}
	opt.CipherKey = ring.KnownCipherKey
	want.Report, err = engine.Check(storeIn(sampleFolder), opt)
	return disk, want, err
}

func (m *sampleMaker) clock() time.Time { return time.UnixMilli(m.now.Load()) }

// fill seals three times, so that months and days that are met twice are merged, and others aren't.
func (m *sampleMaker) fill() error {
	ctx := context.Background()
	if err := m.e.PutRecords(ctx, sweptRecord(1), sweptRecord(2)); err != nil {
		return err
	}
	if err := m.e.SetRetention(ctx, sampleWindow, sampleDays); err != nil {
		return err
	}
	m.model.SetRetention(sampleWindow, sampleDays)
	for range 3 {
		for range 5 {
			for _, project := range []event.Project{sampleForever, sampleWindow, sampleGone} {
				if err := m.append(project, 14); err != nil {
					return err
				}
			}
		}
		if err := m.e.Compact(ctx); err != nil {
			return err
		}
	}
	if m.merged.Load() == 0 {
		return errors.New("nothing was merged")
	}
	if err := m.e.Destroy(ctx, sampleGone); err != nil {
		return err
	}
	return m.fillLog()
}

// append appends new events and some that were appended before. The clock goes on with the events, and
// never beyond.
func (m *sampleMaker) append(project event.Project, n int) error {
	gen := m.gens[project]
	if gen == nil {
		gen = eventtest.New(uint64(project), 12, sampleStep)
		m.gens[project] = gen
	}
	events := gen.Events(n)
	events = append(events, events[n/2])
	for i := range events {
		m.now.Store(max(m.now.Load(), int64(events[i].Time)))
	}
	m.model.Now(event.Time(m.now.Load()))
	m.model.Append(project, events)
	return m.e.Append(context.Background(), project, events)
}

// fillLog leaves groups in the log that are in no segment. Requests come at once, so that groups have parts
// of several projects.
func (m *sampleMaker) fillLog() error {
	for range 3 {
		var all sync.WaitGroup
		errs := make([]error, 3)
		for i, project := range []event.Project{sampleForever, sampleWindow, sampleLive} {
			events := eventtest.New(uint64(m.model.Snapshot(project).AsOf()), 12, 1000).Events(8)
			for j := range events {
				events[j].Time += event.Time(m.now.Load()) - eventtest.Start
			}
			m.model.Append(project, events)
			all.Go(func() { errs[i] = m.e.Append(context.Background(), project, events) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// expect takes down what the store shows, where the model agrees.
func (m *sampleMaker) expect() (*expected, error) {
	records, err := m.e.Records("project")
	if err != nil {
		return nil, err
	}
	want := &expected{At: event.Time(m.now.Load()), Records: records}
	for number := sampleForever; number <= sampleGone; number++ {
		p, err := look(m.e, number)
		if err != nil {
			return nil, err
		}
		if number != sampleGone {
			if d := m.model.Compare(number, p.AsOf, p.events); d != "" {
				return nil, fmt.Errorf("project %d: %s", number, d)
			}
		}
		want.Projects = append(want.Projects, p)
	}
	gone := want.Projects[sampleWindow-1]
	if taken := int(gone.AsOf) - len(gone.events); taken < 20 || !slices.ContainsFunc(gone.events, func(e event.Event) bool { return e.UserID != "" }) {
		return nil, fmt.Errorf("the window has taken %d events", taken)
	}
	return want, nil
}
