package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"millimetric/engine"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/index/event/eventtest"
)

// askedBuckets notes for which buckets cipher keys were asked.
type askedBuckets struct {
	mu sync.Mutex
	of map[event.Project][]int32
}

func (a *askedBuckets) key(project event.Project, bucket int32) ([32]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.of[project], bucket) {
		a.of[project] = append(a.of[project], bucket)
	}
	return enginetest.CipherKey(project, bucket)
}

func (a *askedBuckets) buckets(project event.Project) []int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.of[project])
}

const erasedMark = "erased-person"

// withMarked makes events of which the share of each person is about one in every; events without a user id
// follow on the person's own device.
func withMarked(gen *eventtest.Gen, random *rand.Rand, n, persons, every int) []event.Event {
	events := gen.Events(n)
	for i := range events {
		events[i].ID = fmt.Sprintf("id-%d-%d", random.Uint64(), i)
		if random.IntN(every) >= persons {
			continue
		}
		who := random.IntN(persons)
		events[i].AnonymousID, events[i].SessionID = fmt.Sprint(erasedMark, "-device-", who), "s"
		events[i].UserID = fmt.Sprint(erasedMark, "-", who)
	}
	return events
}

// TestProofNothingOfErasedPersonsCanBeRead erases persons from a store on the real disk, and decrypts all that
// lies in its files: what was there before is found then, and afterwards nothing.
func TestProofNothingOfErasedPersonsCanBeRead(t *testing.T) {
	seed, persons, asked := enginetest.Seed(t), enginetest.Figure(t, 4, 10, 40), &askedBuckets{of: map[event.Project][]int32{}}
	rounds := enginetest.Figure(t, 20, 60, 1000)
	random, gen := rand.New(rand.NewPCG(seed, 0x657261736564)), eventtest.New(seed, 200, 1000)
	opt := engine.Options{Now: time.Now, CipherKey: asked.key, FreeBytesMin: -1, FreePercentMin: -1, SealRows: 20_000, MemTableBytes: 1 << 20, CommitWait: time.Minute}
	e, err := engine.Open(filepath.Join(t.TempDir(), "store"), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, e)
	for range rounds {
		appended(t, e, 1, withMarked(gen, random, 1000, persons, 100)...)
	}
	search := func() engine.Laid {
		t.Helper()
		found, err := e.SearchDecrypted(asked.buckets, erasedMark)
		if err != nil || found.Unread > 0 {
			t.Fatalf("seed=%d: %+v, %v", seed, found, err)
		}
		return found
	}
	// Upkeep comes to rest: of a segment that is being removed, not all can be searched.
	if err := e.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := search()
	var logical, physical []time.Duration
	events := 0
	for who := range persons {
		begin := time.Now()
		x, err := e.Erase(context.Background(), 1, engine.Person{UserID: fmt.Sprint(erasedMark, "-", who)})
		if err != nil {
			t.Fatal(err)
		}
		logical = append(logical, time.Since(begin))
		if left, err := e.FinishErasures(context.Background()); err != nil || left > 0 {
			t.Fatalf("seed=%d: %d erasures are left, %v", seed, left, err)
		}
		physical = append(physical, time.Since(begin))
		events += x.Events
	}
	after := search()
	slices.Sort(logical)
	slices.Sort(physical)
	enginetest.Say(t, "P1 P2 residue", "seed=%d events=%d persons=%d erased=%d markers_before=%d after=%d entries=%d partial=%d bytes=%d t_logical_max=%v t_physical_p99=%v",
		seed, rounds*1000, persons, events, before.Hits, after.Hits, after.Entries, after.Partial, after.Bytes,
		logical[len(logical)-1].Round(time.Millisecond), physical[(len(physical)*99+99)/100-1].Round(time.Millisecond))
	if before.Hits < persons {
		t.Errorf("seed=%d: only %d traces are found before: the search is blind", seed, before.Hits)
	}
	if after.Hits > 0 || events == 0 {
		t.Errorf("seed=%d: %d traces are left of %d events", seed, after.Hits, events)
	}
}
