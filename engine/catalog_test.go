package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/index/event"
)

// filed puts records of three kinds into a store of three projects, and all of it into tables.
func filed(t *testing.T) (s *shelf, all []Record) {
	s = newShelf(t, Options{})
	e := opened(t, s.opt)
	s.fill(e, 1, 3, 20)
	if err := e.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"account", "key", "project"} {
		for n := range 3 {
			r := Record{Kind: kind, ID: fmt.Sprintf("%s-%d", kind, 2*n), Value: []byte(strings.Repeat(fmt.Sprint(n), 10+n))}
			all = append(all, r)
		}
	}
	if err := e.PutRecords(context.Background(), all...); err != nil {
		t.Fatal(err)
	}
	if err := e.flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, e)
	return s, all
}

// copied gives a shelf a disk of its own.
func (s *shelf) copied() *shelf {
	own := &shelf{t: s.t, opt: s.opt, want: map[event.Project][]event.Event{}}
	own.fs = s.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	own.opt.FS = own.fs
	own.opt.Notify = func(n Notice) {
		own.mu.Lock()
		defer own.mu.Unlock()
		own.told = append(own.told, n)
	}
	for p, events := range s.want {
		own.want[p] = slices.Clone(events)
	}
	return own
}

// stored returns the bytes under a store key of a closed store.
func (s *shelf) stored(key []byte) []byte {
	s.t.Helper()
	e := opened(s.t, s.opt)
	defer mustClose(s.t, e)
	return storedUnder(s.t, e, key)[0]
}

// readable returns the names of the records that can be read, and all that are lost.
func readable(t *testing.T, e *Engine) (names []string, lost []Lost) {
	t.Helper()
	for _, kind := range []string{"account", "key", "project"} {
		records, gone, err := e.ReadableRecords(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			names = append(names, r.ID)
		}
		lost = append(lost, gone...)
		if _, err := e.Records(kind); (err != nil) != (len(gone) > 0) || err != nil && codeOf(err) != event.CodeDamaged {
			t.Errorf("records of kind %s: %v, with %v lost", kind, err, gone)
		}
	}
	return names, lost
}

// Whatever record rots, in its block or under a checksum that is right, all other ones are read, all projects
// answer, and nothing is put in its place.
func TestARottenRecordCostsItselfOnly(t *testing.T) {
	sound, all := filed(t)
	for i, rotten := range all {
		stored := sound.stored(recordKey(rotten.Kind, rotten.ID))
		for _, forged := range []bool{false, true} {
			s := sound.copied()
			random := rand.New(rand.NewPCG(3, uint64(i)))
			if forged {
				changed := bytes.Clone(stored)
				changed[random.IntN(len(changed))] ^= 1
				s.swap(recordKey(rotten.Kind, rotten.ID), changed)
			} else if !s.rot(random, stored) {
				t.Fatal("the record is in no table")
			}
			for range 1 + i%2 {
				e := opened(t, s.opt)
				names, lost := readable(t, e)
				if len(names) != len(all)-1 || slices.Contains(names, rotten.ID) || len(lost) != 1 || lost[0].Kind != rotten.Kind || !lost[0].Has(rotten.ID) {
					t.Errorf("%s, forged %t: read %v, lost %v", rotten.ID, forged, names, lost)
				}
				if slices.ContainsFunc(names, func(id string) bool { return strings.HasPrefix(id, rotten.Kind) && lost[0].Has(id) }) {
					t.Errorf("%s, forged %t: what was read is held to be lost: %v", rotten.ID, forged, lost)
				}
				if err := e.PutRecords(context.Background(), Record{rotten.Kind, rotten.ID, []byte("new")}); codeOf(err) != event.CodeDamaged {
					t.Errorf("%s, forged %t: written over: %v", rotten.ID, forged, err)
				}
				s.takesMore(e, 3)
				mustClose(t, e)
			}
			s.checkNames(rotten)
		}
	}
}

// takesMore checks that all projects answer and take an event.
func (s *shelf) takesMore(e *Engine, projects int) {
	s.t.Helper()
	for p := range event.Project(projects) {
		if !s.answers(e, 1+p) {
			s.t.Errorf("project %d doesn't answer", 1+p)
		}
	}
	s.fill(e, uint64(100+len(s.want[1])), projects, 1)
}

// checkNames checks that a look at the whole store names a record, and nothing else.
func (s *shelf) checkNames(rotten Record) {
	s.t.Helper()
	report, err := Check("store", fixed(s.opt))
	if err != nil || len(report.Problems) != 1 || !strings.Contains(report.Problems[0], rotten.ID) {
		s.t.Errorf("check, with %s damaged: %v, %v", rotten.ID, report.Problems, err)
	}
}

func TestRottenRecordsBesideEachOtherAreLostTogether(t *testing.T) {
	s, all := filed(t)
	for _, r := range all[4:6] {
		if !s.rot(rand.New(rand.NewPCG(1, 2)), s.stored(recordKey(r.Kind, r.ID))) {
			t.Fatal("the record is in no table")
		}
	}
	e := opened(t, s.opt)
	names, lost := readable(t, e)
	if len(names) != len(all)-2 || len(lost) != 1 || !lost[0].Has("key-2") || !lost[0].Has("key-4") || lost[0].Has("key-0") || lost[0].Has("key-6") {
		t.Errorf("read %v, lost %v", names, lost)
	}
	mustClose(t, e)
}

// What was written over before anybody met the damage is no loss.
func TestARecordThatWasWrittenAgainIsNotLost(t *testing.T) {
	s, all := filed(t)
	stored := s.stored(recordKey("key", "key-4"))
	e := opened(t, s.opt)
	if err := e.PutRecords(context.Background(), Record{"key", "key-4", []byte("again")}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, e)
	if !s.rot(rand.New(rand.NewPCG(1, 2)), stored) {
		t.Fatal("the record is in no table any more")
	}
	e = opened(t, s.opt)
	defer mustClose(t, e)
	names, lost := readable(t, e)
	if len(names) != len(all) || len(lost) > 0 {
		t.Errorf("read %v, lost %v", names, lost)
	}
}

// The block behind the last manifest is a record's. Its damage is none of the manifests'.
func TestARottenRecordBehindTheManifestsBreaksNoProject(t *testing.T) {
	s, all := filed(t)
	if !s.rot(rand.New(rand.NewPCG(1, 2)), s.stored(recordKey(all[0].Kind, all[0].ID))) {
		t.Fatal("the record is in no table")
	}
	e := opened(t, s.opt)
	defer mustClose(t, e)
	if len(e.gaps) > 0 || !e.nothingBroken() {
		t.Errorf("manifests that can't be read: %v", e.gaps)
	}
	if err := e.Append(context.Background(), 9, one("x")); err != nil {
		t.Errorf("a project without a manifest takes no events: %v", err)
	}
}

// An erasure whose record can't be read goes on. Nobody it erased is shown again, and nobody is told what can't be
// known: how much it took.
func TestAnErasureWhoseRecordRotsHoldsAndGoesOn(t *testing.T) {
	s := newShelf(t, Options{})
	e := opened(t, s.opt)
	s.fill(e, 1, 2, 30)
	gone := s.want[1][0].AnonymousID
	held := e.Snapshot(1) // so that its bytes stay
	x, err := e.Erase(context.Background(), 1, Person{AnonymousID: gone})
	if err != nil {
		t.Fatal(err)
	}
	s.want[1] = slices.DeleteFunc(s.want[1], func(ev event.Event) bool { return ev.AnonymousID == gone })
	crashed := s.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	held.Release()
	mustClose(t, e)
	s.fs, s.opt.FS, s.told = crashed, crashed, nil
	s.swap(recordKey(recordErasing, x.Receipt), []byte("what a record isn't, and long enough"))
	for range 2 {
		e = opened(t, s.opt)
		if !s.answers(e, 1) || !s.answers(e, 2) {
			t.Error("a project doesn't answer")
		}
		if _, err := e.Erasure(x.Receipt); codeOf(err) != event.CodeDamaged {
			t.Errorf("the receipt says %v", err)
		}
		for wait := 0; wait < 1000 && (e.known(1).newest().hides() || e.OpenErasures(1) > 0); wait++ {
			time.Sleep(10 * time.Millisecond)
		}
		if e.known(1).newest().hides() || e.OpenErasures(1) > 0 {
			t.Errorf("%d erasures go on, what they hide is written anew: %t", e.OpenErasures(1), !e.known(1).newest().hides())
		}
		if _, err := e.Erasure(x.Receipt); codeOf(err) != event.CodeDamaged {
			t.Errorf("once it has come to its end, the receipt says %v", err)
		}
		if again, err := e.Erase(context.Background(), 2, Person{UserID: "nobody"}); err != nil || again.Receipt == "" {
			t.Errorf("another one is erased: %v", err)
		}
		mustClose(t, e)
	}
	if !s.heard(func(n Notice) bool { d, ok := n.(Damaged); return ok && strings.Contains(d.Path, "erasure") }) {
		t.Error("nobody was told")
	}
	if s.heard(func(n Notice) bool { done, ok := n.(Erased); return ok && done.Receipt == x.Receipt }) {
		t.Error("somebody was told how many events it took")
	}
}

func TestARecordThatCannotBeReadNowIsNoDamage(t *testing.T) {
	s, _ := filed(t)
	e := opened(t, s.opt)
	mustClose(t, e)
	if _, _, err := e.ReadableRecords("key"); errors.Is(err, event.ErrDamaged) || err == nil {
		t.Errorf("of a closed store: %v", err)
	}
}
