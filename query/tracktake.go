package query

import "millimetric/index/event"

// How the events of a block become marks.

// takeTracks takes the events of a block in a segment.
func (w *trackWalk) takeTracks(b *block, of *trackSegment) {
	for k := of.next; k < of.run; k++ {
		visitor := of.ordinals[k] - b.first
		if of.inside && w.onlyBegins(visitor) {
			w.takeBegin(of, visitor, k)
			continue
		}
		from, to := of.of(k)
		tangled := b.tangled.has(visitor)
		if of.inside && !tangled {
			w.takeInside(of, visitor, from, to)
			continue
		}
		for i := from; i < to; i++ {
			if !w.matters(of, i) {
				continue
			}
			if !of.inside {
				w.r.cost.Matched++
			}
			if tangled {
				w.mark(visitor, w.markAt(of, i))
			} else {
				w.takeEvent(visitor, w.markAt(of, i))
			}
		}
	}
}

// takeInside takes the events of a visitor that come in order and of which each that begins an attempt counts:
// as takeEvent does it, but most of them by a look at the kind of their names.
func (w *trackWalk) takeInside(of *trackSegment, visitor uint32, from, to int) {
	begun := w.begun.has(visitor)
	first, last := -1, -1 // events that only begin, since the last mark
	for i := from; i < to; i++ {
		switch of.kinds[of.names[i]] {
		case trackNothing:
		case trackBegins:
			if begun {
				last = i
			} else {
				begun, first = true, i
			}
		default:
			w.note(of, visitor, first, last)
			first, last = -1, -1
			w.takeEvent(visitor, w.markAt(of, i))
			begun = w.begun.has(visitor)
		}
	}
	w.note(of, visitor, first, last)
}

// takeBegin notes that a visitor began an attempt, of whom nothing else matters.
func (w *trackWalk) takeBegin(of *trackSegment, visitor uint32, k int) {
	if w.begun.has(visitor) {
		return
	}
	from, to := of.of(k)
	for i := from; i < to; i++ {
		if of.kinds[of.names[i]] == trackBegins {
			w.note(of, visitor, i, -1)
			return
		}
	}
}

// note notes events of a visitor that only begin attempts, where there are such: his first, and the last.
func (w *trackWalk) note(of *trackSegment, visitor uint32, first, last int) {
	if first >= 0 {
		w.begun.add(visitor)
		w.first[visitor] = trackBegin{of.time + event.Time(of.times[first]), of.number, uint32(first)}
	}
	if last >= 0 {
		w.waiting.add(visitor)
		w.pending[visitor] = trackBegin{of.time + event.Time(of.times[last]), of.number, uint32(last)}
	}
}

// markAt makes the mark of an event. In the place of its position it has a number that is good among the
// events of the segment.
func (w *trackWalk) markAt(of *trackSegment, i int) funnelMark {
	n := &of.marks[of.names[i]]
	m := funnelMark{time: of.time + event.Time(of.times[i]), seq: event.Seq(i), steps: n.steps, bars: n.bars, visit: of.number}
	m.begins = m.steps&1 != 0 && m.time < w.see.beginTo
	return m
}

// takeEvent takes an event of a visitor whose events come in order.
func (w *trackWalk) takeEvent(visitor uint32, m funnelMark) {
	begun, only := w.begun.has(visitor), m.steps == 1 && m.bars == 0
	switch {
	case !m.begins && (only || !begun): // nothing comes of it
	case only && begun:
		w.waiting.add(visitor)
		w.pending[visitor] = trackBegin{m.time, m.visit, uint32(m.seq)}
	case only:
		w.begun.add(visitor)
		w.first[visitor] = trackBegin{m.time, m.visit, uint32(m.seq)}
	default:
		if begun {
			w.flush(visitor)
		}
		w.mark(visitor, m)
	}
}

// flush enters what a visitor began before a mark.
func (w *trackWalk) flush(visitor uint32) {
	if !w.listed.has(visitor) {
		w.mark(visitor, w.first[visitor].mark())
	}
	if w.waiting.has(visitor) {
		w.mark(visitor, w.pending[visitor].mark())
		w.waiting.remove(visitor)
	}
}

func (t *trackBegin) mark() funnelMark {
	return funnelMark{time: t.time, seq: event.Seq(t.index), steps: 1, begins: true, visit: t.of}
}

func (w *trackWalk) mark(visitor uint32, m funnelMark) {
	w.listed.add(visitor)
	if m.begins {
		w.begun.add(visitor)
	}
	w.lists.add(visitor, m)
}
