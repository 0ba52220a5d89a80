package engine

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestTheLastKeyThatFailsIsFound(t *testing.T) {
	const farthest = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	to := func(last string) func([]byte) bool {
		return func(key []byte) bool { return string(key) >= "M1" && string(key) <= last }
	}
	before := func(end string) func([]byte) bool {
		return func(key []byte) bool { return string(key) >= "M1" && string(key) < end }
	}
	for name, c := range map[string]struct {
		fails      func([]byte) bool
		last, next string
	}{
		"one key":                     {to("M1"), "M1", "M1\x00"},
		"a key of the same beginning": {to("M1\x00\xfe"), "M1\x00\xfe", "M1\x00\xfe\x00"},
		"all but a byte":              {to("M1\xff\x61"), "M1\xff\x61", "M1\xff\x61\x00"},
		"a key far behind":            {to("Sab\xff\xff\x00\xff"), "Sab\xff\xff\x00\xff", "Sab\xff\xff\x00\xff\x00"},
		"the end of a table that can't be opened, before a key": {before("Sab4"), "Sab3\xff" + farthest, "Sab4"},
		"the same, behind many":                                 {before("Sb\x00"), "Sb", "Sb\x00"},
		"the same, behind the highest byte":                     {before("Sab\xff\xff\x01"), "Sab\xff\xff\x00\xff" + farthest, "Sab\xff\xff\x01"},
		"all keys":                                              {before("\xff\xff" + farthest + "\xff"), "\xff" + farthest, "\xff" + farthest},
	} {
		looks := 0
		last, next := lastThatFails([]byte("M1"), func(key []byte) bool { looks++; return c.fails(key) })
		if string(last) != c.last || string(next) != c.next {
			t.Errorf("%s: %q and %q, want %q and %q", name, last, next, c.last, c.next)
		}
		if most := 256 * (len(c.last) + 3); looks > most {
			t.Errorf("%s: %d looks, more than %d", name, looks, most)
		}
	}
	if last, next := lastThatFails([]byte("M1"), to(strings.Repeat("M1", storeKeyMax))); last != nil || next != nil {
		t.Errorf("a key that is longer than any: %.9q and %.9q", last, next)
	}
}

// tableReads counts, by place, how often tables are read.
type tableReads struct {
	vfs.FS
	mu sync.Mutex // guards at
	at map[blockPlace]int
}

func (r *tableReads) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := r.FS.Open(name, opts...)
	return countedTable{file, filepath.Base(name), r}, err
}

type countedTable struct {
	vfs.File
	name string
	in   *tableReads
}

func (f countedTable) ReadAt(dst []byte, at int64) (int, error) {
	f.in.mu.Lock()
	f.in.at[blockPlace{f.name, at}]++
	f.in.mu.Unlock()
	return f.File.ReadAt(dst, at)
}

// To find the bit that explains a wrong checksum takes Pebble long: whoever asks again must not pay for it again.
func TestADamagedBlockIsNotReadAgainForAWhile(t *testing.T) {
	s, all := filed(t)
	if !s.rot(rand.New(rand.NewPCG(1, 2)), s.stored(recordKey("key", "key-2"))) {
		t.Fatal("the record is in no table")
	}
	reads := &tableReads{FS: s.fs, at: map[blockPlace]int{}}
	s.opt.FS = reads
	e := opened(t, s.opt)
	defer mustClose(t, e)
	looked := func() int {
		t.Helper()
		if names, lost := readable(t, e); len(names) != len(all)-1 || len(lost) != 1 || !lost[0].Has("key-2") {
			t.Fatalf("read %v, lost %v", names, lost)
		}
		known := *e.bad.known.Load()
		if len(known) != 1 {
			t.Fatalf("%d blocks are held to be damaged: %v", len(known), known)
		}
		reads.mu.Lock()
		defer reads.mu.Unlock()
		for place := range known {
			return reads.at[place]
		}
		return 0
	}
	first := looked()
	if again := looked(); again != first || first == 0 || first > 2 {
		t.Errorf("the block was read %d times, and %d times by who asked again", first, again-first)
	}
	known := map[blockPlace]badBlock{}
	for place, one := range *e.bad.known.Load() {
		known[place] = badBlock{one.why, one.since.Add(-badBlockFor)}
	}
	e.bad.known.Store(&known)
	if later := looked(); later != first+1 {
		t.Errorf("once the time is over, the block was read %d times", later-first)
	}
}

func TestAKeyBehindAllOfABeginning(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a\xff\xff": "b", "a\xff\x01": "a\xff\x02"} {
		if got := keyBehind([]byte(prefix)); string(got) != want {
			t.Errorf("behind %q lies %q, want %q", prefix, got, want)
		}
	}
	if all := []byte{0xff, 0xff}; bytes.Compare(keyBehind(all), append(all, 0xff)) <= 0 {
		t.Error("nothing lies behind the highest bytes")
	}
}
