package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

func TestStoresOfOtherFormatsAreRefusedClearlyAndMakeNoCipherKey(t *testing.T) {
	for value, says := range map[string]string{
		"2": "format 2, this program reads 3: import again", "4\x00x": "use a newer program", "3": "nothing stands behind",
	} {
		fs := vfs.NewMem()
		closed(t, open(t, fs))
		tamper(t, fs, func(db *pebble.DB) error { return db.Set([]byte("Mformat"), []byte(value), pebble.Sync) })
		opt := options(fs)
		opt.CipherKey = func(event.Project, int32) ([32]byte, error) {
			t.Errorf("format %q: a cipher key was asked for", value)
			return [32]byte{}, nil
		}
		if _, err := engine.Open("store", opt); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("format %q: %v", value, err)
		}
		if report, err := engine.Check("store", opt); err != nil || !strings.Contains(fmt.Sprint(report.Problems), says) {
			t.Errorf("format %q: check: %v, %v", value, report.Problems, err)
		}
	}
}

func TestWrongCipherKeysAreAClearErrorAtStart(t *testing.T) {
	fs := vfs.NewMem()
	e := open(t, fs)
	appended(t, e, 1, event.Event{Name: "a"})
	closed(t, e)
	opt := options(fs)
	opt.CipherKey = func(project event.Project, bucket int32) ([32]byte, error) { return [32]byte{1}, nil }
	_, err := engine.Open("store", opt)
	if !errors.Is(err, event.ErrDenied) || !strings.Contains(err.Error(), "under other cipher keys") {
		t.Errorf("open: %v", err)
	}
	report, err := engine.Check("store", opt)
	if err != nil || len(report.Problems) != 1 || !strings.Contains(report.Problems[0], "under other cipher keys") {
		t.Errorf("check: %v, %v", report.Problems, err)
	}
	opt.CipherKey = nil
	if _, err := engine.Open("store", opt); err == nil {
		t.Error("a store was opened without cipher keys")
	}
	closed(t, open(t, fs))
}

func TestAnEventWhoseCipherKeyCannotBeHadIsRefused(t *testing.T) {
	fs, none := vfs.NewMem(), errors.New("no more cipher keys")
	opt := options(fs)
	opt.CipherKey = func(project event.Project, bucket int32) ([32]byte, error) {
		if project == 2 {
			return [32]byte{}, none
		}
		return enginetest.CipherKey(project, bucket)
	}
	e, err := engine.Open("store", opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Append(context.Background(), 2, []event.Event{{Name: "a"}}); !errors.Is(err, none) {
		t.Errorf("got %v", err)
	}
	appended(t, e, 1, event.Event{Name: "a"})
	closed(t, e)
	// A key that is missing later is no damage.
	opt.CipherKey = func(project event.Project, bucket int32) ([32]byte, error) {
		if project == 1 {
			return [32]byte{}, none
		}
		return enginetest.CipherKey(project, bucket)
	}
	if _, err := engine.Open("store", opt); !errors.Is(err, none) || errors.Is(err, event.ErrDamaged) {
		t.Errorf("open: %v", err)
	}
}

// frame is a group as it lies in the store.
type frame struct {
	number, committed uint64
	parts             []framePart
}

type framePart struct {
	project       uint32
	first, events uint64
	rows          []byte
}

func readFrame(value []byte) (f frame) {
	rest := value[1 : len(value)-4]
	uv := func() uint64 {
		v, n := binary.Uvarint(rest)
		rest = rest[n:]
		return v
	}
	f.number, f.committed = uv(), uv()
	for range uv() {
		p := framePart{project: binary.LittleEndian.Uint32(rest)}
		rest = rest[4:]
		p.first, p.events = uv(), uv()
		n := uv()
		p.rows, rest = rest[:n:n], rest[n:]
		f.parts = append(f.parts, p)
	}
	return f
}

func (f frame) value() []byte {
	b := binary.AppendUvarint([]byte{2}, f.number)
	b = binary.AppendUvarint(b, f.committed)
	b = binary.AppendUvarint(b, uint64(len(f.parts)))
	for _, p := range f.parts {
		b = binary.LittleEndian.AppendUint32(b, p.project)
		b = binary.AppendUvarint(b, p.first)
		b = binary.AppendUvarint(b, p.events)
		b = binary.AppendUvarint(b, uint64(len(p.rows)))
		b = append(b, p.rows...)
	}
	return checksummed(b)
}

func checksummed(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// oneKey makes all cipher keys equal, so that it is the place that tells values apart.
func oneKey(fs vfs.FS) engine.Options {
	opt := options(fs)
	opt.CipherKey = func(event.Project, int32) ([32]byte, error) { return [32]byte{1}, nil }
	return opt
}

// threeGroups makes a store with a group of project 1 in one part, one in two parts, and one of
// project 2; and two records.
func threeGroups(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	e, err := engine.Open("store", oneKey(fs))
	if err != nil {
		t.Fatal(err)
	}
	appended(t, e, 1, event.Event{Name: "a"})
	appended(t, e, 1, make([]event.Event, 20)...)
	appended(t, e, 2, event.Event{Name: "b"})
	put := []engine.Record{{Kind: "k", ID: "1", Value: []byte("one")}, {Kind: "k", ID: "2", Value: []byte("two")}}
	if err := e.PutRecords(context.Background(), put...); err != nil {
		t.Fatal(err)
	}
	closed(t, e)
	return fs
}

func groupKey(n byte) []byte { return []byte{'L', 0, 0, 0, 0, 0, 0, 0, n} }

func stored(db *pebble.DB, key []byte) []byte {
	value, closer, err := db.Get(key)
	if err != nil {
		panic(err)
	}
	defer closer.Close()
	return bytes.Clone(value)
}

// wantDamaged expects that the damage is found and that the store key is named.
func wantDamaged(t *testing.T, what string, fs vfs.FS, key []byte) {
	t.Helper()
	name := fmt.Sprintf("store key %x", key)
	_, err := engine.Open("store", oneKey(fs))
	if !errors.Is(err, event.ErrDamaged) || !strings.Contains(err.Error(), name) {
		t.Errorf("%s: open: %v", what, err)
	}
	report, err := engine.Check("store", oneKey(fs))
	if err != nil || !strings.Contains(fmt.Sprint(report.Problems), name) {
		t.Errorf("%s: check: %v, %v", what, report.Problems, err)
	}
}

func TestChangedBitsAreFoundWhereTheChecksumWasPutRight(t *testing.T) {
	left := threeGroups(t)
	seed := rand.Uint64N(1 << 40)
	r := rand.New(rand.NewPCG(seed, 7))
	for range 150 {
		fs := left.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: r})
		key := groupKey(byte(1 + r.IntN(3)))
		bit := 0
		tamper(t, fs, func(db *pebble.DB) error {
			value := stored(db, key)
			body := value[:len(value)-4]
			bit = r.IntN(8 * len(body))
			body[bit/8] ^= 1 << (bit % 8)
			return db.Set(key, checksummed(body), pebble.Sync)
		})
		wantDamaged(t, fmt.Sprintf("seed=%d bit %d", seed, bit), fs, key)
	}
}

func TestPartsThatWereMovedAreFound(t *testing.T) {
	left := threeGroups(t)
	r := rand.New(rand.NewPCG(1, 1))
	for name, c := range map[string]struct {
		damaged byte
		change  func(first, second, third *frame)
	}{
		"into another group":              {2, func(a, b, _ *frame) { b.parts[0].rows = a.parts[0].rows }},
		"into another project":            {3, func(a, _, c *frame) { c.parts[0].rows = a.parts[0].rows }},
		"both ways":                       {1, func(a, _, c *frame) { a.parts[0].rows, c.parts[0].rows = c.parts[0].rows, a.parts[0].rows }},
		"within a group":                  {2, func(_, b, _ *frame) { b.parts[0].rows, b.parts[1].rows = b.parts[1].rows, b.parts[0].rows }},
		"out of the group":                {2, func(_, b, _ *frame) { b.parts = b.parts[:1] }},
		"to another project, with a head": {1, func(a, _, _ *frame) { a.parts[0].project = 2 }},
		"to another time":                 {1, func(a, _, _ *frame) { a.committed++ }},
		"to another position":             {1, func(a, _, _ *frame) { a.parts[0].first++ }},
		"among fewer events":              {2, func(_, b, _ *frame) { b.parts[1].events-- }},
		"as a whole group":                {2, func(a, b, _ *frame) { b.parts = a.parts }},
	} {
		fs := left.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: r})
		tamper(t, fs, func(db *pebble.DB) error {
			var frames [3]frame
			for i := range frames {
				value := stored(db, groupKey(byte(1+i)))
				if frames[i] = readFrame(value); !bytes.Equal(frames[i].value(), value) {
					t.Fatal("the test reads groups wrongly")
				}
			}
			c.change(&frames[0], &frames[1], &frames[2])
			var errs []error
			for i, f := range frames {
				errs = append(errs, db.Set(groupKey(byte(1+i)), f.value(), pebble.Sync))
			}
			return errors.Join(errs...)
		})
		wantDamaged(t, name, fs, groupKey(c.damaged))
	}
}

func TestARecordInAnothersPlaceIsFound(t *testing.T) {
	fs := threeGroups(t)
	from, to := []byte("Rk\x001"), []byte("Rk\x002")
	tamper(t, fs, func(db *pebble.DB) error { return db.Set(to, stored(db, from), pebble.Sync) })
	e, err := engine.Open("store", oneKey(fs))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Records("k"); !errors.Is(err, event.ErrDamaged) || !strings.Contains(err.Error(), fmt.Sprintf("store key %x", to)) {
		t.Errorf("records: %v", err)
	}
	closed(t, e)
	report, err := engine.Check("store", oneKey(fs))
	if err != nil || len(report.Problems) != 1 {
		t.Errorf("check: %v, %v", report.Problems, err)
	}
}

// mark stands in every text that must not be found on disk.
const mark = "qzxvkjwq"

// marked returns events every text of which holds the mark.
func marked(gen *eventtest.Gen, n int) []event.Event {
	events := gen.Events(n)
	for i := range events {
		v := reflect.ValueOf(&events[i]).Elem()
		for f := range v.NumField() {
			if field := v.Field(f); field.Kind() == reflect.String {
				field.SetString(fmt.Sprintf("%s %s %d", mark, field.String(), i))
			}
		}
		events[i].ID = fmt.Sprintf("%s %d", events[i].ID, events[i].Time)
	}
	return events
}

// markedStore makes a store of marked events and records, and returns how often the mark stands in
// its files, and the beginnings of the names of those that were searched.
func markedStore(t *testing.T, opt engine.Options) (folder string, hits int, files string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "store")
	e, err := engine.Open(folder, opt)
	if err != nil {
		t.Fatal(err)
	}
	gen := eventtest.New(5, 20, 1000)
	for n := range 60 {
		appended(t, e, event.Project(1+n%2), marked(gen, 20)...)
		record := engine.Record{Kind: "project", ID: fmt.Sprint("prj_", n), Value: []byte(mark + " shop, https://" + mark + ".example")}
		if err := e.PutRecords(context.Background(), record); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, e)
	err = filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		hits += bytes.Count(text, []byte(mark)) + strings.Count(name, mark)
		files += " " + filepath.Base(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder, hits, files
}

func TestNoByteOnDiskTellsWhatWasStored(t *testing.T) {
	opt := engine.Options{Now: clock, CipherKey: enginetest.CipherKey, FreeBytesMin: -1, FreePercentMin: -1, MemTableBytes: 64 << 10}
	folder, hits, files := markedStore(t, opt)
	if hits != 0 {
		t.Errorf("the disk shows %d texts", hits)
	}
	for _, kind := range []string{".sst", ".log", "MANIFEST-", "OPTIONS-"} {
		if !strings.Contains(files, kind) {
			t.Errorf("no file of kind %s among%s", kind, files)
		}
	}
	e, err := engine.Open(folder, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, e)
	for _, ev := range enginetest.Events(e.Snapshot(1)) {
		if !strings.Contains(ev.Properties, mark) || !strings.Contains(ev.UserID, mark) {
			t.Fatalf("the events that were searched for are %+v", ev)
		}
	}
	records, err := e.Records("project")
	if err != nil || len(records) != 60 || !bytes.Contains(records[0].Value, []byte(mark)) || e.Snapshot(1).AsOf() != 600 {
		t.Errorf("%d records, %d events, %v", len(records), e.Snapshot(1).AsOf(), err)
	}
	if _, hits, _ := markedStore(t, engine.InClear(opt)); hits < 60 {
		t.Errorf("without encryption only %d texts are found: the search is blind", hits)
	}
}
