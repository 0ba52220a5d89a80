package query

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// countingWalker walks a number of blocks, and does something at each.
type countingWalker struct {
	blocks uint64
	at     uint64
	walked []atomic.Int32 // by block, of all walkers
	do     func(block uint64) error
}

func (w *countingWalker) seek(visitor uint32) { w.at = uint64(visitor) / blockVisitors }

func (w *countingWalker) next() uint64 {
	if w.at >= w.blocks {
		return noVisitor
	}
	return w.at*blockVisitors + 5
}

func (w *countingWalker) walkBlock(first uint32) error {
	w.at = uint64(first)/blockVisitors + 1
	w.walked[w.at-1].Add(1)
	return w.do(w.at - 1)
}

// walkedBy makes a pass over 100 blocks with up to two helpers; helped is what they do at a block.
func walkedBy(r *run, own, helped func(of *run, block uint64) error) (walked []atomic.Int32, err error) {
	const blocks = 100
	walked = make([]atomic.Int32, blocks)
	walker := func(of *run, do func(*run, uint64) error) *countingWalker {
		return &countingWalker{blocks: blocks, walked: walked, do: func(block uint64) error { return do(of, block) }}
	}
	err = r.divide(walker(r, own), workload{rows: 3, visitor: blocks*blockVisitors - 1}, func(helper *run) blockWalker { return walker(helper, helped) })
	return walked, err
}

func newTeamRun(ctx context.Context, w *Workers) *run {
	return &run{ctx: ctx, common: &Common{Workers: w}}
}

// soon waits for something that another goroutine does.
func soon(t *testing.T, what string, holds func() bool) {
	for deadline := time.Now().Add(10 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Error(what + " doesn't come about")
			return
		}
	}
}

func TestEachBlockIsWalkedOnceWhoeverWorks(t *testing.T) {
	w := NewWorkers(3, 1)
	w.Begin()
	defer w.End()
	r := newTeamRun(t.Context(), w)
	var helped atomic.Int32
	// The question's own goroutine waits at its first block for a helper, which leaves when others ask.
	walked, err := walkedBy(r, func(_ *run, block uint64) error {
		soon(t, "help", func() bool { return helped.Load() > 0 })
		return nil
	}, func(_ *run, block uint64) error {
		if helped.Add(1) == 1 {
			w.Begin()
			w.Begin()
		}
		soon(t, "a crowd", w.crowded)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range walked {
		if n := walked[i].Load(); n != 1 {
			t.Errorf("block %d was walked %d times", i, n)
		}
	}
	if n := helped.Load(); n == 0 || n > 2 {
		t.Errorf("helpers walked %d blocks, though others asked", n)
	}
	w.End()
	w.End()
	if busy, hired := w.Counts(); busy != 1 || hired == 0 {
		t.Errorf("%d are busy, %d helped", busy, hired)
	}
}

func TestNobodyHelpsWhereAllAreBusyOrThereIsLittle(t *testing.T) {
	for name, w := range map[string]*Workers{"one": NewWorkers(1, 1), "none": nil, "busy": NewWorkers(2, 1), "few rows": NewWorkers(3, 2)} {
		w.Begin()
		if name == "busy" {
			w.Begin()
		}
		walked, err := walkedBy(newTeamRun(t.Context(), w), func(*run, uint64) error { return nil }, func(*run, uint64) error {
			t.Errorf("%s: there is help", name)
			return nil
		})
		if err != nil || walked[99].Load() != 1 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheFirstErrorEndsAllWorkers(t *testing.T) {
	w := NewWorkers(3, 1)
	broken := errors.New("a segment is damaged")
	untilStopped := func(of *run, _ uint64) (err error) {
		soon(t, "the end", func() bool { err = of.overBudget(1); return err != nil })
		return err
	}
	walked, err := walkedBy(newTeamRun(t.Context(), w), untilStopped, func(of *run, block uint64) error {
		if of.seat == 1 {
			return broken
		}
		return untilStopped(of, block)
	})
	if err != broken {
		t.Errorf("got %v", err)
	}
	if busy, _ := w.Counts(); busy != 0 || walked[99].Load() != 0 {
		t.Errorf("%d still work", busy)
	}
}

func TestACancelledQuestionLeavesNoWorkerBehind(t *testing.T) {
	for _, waits := range []bool{false, true} { // the question's own goroutine, for its helpers
		w := NewWorkers(3, 1)
		ctx, cancel := context.WithCancel(t.Context())
		untilStopped := func(of *run, _ uint64) (err error) {
			cancel()
			soon(t, "the end", func() bool { err = of.overBudget(1); return err != nil })
			return err
		}
		r, own, helping := newTeamRun(ctx, w), untilStopped, untilStopped
		if waits {
			var began atomic.Int32
			own = func(*run, uint64) error {
				soon(t, "help", func() bool { return began.Load() == 2 })
				return nil
			}
			helping = func(of *run, block uint64) error {
				began.Add(1)
				soon(t, "the last stripe", func() bool {
					of.team.mu.Lock()
					defer of.team.mu.Unlock()
					return len(of.team.left) == 0
				})
				return untilStopped(of, block)
			}
		}
		if _, err := walkedBy(r, own, helping); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if busy, hired := w.Counts(); busy != 0 || hired != 2 {
			t.Errorf("%d are busy, %d helped", busy, hired)
		}
		cancel()
	}
}

func TestOneBudgetHoldsForAllWorkers(t *testing.T) {
	const each = 3 << 20 / entryBytes // entries: of one or two workers there are few enough
	w := NewWorkers(3, 1)
	r := newTeamRun(t.Context(), w)
	r.share.of = &Allowance{most: 1 << 30, each: 8 << 20}
	grow := func(of *run, _ uint64) (err error) {
		soon(t, "the bound", func() bool { err = of.overBudget(each); return err != nil })
		return err
	}
	_, err := walkedBy(r, grow, grow)
	if err == nil || !strings.Contains(err.Error(), codeTooLarge) {
		t.Errorf("got %v", err)
	}
	if r.share.held > 8<<20 {
		t.Errorf("%d bytes are held", r.share.held)
	}
	r.share.release()
	if used := r.share.of.Used(); used != 0 {
		t.Errorf("%d bytes stay taken", used)
	}
}

func TestAPanicOfAHelperIsThatOfTheQuestion(t *testing.T) {
	w := NewWorkers(2, 1)
	defer func() {
		cause, ok := recover().(runtime.Error)
		if !ok || !strings.Contains(cause.Error(), "index out of range") || !strings.Contains(cause.Error(), "TestAPanicOfAHelper") {
			t.Errorf("got %v", cause)
		}
		if busy, _ := w.Counts(); busy != 0 {
			t.Errorf("%d still work", busy)
		}
	}()
	_, err := walkedBy(newTeamRun(t.Context(), w), func(of *run, _ uint64) (err error) {
		soon(t, "the end", func() bool { err = of.overBudget(1); return err != nil })
		return err
	}, func(*run, uint64) error {
		none := []int{}
		return errors.New(string(rune(none[w.rows])))
	})
	t.Errorf("got %v", err)
}

func TestHelpersEndWhereTheQuestionPanics(t *testing.T) {
	w := NewWorkers(3, 1)
	defer func() {
		if cause := recover(); cause != "a bug" {
			t.Errorf("got %v", cause)
		}
		if busy, hired := w.Counts(); busy != 0 || hired != 2 {
			t.Errorf("%d are busy, %d helped", busy, hired)
		}
	}()
	_, err := walkedBy(newTeamRun(t.Context(), w), func(*run, uint64) error { panic("a bug") }, func(of *run, _ uint64) (err error) {
		soon(t, "the end", func() bool { err = of.overBudget(1); return err != nil })
		return err
	})
	t.Errorf("got %v", err)
}
