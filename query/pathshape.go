package query

import "slices"

// pathShape is how many touches of each group a path has.
type pathShape struct {
	counts  []int64  // by group
	present []uint32 // the groups that have some
	window  touchWindow
}

// touchWindow says of which touches of an actor something was added up. The paths of an actor follow each other, and
// one has most of its touches in common with the one before: whoever has many conversions has many touches, too, and
// to add up all of them for each would take the square of that.
type touchWindow struct{ from, to int }

// turn goes to the touches of a path. It returns those that are no longer among them, and those that weren't before;
// anew says that nothing is left of what was added up.
func (w *touchWindow) turn(p *path) (gone, come []actorTouch, anew bool) {
	from, to := p.from, p.from+len(p.touches)
	if anew = from < w.from || from >= w.to || to < w.to; anew {
		come = p.touches
	} else {
		gone, come = p.all[w.from:from], p.all[w.to:to]
	}
	w.from, w.to = from, to
	return gone, come, anew
}

// begin begins with another actor.
func (c *pathShape) begin() {
	c.clear()
	c.window = touchWindow{}
}

func (c *pathShape) clear() {
	for _, g := range c.present {
		c.counts[g] = 0
	}
	c.present = c.present[:0]
}

// turn counts the touches of a path.
func (c *pathShape) turn(p *path) {
	gone, come, anew := c.window.turn(p)
	if anew {
		c.clear()
	}
	for i := range come {
		count := at(&c.counts, come[i].group)
		if *count == 0 {
			c.present = append(c.present, come[i].group)
		}
		*count++
	}
	left := false
	for i := range gone {
		count := &c.counts[gone[i].group]
		*count--
		left = left || *count == 0
	}
	if left {
		c.present = slices.DeleteFunc(c.present, func(g uint32) bool { return c.counts[g] == 0 })
	}
}
