package links

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/piece"
	"millimetric/index/piece/piecetest"
)

func built(t testing.TB, stamp uint64, links []event.Link) *piecetest.Held {
	t.Helper()
	h := &piecetest.Held{}
	if err := Build(stamp, links, h.Emit); err != nil {
		t.Fatal(err)
	}
	return h
}

func opened(t testing.TB, stamp uint64, h *piecetest.Held) *Run {
	t.Helper()
	r, err := Open(stamp, h)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func all(t testing.TB, r *Run) []event.Link {
	t.Helper()
	var links []event.Link
	if err := r.Each(func(l event.Link) bool { links = append(links, l); return true }); err != nil {
		t.Fatal(err)
	}
	return links
}

func uuid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), a>>52, 0x8000|b>>50, b&(1<<48-1))
}

// id returns an id of any kind.
func id(r *rand.Rand, longest int) string {
	switch r.IntN(8) {
	case 0:
		return fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
	case 1:
		return fmt.Sprintf("user-%d@example.org", r.IntN(1000))
	case 2:
		return fmt.Sprint(r.IntN(50))
	case 3:
		return strings.Repeat(string(rune('a'+r.IntN(20))), r.IntN(longest))
	case 4:
		var b strings.Builder
		for range r.IntN(longest) {
			b.WriteRune(rune(r.IntN(0x10ffff))) // as bad to compress as can be
		}
		return b.String()
	}
	return uuid(r)
}

// some returns count links behind position after.
func some(r *rand.Rand, count int, after event.Seq) []event.Link {
	links := make([]event.Link, count)
	now := event.Time(1_700_000_000_000)
	for i := range links {
		after += 1 + event.Seq(r.IntN(40))
		now += event.Time(r.IntN(1000))
		l := event.Link{AnonymousID: id(r, event.AnonymousIDMax), UserID: id(r, event.UserIDMax), Time: now, Seq: after}
		switch r.IntN(8) {
		case 0:
			l.Time -= event.Time(r.IntN(1_000_000_000))
		case 1:
			l.AnonymousID = links[r.IntN(i+1)].AnonymousID
		case 2:
			l.UserID = links[r.IntN(i+1)].UserID
		}
		links[i] = l
	}
	return links
}

func TestRunGivesBackItsLinks(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		want := some(r, []int{0, 1, 2, r.IntN(500), r.IntN(5000)}[seed%5], event.Seq(r.Uint64N(1<<40)))
		h := built(t, 7, want)
		run := opened(t, 7, h)
		if got := all(t, run); !slices.Equal(got, want) || run.Len() != len(want) || run.PieceCount() != len(h.Pieces) || run.Stamp() != 7 {
			t.Fatalf("seed %d: %d links of %d in %d pieces", seed, len(got), len(want), run.PieceCount())
		}
		first, last := run.SeqRange()
		if len(want) > 0 && (first != want[0].Seq || last != want[len(want)-1].Seq) || len(want) == 0 && last != 0 {
			t.Fatalf("seed %d: positions %d to %d", seed, first, last)
		}
		if err := run.Check(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestExtremeLinksComeBack(t *testing.T) {
	long := strings.Repeat("\U0001f600", event.UserIDMax)
	want := []event.Link{
		{Seq: 0, Time: math.MinInt64},
		{Seq: 1, Time: math.MaxInt64, AnonymousID: long, UserID: long},
		{Seq: math.MaxUint64, Time: -1, AnonymousID: "t", UserID: "x"},
	}
	if got := all(t, opened(t, 1, built(t, 1, want))); !slices.Equal(got, want) {
		t.Fatal(got)
	}
}

func TestEachStopsWhenItIsTold(t *testing.T) {
	run := opened(t, 1, built(t, 1, some(rand.New(rand.NewPCG(1, 1)), 3000, 0)))
	seen := 0
	if err := run.Each(func(event.Link) bool { seen++; return seen < 1000 }); err != nil || seen != 1000 {
		t.Fatal(seen, err)
	}
}

// The merge, once more and plainly: every link that comes before all earlier kept ones of its visitor.
func chains(links []event.Link, drop func(event.Link) bool) (kept []event.Link) {
	for _, l := range links {
		if drop(l) {
			continue
		}
		first := true
		for _, k := range kept {
			first = first && (k.AnonymousID != l.AnonymousID || l.Before(k))
		}
		if first {
			kept = append(kept, l)
		}
	}
	return kept
}

func TestMergeKeepsEachVisitorsChainOfEverEarlierLinks(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		var links []event.Link
		var runs []*Run
		after := event.Seq(0)
		for i := range uint64(r.IntN(6)) {
			part := some(r, r.IntN(400), after)
			for j := range part {
				if r.IntN(2) == 0 {
					part[j].AnonymousID = fmt.Sprint("v", r.IntN(60))
				}
				if r.IntN(8) == 0 && j > 0 {
					part[j].Time = part[j-1].Time
				}
			}
			if len(part) > 0 {
				after = part[len(part)-1].Seq
			}
			links = append(links, part...)
			runs = append(runs, opened(t, i, built(t, i, part)))
		}
		drop := func(l event.Link) bool { return seed%2 == 0 && l.Seq%5 == 0 }
		want := chains(links, drop)
		h := &piecetest.Held{}
		if err := Merge(99, runs, drop, h.Emit); err != nil {
			t.Fatal(err)
		}
		merged := opened(t, 99, h)
		if got := all(t, merged); !slices.Equal(got, want) || merged.Check() != nil {
			t.Fatalf("seed %d: %d links, want %d, %v", seed, len(got), len(want), merged.Check())
		}
		again := &piecetest.Held{}
		if err := Merge(99, []*Run{merged}, nil, again.Emit); err != nil || !again.Same(h) {
			t.Fatalf("seed %d: merging once more changes the run, or %v", seed, err)
		}
	}
}

// What FORMAT.md says of sizes.
func TestALinkOfUUIDsTakesFewerThan40Bytes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for name, next := range map[string]func(i int, l *event.Link){
		"one link per visitor": func(int, *event.Link) {},
		"users come back":      func(i int, l *event.Link) { l.UserID = fmt.Sprint("user-", i/3) },
	} {
		links := make([]event.Link, 50_000)
		for i := range links {
			at := event.Time(1_700_000_000_000 + 50*i + r.IntN(5000))
			links[i] = event.Link{AnonymousID: uuid(r), UserID: uuid(r), Time: at, Seq: event.Seq(1 + 20*i + r.IntN(20))}
			next(i, &links[i])
		}
		got := float64(built(t, 1, links).Bytes()) / float64(len(links))
		t.Logf("%s: %.2f bytes per link", name, got)
		if got > 37 {
			t.Errorf("%s: %.2f bytes per link", name, got)
		}
	}
}

func TestDamageIsNeverALink(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{1, 8, 3000} {
		links := some(r, n, 10)
		whole, other := built(t, 1, links), built(t, 2, links)
		if n < 1000 {
			whole.FlipEachByte(func(h *piecetest.Held, what string) {
				mustBeDamaged(t, h, links, fmt.Sprintf("%d links, %s", n, what))
			})
		}
		for seed := range uint64(100) {
			h, what := whole.Spoil(rand.New(rand.NewPCG(seed, 6)), other)
			if !h.Same(whole) {
				mustBeDamaged(t, h, links, fmt.Sprintf("%d links, seed %d: %s", n, seed, what))
			}
		}
	}
}

// mustBeDamaged reads a run of links that is spoiled. What comes before the error must be right.
func mustBeDamaged(t *testing.T, h *piecetest.Held, links []event.Link, what string) {
	t.Helper()
	run, err := Open(1, h)
	if err == nil {
		seen := 0
		err = run.Each(func(l event.Link) bool {
			if seen == len(links) || l != links[seen] {
				t.Fatalf("%s: link %d is %v", what, seen, l)
			}
			seen++
			return true
		})
		if merged := Merge(3, []*Run{run}, nil, (&piecetest.Held{}).Emit); !errors.Is(merged, event.ErrDamaged) {
			t.Fatalf("%s: merge: %v", what, merged)
		}
	}
	if !errors.Is(err, event.ErrDamaged) {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestFailedWritesAreErrors(t *testing.T) {
	links := chains(some(rand.New(rand.NewPCG(6, 6)), 2000, 0), func(event.Link) bool { return false })
	run := opened(t, 1, built(t, 1, links))
	broken := errors.New("disk is full")
	for stop := range run.PieceCount() {
		for name, write := range map[string]func(emit func(piece.ID, []byte) error) error{
			"build": func(emit func(piece.ID, []byte) error) error { return Build(1, links, emit) },
			"merge": func(emit func(piece.ID, []byte) error) error { return Merge(1, []*Run{run}, nil, emit) },
		} {
			n := 0
			if err := write(func(piece.ID, []byte) error {
				if n++; n > stop {
					return broken
				}
				return nil
			}); !errors.Is(err, broken) {
				t.Fatalf("%s: after %d pieces: %v", name, stop, err)
			}
		}
	}
}

func TestWriterRefusesPositionsThatDontRise(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	_ = Build(1, []event.Link{{Seq: 2}, {Seq: 2}}, (&piecetest.Held{}).Emit)
}

// The checksums are put right, so that the fuzzer gets at what lies behind them. What is read can be
// written again, and is the same then.
func FuzzPiecesNeverPanic(f *testing.F) {
	whole := built(f, 1, some(rand.New(rand.NewPCG(7, 7)), 30, 0))
	head, err := encode.OpenFrame(whole.Pieces[0][len(magic)+1:], encode.Place{Stamp: 1})
	if err != nil {
		f.Fatal(err)
	}
	list, err := piece.Open(whole, 1, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Clone(head), list)
	f.Add([]byte{0, 0, 0, 0}, []byte{})
	f.Add([]byte{1, 1, 5, 0}, []byte{5, 1, 1, 5, 0, 0, 5, 1, 1, 9, 0, 0, 5, 1, 1, 0, 0, 0, 3, 0, 1, 0, 5, 1, 1, 0, 0, 0, 3, 0, 1, 0})
	f.Fuzz(func(t *testing.T, head, list []byte) {
		if max(len(head), len(list)) > 60<<10 {
			return
		}
		h := &piecetest.Held{}
		w := piece.NewWriter(kind, 1, h.Emit)
		for _, err := range []error{w.Put(1, list, encode.SavingNever), w.PutHead(head)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		var links []event.Link
		run, err := Open(1, h)
		if err == nil {
			err = run.Each(func(l event.Link) bool { links = append(links, l); return true })
		}
		if err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		if again := all(t, opened(t, 2, built(t, 2, links))); !slices.Equal(again, links) {
			t.Fatalf("%v become %v", links, again)
		}
	})
}
