package query

// How several workers look at segments, each at some of them.

// segmentWalk goes over a list of segments.
type segmentWalk struct {
	count, next int
	look        func(i int) error
}

func (w *segmentWalk) seekUnit(unit uint32) { w.next = int(unit) }

func (w *segmentWalk) nextUnit() uint64 {
	if w.next >= w.count {
		return noUnit
	}
	return uint64(w.next)
}

func (w *segmentWalk) walk(unit uint32) error {
	w.next = int(unit) + 1
	return w.look(int(unit))
}

// lookAt has some segments looked at, with so many rows in all, by as many workers as that is worth. hire returns what
// a worker does about a segment, whose place in the list it is given; what it finds goes there, too.
func (r *run) lookAt(count, rows int, hire func(*run) func(i int) error) error {
	return r.divideUnits(&segmentWalk{count: count, look: hire(r)}, rows, uint32(count), func(helper *run) unitWalker {
		return &segmentWalk{count: count, look: hire(helper)}
	})
}

// forHelper returns a pass of the same range that looks for what the memo is to keep.
func (p *pass) forHelper(r *run) *pass {
	if r.seat == 0 {
		return p
	}
	return &pass{from: p.from, to: p.to, wants: conditionsOf(nil, nil), size: func() int { return 0 }}
}
