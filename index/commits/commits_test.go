package commits

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/piece"
	"millimetric/index/piece/piecetest"
)

func built(t testing.TB, stamp uint64, marks []Mark, last event.Seq) *piecetest.Held {
	t.Helper()
	h := &piecetest.Held{}
	if err := Build(stamp, marks, last, h.Emit); err != nil {
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

func all(t testing.TB, r *Run) []Mark {
	t.Helper()
	var marks []Mark
	if err := r.Each(func(m Mark) bool { marks = append(marks, m); return true }); err != nil {
		t.Fatal(err)
	}
	return marks
}

// some returns count marks behind a position, and the last position that they speak of.
func some(r *rand.Rand, count int, after event.Seq, now event.Time) (marks []Mark, last event.Seq) {
	marks = make([]Mark, count)
	for i := range marks {
		marks[i] = Mark{after + 1, now}
		after += 1 + event.Seq(r.IntN(30))
		now += 1 + event.Time(r.IntN(3))
		switch r.IntN(100) {
		case 0:
			after += event.Seq(r.IntN(1 << 30))
		case 1:
			now += event.Time(r.IntN(1 << 40))
		case 2:
			now = marks[i].At // the time goes on in another run
		}
	}
	return marks, after
}

func TestRunGivesBackItsMarks(t *testing.T) {
	for _, n := range []int{0, 1, 2, listMarks - 1, listMarks, listMarks + 1, 5 * listMarks, 30_000} {
		want, last := some(rand.New(rand.NewPCG(uint64(n), 1)), n, event.Seq(n), 1_700_000_000_000)
		h := built(t, 7, want, last)
		r := opened(t, 7, h)
		if got := all(t, r); !slices.Equal(got, want) || r.Len() != n || r.PieceCount() != len(h.Pieces) || r.Stamp() != 7 {
			t.Fatalf("%d marks: %d in %d pieces", n, len(got), r.PieceCount())
		}
		if from, to := r.SeqRange(); n > 0 && (from != want[0].First || to != last) || n == 0 && (from != 0 || to != 0) {
			t.Fatalf("%d marks: positions %d to %d", n, from, to)
		}
		if err := r.Check(); err != nil {
			t.Fatalf("%d marks: %v", n, err)
		}
	}
}

func TestExtremeMarksComeBack(t *testing.T) {
	want := []Mark{{0, math.MinInt64}, {1, -1}, {2, 0}, {math.MaxUint64 - 1, math.MaxInt64}}
	if got := all(t, opened(t, 1, built(t, 1, want, math.MaxUint64))); !slices.Equal(got, want) {
		t.Fatal(got)
	}
}

func TestAtAgreesWithAListAndReadsOnePiece(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		marks, last := some(r, 1+r.IntN(12_000), event.Seq(r.IntN(1000)), 5)
		h := built(t, 1, marks, last)
		run := opened(t, 1, h)
		for range 300 {
			m := r.IntN(len(marks))
			position := marks[m].First + event.Seq(r.IntN(3)) - 1
			want, known := event.Time(0), position >= marks[0].First && position <= last
			for _, mark := range marks[max(0, m-1):min(len(marks), m+4)] {
				if known && mark.First <= position {
					want = mark.At
				}
			}
			clear(h.Reads)
			got, said, err := run.At(position)
			if err != nil || got != want || said != known || len(h.Reads) > 1 {
				t.Fatalf("seed %d: position %d: %d, %v, %v by %d pieces; want %d, %v", seed, position, got, said, err, len(h.Reads), want, known)
			}
		}
		for _, position := range []event.Seq{0, marks[0].First - 1, last + 1, math.MaxUint64} {
			if _, known, err := run.At(position); known || err != nil {
				t.Fatalf("seed %d: position %d: %v, %v", seed, position, known, err)
			}
		}
		if got, known, err := run.At(last); got != marks[len(marks)-1].At || !known || err != nil {
			t.Fatalf("seed %d: last position: %d, %v, %v", seed, got, known, err)
		}
	}
}

func TestMergeJoinsRuns(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 3))
		var runs []*Run
		var want []Mark
		last, now := event.Seq(4), event.Time(100)
		for i := range uint64(r.IntN(6)) {
			marks, to := some(r, r.IntN(4000), last, now)
			runs = append(runs, opened(t, i, built(t, i, marks, to)))
			for _, m := range marks {
				if len(want) == 0 || want[len(want)-1].At != m.At {
					want = append(want, m)
				}
				now = m.At + event.Time(r.IntN(2))
			}
			last = to
		}
		h := &piecetest.Held{}
		if err := Merge(9, runs, h.Emit); err != nil {
			t.Fatal(err)
		}
		merged := opened(t, 9, h)
		if _, to := merged.SeqRange(); !slices.Equal(all(t, merged), want) || len(want) > 0 && to != last || merged.Check() != nil {
			t.Fatalf("seed %d: %d marks, want %d, up to %d, %v", seed, merged.Len(), len(want), to, merged.Check())
		}
	}
}

// What FORMAT.md says of sizes.
func TestAMarkPerMillisecondTakesFewBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, most := range []int{1, 20, 200} {
		marks := make([]Mark, 100_000)
		last := event.Seq(0)
		for i := range marks {
			marks[i] = Mark{last + 1, event.Time(1_700_000_000_000 + i)}
			last += 1 + event.Seq(r.IntN(most))
		}
		got := float64(built(t, 1, marks, last).Bytes()) / float64(len(marks))
		t.Logf("up to %d events each: %.2f bytes per mark", most, got)
		if got > 1.5 {
			t.Errorf("up to %d events each: %.2f bytes per mark", most, got)
		}
	}
}

// A run of more lists than one directory has.
func TestManyMarksHaveSeveralDirectories(t *testing.T) {
	const count = listMarks*directoryLists + 3*listMarks
	w := newWriter(1, nil)
	h := &piecetest.Held{}
	w.out = piece.NewWriter(kind, 1, h.Emit)
	for i := range event.Seq(count) {
		if err := w.add(Mark{2 * i, event.Time(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(2 * count); err != nil {
		t.Fatal(err)
	}
	r := opened(t, 1, h)
	if r.directories() != 2 || r.PieceCount() != len(h.Pieces) {
		t.Fatalf("%d directories, %d pieces of %d", r.directories(), r.PieceCount(), len(h.Pieces))
	}
	for position := event.Seq(0); position < 2*count; position += 99_991 {
		if at, known, err := r.At(position); at != event.Time(position/2) || !known || err != nil {
			t.Fatalf("position %d: %d, %v, %v", position, at, known, err)
		}
	}
}

func TestDamageIsNeverAnAnswer(t *testing.T) {
	for _, n := range []int{1, 300, 3 * listMarks} {
		marks, last := some(rand.New(rand.NewPCG(uint64(n), 5)), n, 9, 77)
		whole, other := built(t, 1, marks, last), built(t, 2, marks, last)
		if n < 1000 {
			whole.FlipEachByte(func(h *piecetest.Held, what string) {
				mustBeDamaged(t, h, marks, fmt.Sprintf("%d marks, %s", n, what))
			})
		}
		for seed := range uint64(300) {
			h, what := whole.Spoil(rand.New(rand.NewPCG(seed, 6)), other)
			if !h.Same(whole) {
				mustBeDamaged(t, h, marks, fmt.Sprintf("%d marks, seed %d: %s", n, seed, what))
			}
		}
	}
}

// mustBeDamaged reads a run of marks that is spoiled. Whatever it answers must be right.
func mustBeDamaged(t *testing.T, h *piecetest.Held, marks []Mark, what string) {
	t.Helper()
	r, err := Open(1, h)
	if err == nil {
		for i := 0; i < len(marks); i += 1 + len(marks)/40 {
			at, known, err := r.At(marks[i].First)
			if err != nil && !errors.Is(err, event.ErrDamaged) || err == nil && (at != marks[i].At || !known) {
				t.Fatalf("%s: mark %d is at %d, %v, %v", what, i, at, known, err)
			}
		}
		if merged := Merge(3, []*Run{r}, (&piecetest.Held{}).Emit); !errors.Is(merged, event.ErrDamaged) {
			t.Fatalf("%s: merge: %v", what, merged)
		}
		err = r.Check()
	}
	if !errors.Is(err, event.ErrDamaged) {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestFailedWritesAreErrors(t *testing.T) {
	marks, last := some(rand.New(rand.NewPCG(6, 6)), 4*listMarks, 0, 0)
	run := opened(t, 1, built(t, 1, marks, last))
	broken := errors.New("disk is full")
	for stop := range run.PieceCount() {
		for name, write := range map[string]func(emit func(piece.ID, []byte) error) error{
			"build": func(emit func(piece.ID, []byte) error) error { return Build(1, marks, last, emit) },
			"merge": func(emit func(piece.ID, []byte) error) error { return Merge(1, []*Run{run}, emit) },
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

func TestWriterRefusesWhatWouldMakeAWrongRun(t *testing.T) {
	a := opened(t, 1, built(t, 1, []Mark{{1, 5}}, 9))
	gap := opened(t, 2, built(t, 2, []Mark{{11, 6}}, 12))
	none := (&piecetest.Held{}).Emit
	for name, write := range map[string]func() error{
		"a position twice":     func() error { return Build(1, []Mark{{1, 1}, {1, 2}}, 5, none) },
		"time goes back":       func() error { return Build(1, []Mark{{1, 2}, {2, 1}}, 5, none) },
		"last before the mark": func() error { return Build(1, []Mark{{7, 2}}, 5, none) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			_ = write()
		}()
	}
	// Runs were stored, so that they don't fit is none of the caller's doing.
	for name, runs := range map[string][]*Run{"gap": {a, gap}, "runs in wrong order": {gap, a}, "a run twice": {a, a}} {
		if err := Merge(1, runs, none); !errors.Is(err, event.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The checksums are put right, so that the fuzzer gets at what lies behind them.
func FuzzPiecesNeverPanic(f *testing.F) {
	marks, last := some(rand.New(rand.NewPCG(7, 7)), 30, 0, 9)
	whole := built(f, 1, marks, last)
	head, err := encode.OpenFrame(whole.Pieces[0][len(magic)+1:], encode.Place{Stamp: 1})
	if err != nil {
		f.Fatal(err)
	}
	var parts [2][]byte
	for i := range parts {
		plain, err := piece.Open(whole, 1, piece.ID(1+i))
		if err != nil {
			f.Fatal(err)
		}
		parts[i] = bytes.Clone(plain)
	}
	f.Add(bytes.Clone(head), parts[0], parts[1])
	f.Add([]byte{0, 0, 0}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, head, list, directory []byte) {
		if max(len(head), len(list), len(directory)) > 60<<10 {
			return
		}
		h := &piecetest.Held{}
		w := piece.NewWriter(kind, 1, h.Emit)
		for _, err := range []error{w.Put(1, list, encode.SavingNever), w.Put(2, directory, encode.SavingNever), w.PutHead(head)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r, err := Open(1, h)
		if err == nil {
			for position := range event.Seq(300) {
				if _, _, err := r.At(position); err != nil && !errors.Is(err, event.ErrDamaged) {
					t.Fatalf("kind of %v", err)
				}
			}
			err = r.Check()
		}
		if err != nil {
			if !errors.Is(err, event.ErrDamaged) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		_, last := r.SeqRange()
		if again := all(t, opened(t, 2, built(t, 2, all(t, r), last))); !slices.Equal(again, all(t, r)) {
			t.Fatalf("%v become %v", all(t, r), again)
		}
	})
}
