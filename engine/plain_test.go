package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"millimetric/engine"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// recordKinds are what the program keeps beside events.
var recordKinds = []string{"account", "project", "key"}

// marks are words that nothing else holds, one for each kind of content. So a scan of the disk says
// not only that something shows, but what.
type marks map[string]string

func newMarks(random *rand.Rand) marks {
	m := marks{}
	add := func(what string) {
		letters := make([]byte, 14)
		for i := range letters {
			letters[i] = 'a' + byte(random.IntN(26))
		}
		m[what] = string(letters)
	}
	fields := reflect.TypeFor[event.Event]()
	for i := range fields.NumField() {
		if fields.Field(i).Type.Kind() == reflect.String {
			add(fields.Field(i).Name)
		}
	}
	for _, kind := range recordKinds {
		add("record " + kind)
	}
	add("property name")
	add("property nested")
	return m
}

// event marks every text of an event.
func (m marks) event(e event.Event, n int) event.Event {
	v := reflect.ValueOf(&e).Elem()
	for i := range v.NumField() {
		if mark, ok := m[v.Type().Field(i).Name]; ok {
			v.Field(i).SetString(fmt.Sprintf("%s %s", mark, v.Field(i).String()))
		}
	}
	e.ID = fmt.Sprintf("%s %d", e.ID, n)
	e.Properties = fmt.Sprintf(`{"text":%q,%q:true,"more":{"deep":[%q,%d]}}`, m["Properties"], m["property name"], m["property nested"], n)
	return e
}

// fill puts marked events of three projects and marked records into a store. What it writes is enough
// for logs and tables; the second opening moves what the first left in the log.
func (m marks) fill(t *testing.T, folder string, opt engine.Options) {
	t.Helper()
	gen := eventtest.New(5, 20, 1000)
	for session := range 2 {
		e, err := engine.Open(folder, opt)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 60 {
			events := gen.Events(20)
			for i := range events {
				events[i] = m.event(events[i], session<<20|n<<10|i)
			}
			appended(t, e, event.Project(1+n%3), events...)
			kind := recordKinds[n%len(recordKinds)]
			if err := e.PutRecords(context.Background(), engine.Record{Kind: kind, ID: fmt.Sprint("id_", n), Value: []byte(`{"name":"` + m["record "+kind] + `"}`)}); err != nil {
				t.Fatal(err)
			}
		}
		closed(t, e)
	}
}

// seen says which marks stand in the files of a folder, or in their names, and how many files and
// bytes there are.
func (m marks) seen(t *testing.T, folder string) (shown []string, files, size int) {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		files, size = files+1, size+len(text)
		text = append(bytes.ToLower(text), strings.ToLower(name)...)
		for what, mark := range m {
			if bytes.Contains(text, []byte(mark)) {
				found[what] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for what := range found {
		shown = append(shown, what)
	}
	slices.Sort(shown)
	return shown, files, size
}

func TestProofNoKindOfContentShowsOnDisk(t *testing.T) {
	seed := enginetest.Seed(t)
	m := newMarks(rand.New(rand.NewPCG(seed, 0x706c61696e)))
	opt := engine.Options{Now: clock, CipherKey: enginetest.CipherKey, FreeBytesMin: -1, FreePercentMin: -1, MemTableBytes: 64 << 10}
	folder := filepath.Join(t.TempDir(), "store")
	m.fill(t, folder, opt)
	shown, files, size := m.seen(t, folder)
	enginetest.Say(t, "S1", "seed=%d kinds=%d shown=%d files=%d bytes=%d", seed, len(m), len(shown), files, size)
	if len(shown) != 0 {
		t.Errorf("seed=%d: the disk shows %v", seed, shown)
	}
	clear := filepath.Join(t.TempDir(), "store")
	m.fill(t, clear, engine.InClear(opt))
	shown, files, size = m.seen(t, clear)
	enginetest.Say(t, "S1 control: nothing is encrypted", "seed=%d kinds=%d shown=%d files=%d bytes=%d", seed, len(m), len(shown), files, size)
	if len(shown) != len(m) {
		t.Errorf("seed=%d: without encryption only %v of %d kinds are found: the search is blind to the others", seed, shown, len(m))
	}
}
