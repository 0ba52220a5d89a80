// Package backuptest holds any backup target against what backups rely on. It starts a few goroutines that write
// to the target at once, and waits for them. Nothing of its own reaches the disk: what it writes to the target, it removes.
package backuptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"millimetric/engine/backup"
	"millimetric/index/event"
)

// largeBytes is more than an upload of unknown length is cut into.
const largeBytes = 17<<20 + 11

// Target runs all there is against a target that is empty.
func Target(t *testing.T, target backup.Target) {
	for _, c := range []struct {
		name string
		test func(*testing.T, backup.Target)
	}{
		{"what was put is got", putAndGet},
		{"an object is replaced as a whole", replace},
		{"a put that fails leaves nothing of itself", failedPut},
		{"what isn't there is missing", missing},
		{"all objects are listed with their lengths", list},
		{"removing is final and can be repeated", remove},
		{"a name that can't be one is refused", badNames},
		{"several may write at once", together},
		{"an end of the context ends the work", ended},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, target)
			clear(t, target)
		})
	}
}

func bytesOf(n int, seed uint64) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func put(t *testing.T, target backup.Target, name string, content []byte) {
	t.Helper()
	if err := target.Put(t.Context(), name, bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, target backup.Target, name string) ([]byte, error) {
	t.Helper()
	r, err := target.Get(t.Context(), name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func want(t *testing.T, target backup.Target, name string, content []byte) {
	t.Helper()
	got, err := get(t, target, name)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%s: %d bytes, want %d (%v)", name, len(got), len(content), err)
	}
}

func putAndGet(t *testing.T, target backup.Target) {
	for _, n := range []int{0, 1, 4096, 1 << 20} {
		content := bytesOf(n, 1)
		put(t, target, fmt.Sprintf("a/b-%d", n), content)
		want(t, target, fmt.Sprintf("a/b-%d", n), content)
	}
	for _, n := range []int{0, 100, largeBytes} {
		content := bytesOf(n, 2)
		if err := target.Put(t.Context(), "stream", io.MultiReader(bytes.NewReader(content)), -1); err != nil {
			t.Fatal(err)
		}
		want(t, target, "stream", content)
	}
}

func replace(t *testing.T, target backup.Target) {
	for _, n := range []int{5000, 10, 6000} {
		content := bytesOf(n, 3)
		put(t, target, "head", content)
		want(t, target, "head", content)
	}
}

var errPlanned = errors.New("planned")

// failing reads some bytes, and then fails.
type failing struct{ left int }

// Read is part of io.Reader.
func (f *failing) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errPlanned
	}
	n := min(len(p), f.left)
	f.left -= n
	return n, nil
}

func failedPut(t *testing.T, target backup.Target) {
	old := bytesOf(100, 4)
	put(t, target, "x/old", old)
	for _, name := range []string{"x/old", "x/fresh"} {
		for _, n := range []int{0, 1000, largeBytes} {
			if err := target.Put(t.Context(), name, &failing{n}, -1); err == nil {
				t.Errorf("%s: a put of which reading failed after %d bytes succeeded", name, n)
			}
		}
		if err := target.Put(t.Context(), name, &failing{1000}, 2000); err == nil {
			t.Errorf("%s: a put of half its bytes succeeded", name)
		}
	}
	want(t, target, "x/old", old)
	if _, err := get(t, target, "x/fresh"); !errors.Is(err, event.ErrMissing) {
		t.Errorf("a put that failed left something: %v", err)
	}
}

func missing(t *testing.T, target backup.Target) {
	put(t, target, "there/a", []byte("x"))
	for _, name := range []string{"nothing", "there/b", "there/a/c"} {
		if _, err := get(t, target, name); !errors.Is(err, event.ErrMissing) && name != "there/a/c" || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func listed(t *testing.T, target backup.Target, prefix string) (names []string, lengths map[string]int64) {
	t.Helper()
	lengths = map[string]int64{}
	err := target.List(t.Context(), prefix, func(o backup.Object) error {
		names = append(names, o.Name)
		lengths[o.Name] = o.Bytes
		if age := time.Since(o.Modified); age > time.Hour || age < -time.Hour {
			t.Errorf("%s was modified at %v", o.Name, o.Modified)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names, lengths
}

func list(t *testing.T, target backup.Target) {
	if names, _ := listed(t, target, ""); len(names) > 0 {
		t.Errorf("an empty target lists %v", names)
	}
	var all []string
	for i := range 30 {
		name := fmt.Sprintf("t/log/%02d", i)
		all = append(all, name)
		put(t, target, name, bytesOf(i, 5))
	}
	put(t, target, "u", nil)
	names, lengths := listed(t, target, "t/")
	if !slices.Equal(names, all) {
		t.Errorf("listed: %v", names)
	}
	for i, name := range all {
		if lengths[name] != int64(i) {
			t.Errorf("%s: %d bytes, want %d", name, lengths[name], i)
		}
	}
	if names, _ = listed(t, target, ""); len(names) != len(all)+1 {
		t.Errorf("%d objects are listed, want %d", len(names), len(all)+1)
	}
	if err := target.List(t.Context(), "", func(backup.Object) error { return errPlanned }); !errors.Is(err, errPlanned) {
		t.Errorf("an error of the visitor became %v", err)
	}
}

func remove(t *testing.T, target backup.Target) {
	put(t, target, "r/a", []byte("x"))
	for range 2 {
		if err := target.Remove(t.Context(), "r/a"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := get(t, target, "r/a"); !errors.Is(err, event.ErrMissing) {
		t.Errorf("it is still there: %v", err)
	}
}

func badNames(t *testing.T, target backup.Target) {
	for _, name := range []string{"", "/a", "a/", "../a", "a/../b", "a//b", "A", "a b", ".new", "a/.b", "a\x00"} {
		if err := target.Put(t.Context(), name, bytes.NewReader(nil), 0); !errors.Is(err, event.ErrInput) {
			t.Errorf("%q: put: %v", name, err)
		}
		if _, err := target.Get(t.Context(), name); !errors.Is(err, event.ErrInput) {
			t.Errorf("%q: get: %v", name, err)
		}
		if err := target.Remove(t.Context(), name); !errors.Is(err, event.ErrInput) {
			t.Errorf("%q: remove: %v", name, err)
		}
	}
}

func together(t *testing.T, target backup.Target) {
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			content := bytesOf(10_000, uint64(i))
			for n := range 5 {
				name := fmt.Sprintf("w/%d/%d", i, n)
				if err := target.Put(t.Context(), name, bytes.NewReader(content), int64(len(content))); err != nil {
					t.Error(err)
				}
			}
			if err := target.Put(t.Context(), "w/all", bytes.NewReader(content), int64(len(content))); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	last, err := get(t, target, "w/all")
	whole := false
	for i := range 8 {
		content := bytesOf(10_000, uint64(i))
		whole = whole || bytes.Equal(last, content)
		want(t, target, fmt.Sprintf("w/%d/4", i), content)
	}
	if err != nil || !whole {
		t.Errorf("of what all wrote, none is there as a whole: %d bytes, %v", len(last), err)
	}
}

func ended(t *testing.T, target backup.Target) {
	put(t, target, "e", bytesOf(1<<20, 6))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := target.Put(ctx, "f", bytes.NewReader([]byte("x")), 1); err == nil {
		t.Error("a put went on")
	}
	r, err := target.Get(ctx, "e")
	if err == nil {
		_, err = io.ReadAll(r)
		_ = r.Close()
	}
	if err == nil {
		t.Error("a get went on")
	}
}

func clear(t *testing.T, target backup.Target) {
	names, _ := listed(t, target, "")
	for _, name := range names {
		if err := target.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}
