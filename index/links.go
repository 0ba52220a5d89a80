package index

import (
	"millimetric/index/event"
)

// day is the time of a UTC day. Days don't leap: a retention window ends at a multiple of it.
const day = 24 * 60 * 60 * 1000

// Links yields the links that rows say: who the user of a visitor was, when. Of each visitor and UTC
// day, in the order of events, it yields those with a position lower than all before them. That is
// every link that ever is the earliest of its visitor, of those up to some position and from some
// day on. It reads the rows that have a user, and of the others one column.
func (s *Segment) Links(yield func(event.Link) bool) error {
	users := s.Dict(event.ColumnUserID)
	without, found, err := users.Find("")
	if err != nil || found && users.Len() == 1 {
		return err
	}
	if !found {
		without = uint32(users.Len())
	}
	runs, err := s.Runs()
	if err != nil {
		return err
	}
	w := &linkWalk{segment: s, users: users, visitors: s.dict(&s.anonymous, true), runs: runs, without: without, hides: s.Hides(), yield: yield}
	for chunk := range s.Chunks() {
		if goOn, err := w.chunk(chunk); err != nil || !goOn {
			return err
		}
	}
	return nil
}

type linkWalk struct {
	segment         *Segment
	users, visitors *Dict
	runs            *Runs
	without         uint32 // the code of no user
	hides           bool   // some rows are hidden
	yield           func(event.Link) bool

	codes []uint32
	times []event.Time
	seqs  []event.Seq

	run int // of the row at hand
	day event.Time
	low event.Seq // the lowest position of a link of that visitor and day; 0 before the first
}

func (w *linkWalk) chunk(chunk int) (goOn bool, err error) {
	if w.codes, err = w.segment.Codes(event.ColumnUserID, w.runs, chunk, w.codes); err != nil {
		return false, err
	}
	loaded := false
	from, _ := w.segment.ChunkBounds(chunk)
	for i, code := range w.codes {
		if code == w.without || w.hides && w.segment.hidden.Has(uint32(from+i)) {
			continue
		}
		if !loaded {
			if w.times, err = w.segment.Times(chunk, w.times); err != nil {
				return false, err
			}
			if w.seqs, err = w.segment.Seqs(chunk, w.seqs); err != nil {
				return false, err
			}
			loaded = true
		}
		if goOn, err := w.row(uint32(from+i), code, w.times[i], w.seqs[i]); err != nil || !goOn {
			return false, err
		}
	}
	return true, nil
}

func (w *linkWalk) row(row, code uint32, at event.Time, seq event.Seq) (goOn bool, err error) {
	if row >= w.runs.Starts[w.run+1] {
		w.run, w.low = w.runs.Of(row), 0
	}
	if today := at / day; w.low == 0 || today != w.day {
		w.day, w.low = today, seq+1
	}
	if seq >= w.low {
		return true, nil
	}
	w.low = seq
	link := event.Link{Time: at, Seq: seq}
	if link.AnonymousID, err = w.visitors.At(uint32(w.run)); err != nil {
		return false, err
	}
	if link.UserID, err = w.users.At(code); err != nil {
		return false, err
	}
	return w.yield(link), nil
}
