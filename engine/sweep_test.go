package engine

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
)

// files returns all bytes of all files below a folder, and of those below "incoming" the names.
func files(t *testing.T, fs vfs.FS, dir string) (all [][]byte, incoming []string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		facts, err := fs.Stat(path)
		if err != nil {
			continue // it was removed meanwhile
		}
		if facts.IsDir() {
			inner, _ := files(t, fs, path)
			all = append(all, inner...)
			if name == "incoming" {
				incoming, _ = fs.List(path)
			}
			continue
		}
		file, err := fs.Open(path)
		if err != nil {
			continue
		}
		text := make([]byte, facts.Size())
		if _, err := file.ReadAt(text, 0); err != nil && len(text) > 0 {
			t.Fatal(err)
		}
		file.Close()
		all = append(all, text)
	}
	return all, incoming
}

// lying returns how many of the values lie in the files below a folder.
func lying(t *testing.T, fs vfs.FS, values [][]byte) (n int) {
	t.Helper()
	all, _ := files(t, fs, "store")
	for _, value := range values {
		for _, text := range all {
			if bytes.Contains(text, value[:min(len(value), 512)]) {
				n++
				break
			}
		}
	}
	return n
}

// With the day on which the time of events is over, their bytes leave the disk, encrypted as they are: out
// of the log, of tables, and of Pebble's own logs.
func TestWhatIsOverLeavesTheDiskWithinTheDay(t *testing.T) {
	fs := vfs.NewCrashableMem()
	c := newCalendar(t, Options{FS: fs, SealRows: 1 << 20, MemTableBytes: 64 << 10})
	if err := c.e.SetRetention(context.Background(), 1, 3); err != nil {
		t.Fatal(err)
	}
	if err := c.e.SetRetention(context.Background(), 2, 0); err != nil {
		t.Fatal(err)
	}
	var over [][]byte
	remember := func(prefix []byte) { over = append(over, storedUnder(t, c.e, prefix)...) }
	for n := range 4 {
		c.day(c.now, 50)
		if n == 2 {
			remember([]byte{prefixGroup})
			if _, err := c.e.seal(c.e.projects[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	remember([]byte{prefixGroup})
	for _, s := range c.e.projects[1].newest().manifest.segments {
		remember(thing{1, s.bucket, s.stamp}.key(nil))
	}
	c.compact() // which merges what was sealed with the rest
	for _, s := range c.e.projects[1].newest().manifest.segments {
		remember(thing{1, s.bucket, s.stamp}.key(nil))
	}
	c.day(c.now.Add(time.Hour), 50) // and some that stay in the log
	remember([]byte{prefixGroup})
	before := lying(t, fs, over)
	if len(over) < 5 || before < len(over)/2 {
		t.Fatalf("of %d values, %d lie on the disk", len(over), before)
	}
	for range 4 {
		c.pass(24 * time.Hour)
		c.day(c.now, 10)
		for n := range 20 { // another project goes on writing
			if err := c.e.Append(context.Background(), 2, []event.Event{{Time: event.TimeOf(c.now), Name: fmt.Sprint(n)}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.e.tidy(); err != nil {
			t.Fatal(err)
		}
	}
	left := lying(t, fs, over)
	for range 100 { // Pebble removes files in the background
		if left == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
		left = lying(t, fs, over)
	}
	if left > 0 {
		t.Errorf("of %d values, %d lay on the disk before their time was over, and %d after it", len(over), before, left)
	}
	if _, incoming := files(t, fs, "store"); len(incoming) > 0 {
		t.Errorf("tables are left: %v", incoming)
	}
	if got := len(c.events()); got != 40 {
		t.Errorf("%d events are left, want 40", got)
	}
	mustClose(t, c.e)
}
