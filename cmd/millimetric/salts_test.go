package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine/keyring"
	"millimetric/index/event"
)

// mustAgree asks both the memo and the keyring, which must agree.
func (m *saltMemo) mustAgree(t *testing.T, project uint32, day int64, lease string) [32]byte {
	t.Helper()
	for range 2 {
		got, err := m.Salt(event.Project(project), day, lease)
		want, werr := m.ring.Salt(event.Project(project), day, lease)
		if err != nil || werr != nil || got != want {
			t.Fatalf("project %d, day %d, lease %q: %x, %v; the keyring says %x, %v", project, day, lease, got, err, want, werr)
		}
	}
	got, _ := m.Salt(event.Project(project), day, lease)
	return got
}

func TestRememberedSaltsAreTheKeyringsOnEveryDay(t *testing.T) {
	now := testNow
	clock := func() time.Time { return now }
	ring, err := keyring.Open(vfs.NewMem(), "", [32]byte{1}, keyring.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	memo := &saltMemo{ring: ring, now: clock}
	seen := map[[32]byte]string{}
	for _, step := range []time.Duration{0, time.Hour, 24 * time.Hour, -24 * time.Hour, 72 * time.Hour} {
		now = now.Add(step)
		today := now.UnixMilli() / 86_400_000
		for project := range uint32(3) {
			for day := today - 2; day < today+2; day++ {
				salt := memo.mustAgree(t, project, day, "")
				at := fmt.Sprint(project, day, today, step == -24*time.Hour)
				if before, ok := seen[salt]; ok && before != at {
					t.Errorf("%s has the salt of %s", at, before)
				}
				seen[salt] = at
				memo.mustAgree(t, project, day, "import")
			}
		}
	}
	memo.drop()
	if len(memo.salts) != 0 {
		t.Error("a dropped salt is still held")
	}
}

func TestTheMemoOfSaltsIsBounded(t *testing.T) {
	clock := func() time.Time { return testNow }
	ring, err := keyring.Open(vfs.NewMem(), "", [32]byte{1}, keyring.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	memo := &saltMemo{ring: ring, now: clock}
	for day := range int64(3 * saltMemoMax) {
		if _, err := memo.Salt(1, day, ""); err != nil {
			t.Fatal(err)
		}
		if len(memo.salts) > saltMemoMax {
			t.Fatalf("%d salts are held", len(memo.salts))
		}
	}
}
