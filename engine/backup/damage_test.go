package backup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millimetric/engine/backup"
	"millimetric/engine/backup/backuptest"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
)

func TestAFolderIsATarget(t *testing.T) { backuptest.Target(t, folderTarget(t)) }

// files lists the objects of a folder target.
func files(t *testing.T, target backup.Target) (names []string) {
	err := target.List(context.Background(), "", func(o backup.Object) error {
		names = append(names, o.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// harm changes one object of a folder, and returns how to undo it.
func harm(t *testing.T, rng *rand.Rand, dir, name string, others []string) (what string, undo func()) {
	path := filepath.Join(dir, name)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := append([]byte{}, old...)
	switch rng.IntN(6) {
	case 0:
		bit := rng.IntN(8 * len(text))
		text[bit/8] ^= 1 << (bit % 8)
		what = fmt.Sprintf("bit %d flipped", bit)
	case 1:
		text = text[:rng.IntN(len(text))]
		what = fmt.Sprintf("cut to %d bytes", len(text))
	case 2:
		text = nil
		what = "removed"
	case 3:
		at := rng.IntN(len(text))
		clear(text[at:min(len(text), at+4096)])
		what = fmt.Sprintf("zeros from %d on", at)
	case 4:
		text = append(text, byte(rng.Uint32()))
		what = "lengthened"
	case 5:
		other := others[rng.IntN(len(others))]
		if text, err = os.ReadFile(filepath.Join(dir, other)); err != nil {
			t.Fatal(err)
		}
		what = "replaced by " + other
	}
	if string(text) == string(old) {
		return "", func() {}
	}
	if what == "removed" {
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return name + " " + what, func() {
		if err := os.WriteFile(path, old, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Each object of a backup is harmed in random ways, one at a time: verifying must find it, and a restore must fail or
// give all that there was.
func TestProofNoDamageToABackupMakesItsHistoryShorter(t *testing.T) {
	seed := enginetest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 2))
	target := folderTarget(t)
	r := newRig(t, target)
	r.send(rng, 1, 5)
	r.base()
	r.fill(rng, 60, 2)
	all := r.archive().Needed()
	end := r.positions[len(r.positions)-1]
	injections, restores := 0, 0
	for range enginetest.Figure(t, 60, 200, 2000) {
		name := all[rng.IntN(len(all))]
		what, undo := harm(t, rng, target.String(), name, all)
		if what == "" {
			continue
		}
		injections++
		if !r.findsDamage() {
			t.Errorf("seed=%d: nobody noticed: %s", seed, what)
		}
		if injections%10 == 0 {
			restores++
			if err := r.restoreOrFail(end); err != nil {
				t.Errorf("seed=%d: %s: %v", seed, what, err)
			}
		}
		undo()
	}
	enginetest.Say(t, "R5", "backup injections=%d restores=%d objects=%d", injections, restores, len(all))
	if r.findsDamage() {
		t.Errorf("seed=%d: what isn't damaged is found so", seed)
	}
}

// findsDamage does what backup verify does.
func (r *rig) findsDamage() bool {
	ctx := context.Background()
	key, err := backup.FindKey(ctx, r.target, r.root)
	if err != nil {
		return true
	}
	a, err := backup.Open(ctx, r.target, key)
	if err != nil {
		return true
	}
	report, err := a.Verify(ctx, "")
	return err != nil || !report.OK()
}

func (r *rig) restoreOrFail(end position) error {
	a, err := backup.Open(context.Background(), r.target, r.key)
	if err != nil {
		return nil
	}
	if _, err := a.Kept(context.Background()); err != nil {
		return nil
	}
	e, _, err := r.restore(a, backup.Point{})
	if err != nil {
		return nil
	}
	return errors.Join(r.compare(e, end, 2), e.Close())
}

func TestAnotherRootKeyOrBackupKeyOpensNothing(t *testing.T) {
	r := newRig(t, folderTarget(t))
	r.base()
	ctx := context.Background()
	if _, err := backup.FindKey(ctx, r.target, [32]byte{1}); !errors.Is(err, backup.ErrRootKey) {
		t.Errorf("root key: %v", err)
	}
	if key, err := backup.FindKey(ctx, r.target, r.root); err != nil || key != r.key {
		t.Errorf("the right root key: %v", err)
	}
	if _, err := backup.Open(ctx, r.target, backup.NewKey()); !errors.Is(err, event.ErrDamaged) {
		t.Errorf("backup key: %v", err)
	}
}

// A target that holds the backup of another store is left as it is.
func TestTheTargetOfAnotherStoreIsRefused(t *testing.T) {
	target := folderTarget(t)
	newRig(t, target).base()
	before := files(t, target)
	other := newRig(t, target)
	if err := other.b.Ship(context.Background()); err == nil || !strings.Contains(err.Error(), "another store") {
		t.Errorf("got %v", err)
	}
	if after := files(t, target); len(after) != len(before) {
		t.Errorf("objects: %v, before %v", after, before)
	}
}

// What a thief of the target sees: no word of events, of records, or of keys.
func TestNothingAtTheTargetIsInTheClear(t *testing.T) {
	target := folderTarget(t)
	r := newRig(t, target)
	r.fill(rand.New(rand.NewPCG(1, 1)), 20, 2)
	for _, name := range files(t, target) {
		text, err := os.ReadFile(filepath.Join(target.String(), name))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"visitor-", "id-", "keyring", "MMKR", "timeline", "sha256", string(r.key[:]), string(r.root[:])} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s holds %q", name, word)
			}
		}
	}
}
