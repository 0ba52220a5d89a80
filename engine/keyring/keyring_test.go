package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"millimetric/index/event"
)

const testDay = 20_500 // 2026-02-16

// clock is a clock that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) set(day int64, within time.Duration) {
	c.at = time.Unix(day*86400, 0).Add(within)
}

type bench struct {
	t     *testing.T
	fs    vfs.FS
	dir   string
	clock *clock
	ring  *Keyring
}

func start(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, fs: vfs.NewMem(), dir: "data", clock: &clock{}}
	b.clock.set(testDay, 12*time.Hour)
	b.reopen()
	return b
}

func (b *bench) reopen() {
	b.t.Helper()
	ring, err := Open(b.fs, b.dir, [32]byte{7}, Options{Now: b.clock.now})
	if err != nil {
		b.t.Fatal(err)
	}
	b.ring = ring
}

func (b *bench) salt(day int64, lease string) [32]byte {
	b.t.Helper()
	salt, err := b.ring.Salt(1, day, lease)
	if err != nil {
		b.t.Fatal(err)
	}
	return salt
}

func TestSecretsSurviveARestart(t *testing.T) {
	b := start(t)
	pepper := b.ring.Pepper()
	one, err := b.ring.ProjectKey(1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.ring.ProjectKey(2)
	if err != nil || one == two || one == pepper {
		t.Fatalf("secrets are shared: %v", err)
	}
	salt := b.salt(testDay, "")
	b.reopen()
	again, err := b.ring.ProjectKey(1)
	if err != nil || again != one || b.ring.Pepper() != pepper || b.salt(testDay, "") != salt {
		t.Fatalf("a secret changed over a restart: %v", err)
	}
}

func TestSaltsDifferByProjectAndDay(t *testing.T) {
	b := start(t)
	seen := map[[32]byte]string{}
	for project := event.Project(1); project <= 3; project++ {
		for day := int64(testDay - 3); day <= testDay+1; day++ {
			salt, err := b.ring.Salt(project, day, "")
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("project %d day %d", project, day)
			if other, taken := seen[salt]; taken {
				t.Errorf("%s and %s share a salt", name, other)
			}
			seen[salt] = name
		}
	}
}

func TestSaltsAreDestroyedWhenTheirDayEnds(t *testing.T) {
	b := start(t)
	live, late := b.salt(testDay, ""), b.salt(testDay-1, "")
	b.clock.set(testDay, 24*time.Hour-time.Millisecond)
	if b.salt(testDay, "") != live {
		t.Error("the salt changed within its day")
	}
	b.clock.set(testDay+1, 0)
	if b.salt(testDay, "") == live || b.salt(testDay-1, "") == late {
		t.Error("a salt outlived the day on which it was made")
	}
	b.clock.set(testDay, 23*time.Hour)
	if b.salt(testDay, "") == live {
		t.Error("a clock that went back brought a destroyed salt back")
	}
}

func TestRotateTakesTheSaltOutOfTheFile(t *testing.T) {
	b := start(t)
	b.salt(testDay, "")
	master := b.ring.held.Today.Secret
	b.clock.set(testDay+1, time.Second)
	if err := b.ring.Rotate(); err != nil {
		t.Fatal(err)
	}
	if held := b.onDisk(); held.Today != nil || b.ring.held.Today != nil {
		t.Errorf("the master of an ended day is still kept (%v)", held.Today.Secret == master)
	}
}

func TestAMasterFromTheFutureIsNotKept(t *testing.T) {
	b := start(t)
	b.clock.set(testDay+300, 0)
	wrong := b.salt(testDay, "")
	b.clock.set(testDay, 13*time.Hour)
	if err := b.ring.Rotate(); err != nil {
		t.Fatal(err)
	}
	if b.onDisk().Today != nil {
		t.Error("a master made under a wrong clock is kept until that day comes")
	}
	b.clock.set(testDay+300, 0)
	if b.salt(testDay, "") == wrong {
		t.Error("a destroyed salt came back")
	}
}

func (b *bench) onDisk() contents {
	b.t.Helper()
	held, err := b.ring.read()
	if err != nil {
		b.t.Fatal(err)
	}
	return held
}

func TestAnImportOverMidnightKeepsTheSaltsOfItsPastDays(t *testing.T) {
	b := start(t)
	b.clock.set(testDay, 23*time.Hour+55*time.Minute)
	past, today := b.salt(testDay-2, "import"), b.salt(testDay, "import")
	if b.salt(testDay-2, "") != past {
		t.Error("an import and the live stream of one day see different visitors")
	}
	for step := range 60 {
		b.clock.set(testDay+1, time.Duration(step)*7*time.Minute)
		if step%11 == 0 {
			b.reopen()
		}
		if b.salt(testDay-2, "import") != past {
			t.Fatalf("the import's salt changed %d steps after midnight", step)
		}
		if b.salt(testDay-2, "") == past {
			t.Fatal("the salt of an ended day serves those without a lease")
		}
		if b.salt(testDay, "import") == today {
			t.Fatal("a lease kept the salt of the day on which it began")
		}
	}
	if err := b.ring.EndLease("import"); err != nil {
		t.Fatal(err)
	}
	if b.salt(testDay-2, "import") == past || b.salt(testDay-2, "other") == past {
		t.Error("the salt outlived its lease")
	}
}

func TestAnIdleOrOldLeaseEnds(t *testing.T) {
	b := start(t)
	past := b.salt(testDay-2, "idle")
	b.clock.set(testDay+1, 0)
	if b.salt(testDay-2, "idle") == past {
		t.Error("a lease was kept over twelve idle hours")
	}

	b.clock.set(testDay+1, 23*time.Hour)
	past = b.salt(testDay-2, "old")
	kept := time.Duration(0)
	for ; kept < 10*24*time.Hour; kept += 10 * time.Minute {
		b.clock.set(testDay+1, 23*time.Hour+kept)
		if b.salt(testDay-2, "old") != past {
			break
		}
	}
	if kept < LeaseAgeMax || kept > LeaseAgeMax+time.Hour {
		t.Errorf("a busy lease was kept for %v", kept)
	}
}

func TestLeasesAreBounded(t *testing.T) {
	b := start(t)
	for n := range LeasesMax {
		b.salt(testDay-1, fmt.Sprintf("import-%d", n))
	}
	if _, err := b.ring.Salt(1, testDay-1, "one-more"); !errors.Is(err, event.ErrLimit) {
		t.Errorf("one lease too many: %v", err)
	}
	if _, err := b.ring.Salt(1, testDay-1, strings.Repeat("x", LeaseIDMax+1)); !errors.Is(err, event.ErrInput) {
		t.Errorf("a name too long: %v", err)
	}
	b.salt(testDay, "today-needs-no-lease")
	b.clock.set(testDay, 12*time.Hour+LeaseIdleMax+time.Second)
	b.salt(testDay-1, "one-more")
	if got := b.ring.Leases(); len(got) != 1 || got[0] != "one-more" {
		t.Errorf("leases: %v", got)
	}
}

func TestRenewingALeaseRarelyWritesTheFile(t *testing.T) {
	b := start(t)
	writes := 0
	counted := errorfs.Wrap(b.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRename {
			writes++
		}
		return nil
	}))
	b.ring.fs = counted
	for second := range 3600 {
		b.clock.set(testDay, 12*time.Hour+time.Duration(second)*time.Second)
		b.salt(testDay-1, "import")
	}
	if writes == 0 || writes > 14 {
		t.Errorf("%d file writes in an hour of an import", writes)
	}
}

func TestAWrongRootKeyAndADamagedFileAreToldApart(t *testing.T) {
	b := start(t)
	b.salt(testDay-1, "import")
	_, err := Open(b.fs, "data", [32]byte{8}, Options{Now: b.clock.now})
	if !errors.Is(err, ErrRootKey) {
		t.Errorf("wrong root key: %v", err)
	}
	good := b.file()
	for at := range good {
		for _, bad := range [][]byte{flipped(good, at), good[:at]} {
			if _, err := b.ring.cipher.decode(bad); !errors.Is(err, ErrDamaged) {
				t.Fatalf("damage at byte %d of %d: %v", at, len(good), err)
			}
		}
	}
	if bytes.Contains(good, []byte("import")) || bytes.Contains(good, []byte("Pepper")) {
		t.Error("the file shows its contents")
	}
}

func flipped(b []byte, at int) []byte {
	out := bytes.Clone(b)
	out[at] ^= 0x10
	return out
}

func (b *bench) file() []byte {
	b.t.Helper()
	f, err := b.fs.Open(b.fs.PathJoin("data", fileName))
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func TestAnErrorOfTheDiskLosesNothingAndServesNothingOld(t *testing.T) {
	b := start(t)
	live := b.salt(testDay, "")
	failing := true
	b.ring.fs = errorfs.Wrap(b.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if failing && op.Kind == errorfs.OpFileSync {
			return errorfs.ErrInjected
		}
		return nil
	}))
	b.clock.set(testDay+1, 0)
	if salt, err := b.ring.Salt(1, testDay, ""); err == nil {
		t.Fatalf("a salt that isn't on disk was handed out (old one: %v)", salt == live)
	}
	if _, err := b.ring.ProjectKey(9); err == nil {
		t.Fatal("a secret that isn't on disk was handed out")
	}
	failing = false
	if b.salt(testDay, "") == live {
		t.Error("the ended day's salt was served after the disk failed")
	}
}

// The power is cut at every single operation on the file system: what is found afterwards must be
// the keyring before or after the change that was under way, and whatever was handed out is in it.
func TestCrashAtAnyStepLeavesTheOldOrTheNewKeyring(t *testing.T) {
	const seed = 41
	for _, unsynced := range []int{0, 50, 100} {
		points := 0
		for cut := 1; ; cut++ {
			disk, handedOut, finished := crashAt(t, cut, unsynced, seed)
			if finished {
				break
			}
			points++
			c := &clock{}
			c.set(testDay, 12*time.Hour)
			ring, err := Open(disk, "data", [32]byte{7}, Options{Now: c.now})
			if err != nil {
				t.Fatalf("seed=%d cut=%d unsynced=%d: %v", seed, cut, unsynced, err)
			}
			for project, want := range handedOut {
				got, err := ring.ProjectKey(project)
				if err != nil || got != want {
					t.Fatalf("seed=%d cut=%d unsynced=%d: the secret of project %d is lost (%v)", seed, cut, unsynced, project, err)
				}
			}
		}
		if points < 20 {
			t.Fatalf("only %d crash points", points)
		}
		t.Logf("seed=%d unsynced=%d%% points=%d", seed, unsynced, points)
	}
}

// crashAt makes a keyring and some secrets, and clones the disk as a cut of the power right before
// operation number cut would leave it.
func crashAt(t *testing.T, cut, unsynced int, seed uint64) (disk *vfs.MemFS, handedOut map[event.Project][32]byte, finished bool) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	handedOut = map[event.Project][32]byte{}
	ops := 0
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return nil
		}
		if ops++; ops == cut {
			disk = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rand.New(rand.NewPCG(seed, uint64(cut)))})
		}
		if disk != nil {
			return errorfs.ErrInjected
		}
		return nil
	}))
	c := &clock{}
	c.set(testDay, 12*time.Hour)
	ring, err := Open(fs, "data", [32]byte{7}, Options{Now: c.now})
	for project := event.Project(1); err == nil && project <= 4; project++ {
		var made [32]byte
		if made, err = ring.ProjectKey(project); err == nil {
			handedOut[project] = made
		}
	}
	if disk == nil && err != nil {
		t.Fatal(err)
	}
	return disk, handedOut, disk == nil
}

func FuzzDecodeNeverPanics(f *testing.F) {
	keys, err := deriveRootCipher([32]byte{7})
	if err != nil {
		f.Fatal(err)
	}
	good, err := keys.encode(contents{Projects: map[event.Project]secret{1: {1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(fileMagic))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := keys.decode(file); err == nil && !bytes.HasPrefix(file, []byte(fileMagic)) {
			t.Fatal("what is no keyring was read as one")
		}
	})
}
