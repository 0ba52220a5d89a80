package query

import (
	"math/bits"
	"slices"

	"millimetric/index/event"
)

// How the visitors of a block who may do more than begin attempts are followed.

// followAll follows the visitors of a block who may do more than begin attempts.
func (w *trackWalk) followAll(first uint32) error {
	w.hits.sort()
	for at, word := range w.hits.met {
		for ; word != 0; word &= word - 1 {
			if err := w.follow(first, uint32(64*at+bits.TrailingZeros64(word))); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow finds how far a visitor came.
func (w *trackWalk) follow(first, visitor uint32) error {
	hits := w.hits.of(visitor)
	live := w.lists.added(visitor)
	if len(live) == 0 && (w.inRow(hits) || w.inOrder(hits)) {
		if f := w.path; f.reached > 0 {
			w.reach(visitor, &f.best.first, f.bestTimes())
		}
		return nil
	}
	if err := w.markAll(first+visitor, hits, live); err != nil || len(w.line) == 0 {
		return err
	}
	trail := w.best(w.line)
	if trail == nil {
		return nil
	}
	marks := w.flow.marks
	w.trail = w.trail[:0]
	for _, i := range trail {
		w.trail = append(w.trail, marks[i].time)
	}
	begin := w.beginOf(visitor, &marks[trail[0]])
	w.reach(visitor, &begin, w.trail)
	return nil
}

// beginOf is the first event of the attempt of a visitor.
func (w *trackWalk) beginOf(visitor uint32, opening *funnelMark) trackBegin {
	if w.starts != nil && opening.visit == 0 {
		w.seqs[visitor] = opening.seq
	}
	return trackBegin{opening.time, opening.visit, uint32(opening.seq)}
}

// reach takes how far a visitor came. Who waits for his first touch must rise.
func (w *trackWalk) reach(visitor uint32, first *trackBegin, times []event.Time) {
	if w.starts == nil {
		w.result.enter(0, times)
		return
	}
	w.begun.add(visitor)
	w.first[visitor] = *first
	if len(times) > 1 {
		w.reached = append(w.reached, reachedStep{visitor, w.result.enterBeyond(0, times)})
	}
}

// trackCursor is where a walk over events of a visitor in a segment has come to.
type trackCursor struct {
	of     *trackSegment
	at, to int
	time   event.Time // of the event there
}

// inRow offers the events of a visitor to the flow, one segment after the other; it returns false where these overlap.
func (w *trackWalk) inRow(hits []trackHit) bool {
	if !w.apart(hits) {
		return false
	}
	w.path.clear()
	for _, h := range hits {
		of := w.segments[h.of-1]
		if of.inside {
			w.offerInside(of, int(h.from), int(h.to))
		} else {
			c := trackCursor{of: of, at: int(h.from), to: int(h.to)}
			w.offerUntil(&c, event.TimeMax+1)
		}
		if w.path.done() {
			break
		}
	}
	return true
}

// apart tells whether the events of a visitor in each segment come after those in the one before.
func (w *trackWalk) apart(hits []trackHit) bool {
	last := event.TimeMin
	for _, h := range hits {
		of := w.segments[h.of-1]
		if t := of.time + event.Time(of.times[h.from]); t <= last {
			return false
		}
		last = of.time + event.Time(of.times[h.to-1])
	}
	return true
}

// offerInside offers events to the flow, all of which matter. Of some in a row that can only begin an attempt, all but
// the last are as if they weren't, unless one is the first of all.
func (w *trackWalk) offerInside(of *trackSegment, from, to int) {
	f, times := w.path, of.times[from:to]
	waits := -1 // the one that begins an attempt next
	for i, name := range of.names[from:to] {
		switch of.kinds[name] {
		case trackBegins:
			if waits = i; f.reached == 0 {
				f.begin(of.beginAt(from, i, times))
			}
		case trackAny:
			mark := &of.marks[name]
			if waits < 0 && mark.bars == 0 && mark.steps&(f.taken|1) == 0 {
				continue
			}
			if waits >= 0 {
				f.begin(of.beginAt(from, waits, times))
				waits = -1
			}
			if f.offer(of.beginAt(from, i, times), mark); f.done() {
				return
			}
		}
	}
	if waits >= 0 {
		f.begin(of.beginAt(from, waits, times))
	}
}

// beginAt is the event of a number, from one on, as it may begin an attempt.
func (s *trackSegment) beginAt(from, i int, times []uint32) trackBegin {
	return trackBegin{s.time + event.Time(times[i]), s.number, uint32(from + i)}
}

// inOrder offers the events of a visitor to the flow, those of his segments merged; it returns false where two
// segments have events of one moment, as their places tell no order.
func (w *trackWalk) inOrder(hits []trackHit) bool {
	w.path.clear()
	cursors := w.cursors[:0]
	for _, h := range hits {
		of := w.segments[h.of-1]
		c := trackCursor{of: of, at: int(h.from), to: int(h.to)}
		if w.offerUntil(&c, event.TimeMin) {
			cursors = append(cursors, c)
		}
	}
	w.cursors = cursors
	for len(cursors) > 1 && !w.path.done() {
		next, until := earliest(cursors)
		if cursors[next].time == until {
			return false
		}
		if !w.offerUntil(&cursors[next], until) {
			cursors = slices.Delete(cursors, next, next+1)
		}
	}
	if len(cursors) == 1 {
		w.offerUntil(&cursors[0], event.TimeMax+1)
	}
	return true
}

// earliest returns which of some cursors stands at the earliest event, and the time of the others' earliest.
func earliest(cursors []trackCursor) (next int, until event.Time) {
	until = event.TimeMax + 1
	for i := 1; i < len(cursors); i++ {
		if t := cursors[i].time; t < cursors[next].time {
			next, until = i, cursors[next].time
		} else {
			until = min(until, t)
		}
	}
	return next, until
}

// offerUntil offers events to the flow up to a time. It leaves the cursor at the first that doesn't come before, and
// returns whether there is one.
func (w *trackWalk) offerUntil(c *trackCursor, until event.Time) bool {
	of, f := c.of, w.path
	times := of.times[c.at:c.to]
	for i, name := range of.names[c.at:c.to] {
		kind := of.kinds[name]
		if kind == trackNothing {
			continue
		}
		t := of.time + event.Time(times[i])
		switch {
		case t >= until:
			c.at, c.time = c.at+i, t
			return true
		case !of.inside && (t < w.from || t >= w.pass.to):
		case kind == trackBegins:
			f.begin(trackBegin{t, of.number, uint32(c.at + i)})
		default:
			f.offer(trackBegin{t, of.number, uint32(c.at + i)}, &of.marks[name])
		}
		if f.done() {
			return false
		}
	}
	return false
}
