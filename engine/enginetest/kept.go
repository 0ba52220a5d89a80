package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// kept is a closed store, and all that it answered before.
type kept struct {
	disk    *vfs.MemFS
	events  map[event.Project][]event.Event
	records []engine.Record
	files   map[string][]string // that hold anything, by kind
	newest  string              // the newest log
}

const (
	keptFolder = "data"
	// So many events make segments, and so many segments merges.
	keptSealRows, keptSegmentRows = 100, 1000
)

// newKept makes a store, the events of which lie in tables, in the log, or in both, and whose log was
// begun anew a few times or often.
func newKept(random *rand.Rand) (*kept, error) {
	k := &kept{disk: vfs.NewCrashableMem(), events: map[event.Project][]event.Event{}, files: map[string][]string{}}
	for session := range 2 {
		opt, err := k.options(k.disk, nil)
		if err != nil {
			return nil, err
		}
		opt.MemTableBytes = 64 << 10 << (3 * random.IntN(3))
		e, err := engine.Open(storeIn(keptFolder), opt)
		if err != nil {
			return nil, err
		}
		err = k.fill(e, random, session)
		if err == nil && session == 0 {
			err = e.Compact(context.Background()) // so that there are segments for certain
		}
		if err != nil {
			return nil, errors.Join(err, e.Close())
		}
		if err := e.Close(); err != nil {
			return nil, err
		}
	}
	return k, k.list()
}

// options are those of a store on a disk, beside its keyring. What ends the process is noted in ended;
// the goroutine that wanted it never goes on, as it wouldn't in earnest.
func (k *kept) options(disk vfs.FS, ended *atomic.Pointer[string]) (engine.Options, error) {
	var ticks atomic.Int64
	opt, err := sweptOptions(keptFolder, disk, func() time.Time { return time.UnixMilli(int64(eventtest.Start) + ticks.Add(1)) })
	opt.SealRows, opt.SegmentRows = keptSealRows, keptSegmentRows
	opt.Fatal = func(reason string) {
		if ended == nil {
			panic(reason)
		}
		ended.Store(&reason)
		select {}
	}
	return opt, err
}

func (k *kept) fill(e *engine.Engine, random *rand.Rand, session int) error {
	gen := eventtest.New(random.Uint64(), 30, 10_000)
	for n := range 40 + 80*random.IntN(2) {
		events := gen.Events(1 + random.IntN(40))
		for i := range events {
			events[i].ID = fmt.Sprintf("%d-%d-%d", session, n, i)
		}
		project := event.Project(1 + random.IntN(projects))
		if err := e.Append(context.Background(), project, events); err != nil {
			return err
		}
		if n%10 == 0 {
			if err := e.PutRecords(context.Background(), sweptRecord(1000*session+n)); err != nil {
				return err
			}
		}
	}
	if err := leaveInLog(e, gen.Event()); err != nil {
		return err
	}
	for p := range event.Project(projects) {
		events, err := Stored(e, 1+p)
		if err != nil {
			return err
		}
		k.events[1+p] = events
	}
	records, err := e.Records("project")
	k.records = records
	return err
}

// leaveInLog waits until no seal is due, and appends an event where nothing is live then, so that the log has a
// group whenever the store is closed.
func leaveInLog(e *engine.Engine, ev event.Event) error {
	live := uint64(0)
	for p := range event.Project(projects) {
		own := e.Footprint(1 + p).Live.Count
		for ; own >= keptSealRows; own = e.Footprint(1 + p).Live.Count {
			time.Sleep(time.Millisecond)
		}
		live += own
	}
	if live > 0 {
		return nil
	}
	return e.Append(context.Background(), 1, []event.Event{ev})
}

// list finds the files.
func (k *kept) list() error {
	for _, dir := range []string{keptFolder, storeIn(keptFolder)} {
		names, err := k.disk.List(dir)
		if err != nil {
			return err
		}
		slices.Sort(names)
		for _, name := range names {
			file := k.disk.PathJoin(dir, name)
			facts, err := k.disk.Stat(file)
			if err != nil {
				return err
			}
			if facts.IsDir() || facts.Size() == 0 {
				continue
			}
			k.files[kindOf(file)] = append(k.files[kindOf(file)], file)
			if kindOf(file) == ".log" {
				k.newest = file
			}
		}
	}
	if len(k.files[".log"]) == 0 || len(k.files[".sst"]) == 0 || len(k.files["MANIFEST"]) == 0 || len(k.files["keyring"]) == 0 {
		return fmt.Errorf("the files are %v", k.files)
	}
	return nil
}

func kindOf(file string) string {
	if ext := filepath.Ext(file); ext == ".log" || ext == ".sst" || ext == ".blob" {
		return ext
	}
	kind, _, _ := strings.Cut(filepath.Base(file), "-")
	return kind
}

// spot is where bytes were damaged.
type spot struct {
	file  string
	at    int64
	bytes int
	bit   int   // -1 where bytes were zeroed
	left  int64 // from there to the end of the file
}

func (p spot) String() string {
	if p.bit < 0 {
		return fmt.Sprintf("%s: %d zeros at %d", p.file, p.bytes, p.at)
	}
	return fmt.Sprintf("%s: bit %d of byte %d", p.file, p.bit, p.at)
}

func (k *kept) copy(random *rand.Rand) *vfs.MemFS {
	return k.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: random})
}

// forge adds an event.
func (k *kept) forge(disk *vfs.MemFS) error {
	opt, err := k.options(disk, nil)
	if err != nil {
		return err
	}
	e, err := engine.Open(storeIn(keptFolder), opt)
	if err != nil {
		return err
	}
	return errors.Join(e.Append(context.Background(), 1, []event.Event{{Name: "forged"}}), e.Close())
}

// damage changes one file. Kinds of files take equal turns.
func (k *kept) damage(disk *vfs.MemFS, random *rand.Rand) (at spot, err error) {
	kinds := make([]string, 0, len(k.files))
	for kind := range k.files {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	names := k.files[kinds[random.IntN(len(kinds))]]
	at.file = names[random.IntN(len(names))]
	text, err := readFile(disk, at.file)
	if err != nil {
		return at, err
	}
	before := bytes.Clone(text)
	for bytes.Equal(before, text) { // zeros may lie there already
		i := random.IntN(len(text))
		if random.IntN(3) == 0 {
			i -= i % 4096
			at.at, at.bytes, at.bit = int64(i), min(4096, len(text)-i), -1
			clear(text[i : i+at.bytes])
		} else {
			at.at, at.bytes, at.bit = int64(i), 1, random.IntN(8)
			text[i] ^= 1 << at.bit
		}
		at.left = int64(len(text)) - at.at
	}
	return at, writeFile(disk, at.file, text)
}

func readFile(disk *vfs.MemFS, name string) (text []byte, err error) {
	f, err := disk.Open(name)
	if err != nil {
		return nil, err
	}
	facts, err := f.Stat()
	if err == nil {
		text = make([]byte, facts.Size())
		_, err = f.ReadAt(text, 0)
	}
	return text, errors.Join(err, f.Close())
}

func writeFile(disk *vfs.MemFS, name string, text []byte) error {
	f, err := disk.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	return errors.Join(err, f.Sync(), f.Close())
}
