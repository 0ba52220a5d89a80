package query

import "sync/atomic"

// Workers bounds the goroutines on which all questions together work. A question works on its own one, and takes
// helpers for a pass over many rows only while fewer goroutines work than there may be. It never waits for one, and
// a helper leaves as soon as another question comes. Workers is safe for concurrent use, and a nil one has no
// helpers.
type Workers struct {
	most int32
	rows int
	busy atomic.Int32 // questions that were begun, and helpers

	hired atomic.Uint64
}

// WorkerRows is how many rows a worker must find for it to be worth the while: fewer are walked in about the time
// that it takes to open the segments once more.
const WorkerRows = 1 << 17

// NewWorkers bounds the goroutines to so many; each of those that share a pass has so many rows, at least.
func NewWorkers(most, rows int) *Workers { return &Workers{most: int32(most), rows: max(rows, 1)} }

// Begin notes that a question is under way, or waits for its turn. It must be followed by End.
func (w *Workers) Begin() {
	if w != nil {
		w.busy.Add(1)
	}
}

// End notes that it is answered.
func (w *Workers) End() {
	if w != nil {
		w.busy.Add(-1)
	}
}

// Counts tells how many questions and helpers there are now, and how many helpers there were.
func (w *Workers) Counts() (busy int, hired uint64) { return int(w.busy.Load()), w.hired.Load() }

// wanted returns how many helpers a pass over so many rows is worth.
func (w *Workers) wanted(rows int) int {
	if w == nil {
		return 0
	}
	return max(0, min(rows/w.rows, int(w.most))-1)
}

// hire takes a helper, if there is one to spare.
func (w *Workers) hire() bool {
	for {
		busy := w.busy.Load()
		if busy >= w.most {
			return false
		}
		if w.busy.CompareAndSwap(busy, busy+1) {
			w.hired.Add(1)
			return true
		}
	}
}

// crowded tells whether some helper must leave.
func (w *Workers) crowded() bool { return w.busy.Load() > w.most }

// leave gives a helper back.
func (w *Workers) leave() { w.busy.Add(-1) }
