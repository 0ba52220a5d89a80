package query

// How several workers look at the segments of a list, or at other things, each at some of them.

// listWalk goes over a list.
type listWalk struct {
	count, next int
	look        func(i int) error
}

func (w *listWalk) seekUnit(unit uint32) { w.next = int(unit) }

func (w *listWalk) nextUnit() uint64 {
	if w.next >= w.count {
		return noUnit
	}
	return uint64(w.next)
}

func (w *listWalk) walk(unit uint32) error {
	w.next = int(unit) + 1
	return w.look(int(unit))
}

// lookAtEach has so many things looked at, with so many rows in all, by as many workers as that is worth. hire returns what
// a worker does about one, whose place in the list it is given; what it finds goes there, too.
func (r *run) lookAtEach(count, rows int, hire func(*run) func(i int) error) error {
	return r.divideUnits(&listWalk{count: count, look: hire(r)}, rows, uint32(count), true, func(helper *run) unitWalker {
		return &listWalk{count: count, look: hire(helper)}
	})
}

// forHelper returns a pass of the same range that looks for what the memo is to keep.
func (p *pass) forHelper(r *run) *pass {
	if r.seat == 0 {
		return p
	}
	return &pass{from: p.from, to: p.to, wants: conditionsOf(nil, nil), size: func() int { return 0 }}
}
