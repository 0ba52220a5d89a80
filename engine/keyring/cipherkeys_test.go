package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"millimetric/index/event"
)

func (b *bench) cipherKey(project event.Project, bucket int32) [32]byte {
	b.t.Helper()
	key, err := b.ring.CipherKey(project, bucket)
	if err != nil {
		b.t.Fatal(err)
	}
	return key
}

func TestCipherKeysDifferAndSurviveARestart(t *testing.T) {
	b := start(t)
	seen := map[[32]byte]string{}
	for range 2 {
		for _, project := range []event.Project{0, 1, 1<<32 - 1} {
			for _, bucket := range []int32{-1 << 31, -1, 0, 1<<31 - 1} {
				name := fmt.Sprintf("project %d bucket %d", project, bucket)
				key := b.cipherKey(project, bucket)
				if other, ok := seen[key]; ok && other != name {
					t.Errorf("%s and %s share a cipher key", name, other)
				}
				if known, err := b.ring.KnownCipherKey(project, bucket); err != nil || known != key {
					t.Errorf("%s: known is another one, %v", name, err)
				}
				seen[key] = name
			}
		}
		b.reopen()
	}
	if len(seen) != 12 {
		t.Errorf("%d cipher keys for 12 names: some changed over a restart", len(seen))
	}
}

func TestADroppedCipherKeyIsGoneFromTheFileAndNeverComesBack(t *testing.T) {
	b := start(t)
	kept, dropped := b.cipherKey(1, -1), b.cipherKey(1, 7)
	if err := b.ring.DropCipherKey(1, 7); err != nil {
		t.Fatal(err)
	}
	if err := b.ring.DropCipherKey(1, 7); err != nil {
		t.Errorf("again: %v", err)
	}
	if held := b.onDisk(); len(held.Ciphers) != 1 {
		t.Errorf("the file holds %d cipher keys", len(held.Ciphers))
	}
	for range 2 {
		if _, err := b.ring.KnownCipherKey(1, 7); !errors.Is(err, event.ErrMissing) {
			t.Errorf("a dropped key is known: %v", err)
		}
		b.reopen()
	}
	if b.cipherKey(1, 7) == dropped || b.cipherKey(1, -1) != kept {
		t.Error("a dropped key came back, or the wrong one was dropped")
	}
}

// The file that is replaced stays open, as a copy of its blocks on a disk would stay: what can be read
// of it must be gone.
func TestTheFileThatHeldWhatHadToGoIsOverwritten(t *testing.T) {
	for _, c := range []struct {
		name string
		act  func(b *bench) error
	}{
		{"a cipher key", func(b *bench) error { return b.ring.DropCipherKey(1, 7) }},
		{"an identity secret", func(b *bench) error { return b.ring.DropProjectKey(1) }},
		{"a root key", func(b *bench) error { return b.ring.Rewrap([32]byte{8}) }},
		{"a day's salts", func(b *bench) error { b.clock.set(testDay+1, 0); return b.ring.Rotate() }},
		{"a lease", func(b *bench) error { return b.ring.EndLease("log") }},
	} {
		b := &bench{t: t, fs: vfs.Default, dir: t.TempDir(), clock: &clock{}}
		b.clock.set(testDay, 12*time.Hour)
		b.reopen()
		b.salt(testDay-1, "log")
		b.cipherKey(1, 7)
		if _, err := b.ring.ProjectKey(1); err != nil {
			t.Fatal(err)
		}
		name := b.fs.PathJoin(b.dir, fileName)
		held, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		before, err := os.ReadFile(name)
		if err == nil {
			err = c.act(b)
		}
		after, wrong := io.ReadAll(held)
		if err != nil || wrong != nil || len(after) != len(before) {
			t.Fatalf("%s: %v, %v: %d bytes of %d", c.name, err, wrong, len(after), len(before))
		}
		if bytes.Count(after, []byte{0}) != len(after) {
			t.Errorf("%s: the replaced file still holds what it held", c.name)
		}
		if entries, err := os.ReadDir(b.dir); err != nil || len(entries) != 1 {
			t.Errorf("%s: the folder holds %v, %v", c.name, entries, err)
		}
	}
}

func TestBucketsAreThoseThatHaveKeys(t *testing.T) {
	b := start(t)
	for _, bucket := range []int32{24_000, -1, 24_001} {
		b.cipherKey(3, bucket)
	}
	b.cipherKey(4, 24_002)
	if err := b.ring.DropCipherKey(3, 24_001); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := b.ring.CipherBuckets(3); !slices.Equal(got, []int32{-1, 24_000}) {
			t.Errorf("buckets: %v", got)
		}
		b.reopen()
	}
	if got := b.ring.CipherBuckets(5); len(got) != 0 {
		t.Errorf("buckets of nobody: %v", got)
	}
}

func TestACipherKeyThatIsKnownCostsNoWrite(t *testing.T) {
	b := start(t)
	writes := 0
	b.ring.fs = errorfs.Wrap(b.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRename {
			writes++
		}
		return nil
	}))
	for range 1000 {
		b.cipherKey(1, -1)
	}
	if writes != 1 {
		t.Errorf("%d writes for one cipher key", writes)
	}
}

func TestCipherKeysAreBoundedAndTheFullestFileIsRead(t *testing.T) {
	b := start(t)
	full := b.ring.held.clone()
	for n := range CipherKeysMax {
		full.Ciphers[cipherID{event.Project(1<<32 - 1 - n), -1 << 31}] = newSecret()
	}
	for n := range ProjectsMax {
		full.Projects[event.Project(1<<32-1-n)] = newSecret()
	}
	for n := range LeasesMax {
		full.Leases[strings.Repeat("x", LeaseIDMax-2)+fmt.Sprint(n)] = lease{Made: testDay}
	}
	b.ring.held = full
	if _, err := b.ring.CipherKey(1, 1); !errors.Is(err, event.ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
	if err := b.ring.Rewrap([32]byte{7}); err != nil {
		t.Fatal(err)
	}
	if held := b.onDisk(); len(held.Ciphers) != CipherKeysMax {
		t.Errorf("%d cipher keys were read", len(held.Ciphers))
	}
}

// An older program must be able to go on with a keyring as long as nothing new is in it, and must
// refuse it from then on.
func TestTheFileSaysTwoOnlyOnceItHoldsCipherKeys(t *testing.T) {
	b := start(t)
	b.salt(testDay, "")
	if got := b.file()[len(fileMagic)]; got != 1 {
		t.Errorf("without cipher keys: version %d", got)
	}
	b.cipherKey(0, -2)
	if got := b.file()[len(fileMagic)]; got != 2 {
		t.Errorf("with one: version %d", got)
	}
}

func TestRewrapChangesTheRootKeyAndNothingElse(t *testing.T) {
	b := start(t)
	pepper, key, salt := b.ring.Pepper(), b.cipherKey(1, -1), b.salt(testDay, "")
	if err := b.ring.Rewrap([32]byte{8}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(b.fs, "data", [32]byte{7}, Options{Now: b.clock.now}); !errors.Is(err, ErrRootKey) {
		t.Errorf("the old root key: %v", err)
	}
	later := b.cipherKey(2, -1) // what is written after it is under the new one, too
	ring, err := Open(b.fs, "data", [32]byte{8}, Options{Now: b.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	b.ring = ring
	if ring.Pepper() != pepper || b.cipherKey(1, -1) != key || b.cipherKey(2, -1) != later || b.salt(testDay, "") != salt {
		t.Error("a secret changed")
	}
}

// The power is cut at every single operation of a rewrap: one of the two root keys must open what
// is left, with all that was in it; and once Rewrap has returned, the new one must.
func TestCrashOfARewrapLeavesTheOldOrTheNewRootKey(t *testing.T) {
	const seed = 43
	for _, unsynced := range []int{0, 50, 100} {
		opened := map[byte]int{}
		for cut := 1; ; cut++ {
			disk, want, finished := rewrapCutAt(t, cut, unsynced, seed)
			for root := range byte(2) {
				ring, err := Open(disk, "data", [32]byte{7 + root}, Options{Now: noon})
				if errors.Is(err, ErrRootKey) {
					continue
				}
				if err != nil {
					t.Fatalf("seed=%d cut=%d unsynced=%d: %v", seed, cut, unsynced, err)
				}
				opened[root]++
				if got, err := ring.KnownCipherKey(1, -1); err != nil || got != want {
					t.Fatalf("seed=%d cut=%d unsynced=%d: the cipher key is lost (%v)", seed, cut, unsynced, err)
				}
				if finished && root == 0 {
					t.Fatalf("seed=%d unsynced=%d: the old root key opens the keyring after the rewrap", seed, unsynced)
				}
			}
			if opened[0]+opened[1] != cut {
				t.Fatalf("seed=%d cut=%d unsynced=%d: neither root key opens the keyring, or both do", seed, cut, unsynced)
			}
			if finished {
				break
			}
		}
		if opened[0] < 3 || opened[1] < 1 {
			t.Errorf("unsynced=%d: cuts at the wrong moments: %v", unsynced, opened)
		}
	}
}

func noon() time.Time { return time.Unix(testDay*86400+12*3600, 0) }

// rewrapCutAt rewraps a keyring that holds one cipher key, and returns the disk as a cut right
// before operation number cut leaves it.
func rewrapCutAt(t *testing.T, cut, unsynced int, seed uint64) (disk *vfs.MemFS, key [32]byte, finished bool) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	ring, err := Open(mem, "data", [32]byte{7}, Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if key, err = ring.CipherKey(1, -1); err != nil {
		t.Fatal(err)
	}
	clone := func() *vfs.MemFS {
		return mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rand.New(rand.NewPCG(seed, uint64(cut)))})
	}
	ops := 0
	ring.fs = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return nil
		}
		if ops++; ops == cut {
			disk = clone()
		}
		if disk != nil {
			return errorfs.ErrInjected
		}
		return nil
	}))
	if err := ring.Rewrap([32]byte{8}); err == nil {
		return clone(), key, true
	}
	return disk, key, false
}
