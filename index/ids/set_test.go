package ids

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/event"
)

// store is a small engine: a Recent, and runs that Plan keeps in order.
type store struct {
	t      *testing.T
	stamp  uint64
	recent Recent
	held   []*held
	set    *Set
	budget int
}

func (s *store) add(run *held) {
	s.held = append(s.held, run)
	runs := append(slices.Clone(s.set.Runs()), opened(s.t, s.stamp, run))
	s.set = NewSet(runs...)
	Share(s.budget, runs)
}

func (s *store) seal() {
	s.stamp++
	s.add(built(s.t, s.stamp, s.recent.Sorted()))
	s.recent = Recent{}
}

func (s *store) merge(keep func(Hash) bool) (merged bool) {
	var sizes []Size
	for _, r := range s.set.Runs() {
		sizes = append(sizes, Size{r.Len(), r.Latest()})
	}
	plan := Plan(sizes, 0)
	if plan == nil {
		return false
	}
	s.stamp++
	var from []*Run
	var restHeld []*held
	var rest []*Run
	for i, r := range s.set.Runs() {
		if slices.Contains(plan, i) {
			from = append(from, r)
		} else {
			rest, restHeld = append(rest, r), append(restHeld, s.held[i])
		}
	}
	h := &held{}
	if err := Merge(s.stamp, from, keep, h.emit); err != nil {
		s.t.Fatal(err)
	}
	s.set, s.held = NewSet(rest...), restHeld
	s.add(h)
	return true
}

// repeats adds a batch as an engine does, and returns which of it were there.
func (s *store) repeats(batch []Hash) []bool {
	found := make([]bool, len(batch))
	for i, h := range batch {
		found[i] = s.recent.Has(h)
	}
	if err := s.set.Lookup(batch, found); err != nil {
		s.t.Fatal(err)
	}
	for i, h := range batch {
		if !found[i] {
			found[i] = !s.recent.Add(h) // twice in the batch
		}
	}
	return found
}

func TestSetAgreesWithAMapThroughSealsAndMerges(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 4))
		next, model := random(seed), map[Hash]bool{}
		s := &store{t: t, set: NewSet(), budget: []int{0, 30_000, 1 << 30}[seed%3]}
		var known []Hash
		for step := range 150 {
			batch := make([]Hash, r.IntN(2000))
			for i := range batch {
				batch[i] = next()
				if len(known) > 0 && r.IntN(10) == 0 {
					batch[i] = known[r.IntN(len(known))]
				}
				if i > 0 && r.IntN(10) == 0 {
					batch[i] = batch[r.IntN(i)]
				}
			}
			for i, repeated := range s.repeats(batch) {
				if repeated != model[batch[i]] {
					t.Fatalf("seed %d, step %d: %x: %v", seed, step, batch[i], repeated)
				}
				if !model[batch[i]] {
					model[batch[i]], known = true, append(known, batch[i])
				}
			}
			switch r.IntN(4) {
			case 0:
				s.seal()
			case 1:
				for s.merge(nil) {
				}
			}
		}
	}
}

func TestMergeKeepsWhatItIsToldTo(t *testing.T) {
	next := random(9)
	var runs []*Run
	want := map[Hash]bool{}
	shared := some(next, 500)
	keep := func(h Hash) bool { return h.Lo>>32%3 != 0 }
	for i := range 5 {
		hashes := append(some(next, 7000*i), shared...)
		slices.SortFunc(hashes, Hash.Compare)
		hashes = slices.Compact(hashes)
		runs = append(runs, opened(t, uint64(i), built(t, uint64(i), hashes)))
		for _, h := range hashes {
			if keep(h) {
				want[h] = true
			}
		}
	}
	h := &held{}
	if err := Merge(77, runs, keep, h.emit); err != nil {
		t.Fatal(err)
	}
	merged := opened(t, 77, h)
	got := all(t, merged)
	for _, hash := range got {
		if !want[hash] {
			t.Fatalf("%x is there", hash)
		}
	}
	if len(got) != len(want) || merged.Latest() != 4 {
		t.Fatalf("%d hashes of %d, latest %d", len(got), len(want), merged.Latest())
	}
}

func TestShareServesSmallRunsFirstAndHoldsItsBound(t *testing.T) {
	next := random(5)
	var runs []*Run
	var batch []Hash
	for i, n := range []int{100_000, 3, 40_000} {
		hashes := some(next, n)
		batch = append(batch, hashes...)
		runs = append(runs, opened(t, uint64(i), built(t, uint64(i), hashes)))
	}
	set := NewSet(runs...)
	for _, bytes := range []int{1 << 20, 90_000, 0, 60_000} {
		Share(bytes, runs)
		found := make([]bool, len(batch))
		if err := set.Lookup(batch, found); err != nil || slices.Contains(found, false) {
			t.Fatalf("%d bytes: a hash isn't found, or %v", bytes, err)
		}
		kept := 0
		for i, r := range runs {
			filters := 0
			for _, f := range r.kept {
				if f.plain != nil {
					filters++
					kept += len(f.plain)
				}
			}
			if bytes == 60_000 && i == 2 && filters != r.filters() || bytes == 1<<20 && filters != r.filters() {
				t.Fatalf("%d bytes: run %d keeps %d filters of %d", bytes, i, filters, r.filters())
			}
		}
		if kept > bytes+bytes/20 || bytes == 90_000 && kept < 70_000 {
			t.Fatalf("%d bytes: %d are kept", bytes, kept)
		}
	}
}

func TestABatchReadsNoPieceTwice(t *testing.T) {
	next := random(6)
	hashes := some(next, 60_000)
	h := built(t, 1, hashes)
	r := opened(t, 1, h)
	h.reads = 0
	batch := append(slices.Clone(hashes), some(next, 60_000)...)
	rand.New(rand.NewPCG(6, 6)).Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	if err := NewSet(r).Lookup(batch, make([]bool, len(batch))); err != nil {
		t.Fatal(err)
	}
	if h.reads != r.filters()+r.rests() {
		t.Fatalf("%d reads of %d filters and %d rests", h.reads, r.filters(), r.rests())
	}
}

func TestFewNewHashesPassTheFilter(t *testing.T) {
	for _, n := range []int{10_240, 10_241, 81_920, 81_921, 60_000} {
		r := opened(t, 1, built(t, 1, some(evenly(uint64(n)), n)))
		Share(1<<20, []*Run{r})
		next, passed := evenly(1_000_000), 0
		const asked = 200_000
		for range asked {
			h := next()
			f, kept := r.keptFilter(r.bucket(h) / filterBuckets)
			if !kept {
				var err error
				if f, err = r.loadFilter(r.bucket(h) / filterBuckets); err != nil {
					t.Fatal(err)
				}
			}
			if _, passes := r.candidate(f, h); passes {
				passed++
			}
		}
		if share := float64(passed) / asked; share > 0.0105 || share < 0.003 {
			t.Errorf("%d hashes: %.4f of new ones pass", n, share)
		}
	}
}

// evenly returns a generator of hashes without the near ones that random has.
func evenly(seed uint64) func() Hash {
	r := rand.New(rand.NewPCG(seed, 8))
	return func() Hash { return Hash{r.Uint64(), r.Uint64() << (128 - IDBits)} }
}

// Five million ids, by their real hashes: each is found, and five million others aren't.
func TestMillionsOfIDsAreAnsweredExactly(t *testing.T) {
	count := 5_000_000
	if testing.Short() {
		count = 400_000
	}
	hasher := NewHasher([32]byte{3}, IDBits)
	var runs []*Run
	for part := range 4 {
		hashes := make([]Hash, 0, count/4)
		for i := part; i < count; i += 4 {
			hashes = append(hashes, hasher.Hash(fmt.Sprintf("evt_%d", i)))
		}
		slices.SortFunc(hashes, Hash.Compare)
		stamp := uint64(part)
		runs = append(runs, opened(t, stamp, built(t, stamp, hashes)))
	}
	Share(1<<30, runs)
	set := NewSet(runs...)
	batch, found := make([]Hash, 10_000), make([]bool, 10_000)
	for from := 0; from < 2*count; from += len(batch) {
		clear(found)
		for i := range batch {
			batch[i] = hasher.Hash(fmt.Sprintf("evt_%d", from+i))
		}
		if err := set.Lookup(batch, found); err != nil {
			t.Fatal(err)
		}
		if at := slices.Index(found, from >= count); at >= 0 {
			t.Fatalf("id %d of %d: %v", from+at, count, found[at])
		}
	}
}

func TestPlanKeepsRunsFewAndRewritesThemSeldom(t *testing.T) {
	const flush = 1 << 18
	var runs []Size
	written, total, most := 0, 0, 0
	for total < 100_000_000 {
		runs = append(runs, Size{Hashes: flush})
		total += flush
		for plan := Plan(runs, 0); plan != nil; plan = Plan(runs, 0) {
			for _, i := range plan {
				written += runs[i].Hashes
			}
			runs = mergedBy(t, runs, plan, 1)
		}
		most = max(most, len(runs))
	}
	left := 0
	for _, run := range runs {
		left += run.Hashes
	}
	if left != total {
		t.Fatalf("%d hashes of %d are left", left, total)
	}
	if most > RunsMax {
		t.Errorf("%d runs", most)
	}
	if times := float64(written) / float64(total); times > 7 {
		t.Errorf("each hash is written %.1f times by merges", times)
	} else {
		t.Logf("at most %d runs; each hash is written %.1f times by merges", most, times)
	}
}

func TestPlanNeverMergesAcrossEras(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		era := event.Time(1000)
		var runs []Size
		for day := range event.Time(12) {
			for range r.IntN(6) {
				runs = append(runs, Size{1 + r.IntN(1<<(4+r.IntN(22))), day*350 + event.Time(r.IntN(350))})
			}
			for plan := Plan(runs, era); plan != nil; plan = Plan(runs, era) {
				runs = mergedBy(t, runs, plan, era)
			}
			if len(runs) > RunsMax {
				t.Fatalf("seed %d, day %d: runs %v", seed, day, runs)
			}
		}
	}
}

func mergedBy(t *testing.T, runs []Size, plan []int, era event.Time) []Size {
	t.Helper()
	merged := Size{}
	var rest []Size
	for i, run := range runs {
		if !slices.Contains(plan, i) {
			rest = append(rest, run)
			continue
		}
		if first := runs[plan[0]]; run.Latest/era != first.Latest/era {
			t.Fatalf("%v and %v are merged", run, first)
		}
		merged = Size{merged.Hashes + run.Hashes, max(merged.Latest, run.Latest)}
	}
	if len(plan) < 2 {
		t.Fatalf("plan %v", plan)
	}
	return append(rest, merged)
}

func TestRestsOfSmallRunsAreReadOnceWhereMemoryAllows(t *testing.T) {
	next := random(7)
	hashes := some(next, 60_000)
	h := built(t, 1, hashes)
	r := opened(t, 1, h)
	set := NewSet(r)
	reads := func() int {
		h.reads = 0
		found := make([]bool, len(hashes))
		if err := set.Lookup(hashes, found); err != nil || slices.Contains(found, false) {
			t.Fatal(err)
		}
		return h.reads
	}
	if granted := Share(4<<20, []*Run{r}); granted > 4<<20 || granted < 8*len(hashes) {
		t.Errorf("%d bytes are granted", granted)
	}
	if n := reads(); n != r.filters()+r.rests() {
		t.Errorf("%d reads at first", n)
	}
	if n := reads(); n != 0 {
		t.Errorf("%d reads of what is in memory", n)
	}
	Share(r.filterBytes(r.count), []*Run{r})
	if n := reads(); n != r.rests() {
		t.Errorf("%d reads where memory is for filters only", n)
	}
}
