package enginetest

import (
	"fmt"

	"millimetric/index/event"
)

// reopen closes the store and opens it, after some hours have passed.
func (r *opsRun) reopen(hours int) error {
	if err := r.letGo(); err != nil {
		return err
	}
	if err := r.e.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if r.random.IntN(8) == 0 {
		if err := r.check(); err != nil {
			return fmt.Errorf("check: %w", err)
		}
		r.count("checked")
	}
	r.startOver(hours)
	return r.open()
}

// startOver is what time does between two starts.
func (r *opsRun) startOver(hours int) {
	if r.off != 0 {
		r.setRight()
	}
	ms := int64(hours) * 3600_000
	r.elapsed.Add(ms)
	r.wall.Add(ms)
	r.model.Now(r.now())
}

// letGo looks at all snapshots once more and releases them: none outlives its engine.
func (r *opsRun) letGo() error {
	for len(r.held) > 0 {
		if err := r.release(); err != nil {
			return err
		}
	}
	return nil
}

// cutInside does things until the power is cut in the middle of one. The model is told of those before
// it, and then learns from what is left what became of that one.
func (r *opsRun) cutInside() error {
	if err := r.letGo(); err != nil {
		return err
	}
	for range 30 {
		c, gap := r.append(), 2 // it writes a few times
		switch r.random.IntN(5) {
		case 0:
			c = r.retention()
		case 1:
			c, gap = r.compact(), 20
		case 2:
			c, gap = r.erase(), 12
		}
		var acked []bool
		r.disk.hold(func() {
			r.disk.gap, r.disk.left = 1+r.random.IntN(gap), 1
			r.disk.before = func() {
				for _, part := range c.parts {
					acked = append(acked, part.acked.Load())
				}
			}
		})
		if err := c.start(r.e); err != nil {
			return err
		}
		cut := false
		r.disk.hold(func() { cut = r.disk.left == 0; r.disk.left = 0 })
		if cut {
			r.count("cut in the middle of: " + c.name)
			return r.cutAt(c, acked)
		}
		for _, part := range c.parts {
			if err := part.done(); err != nil {
				return err
			}
		}
	}
	return r.cut(change{})
}

// cut cuts the power when nothing but upkeep goes on.
func (r *opsRun) cut(c change) error {
	if err := r.letGo(); err != nil {
		return err
	}
	r.disk.hold(func() { r.disk.copies = append(r.disk.copies, r.disk.copy()) })
	return r.cutAt(c, nil)
}

// cutAt goes on with what a cut left.
func (r *opsRun) cutAt(c change, acked []bool) error {
	old := r.e
	r.e = nil
	if err := old.Close(); err != nil {
		return fmt.Errorf("close what was cut: %w", err)
	}
	r.disk = &cutter{disk: r.disk.copies[0], random: r.disk.random}
	r.watermark = map[event.Project]event.Seq{}
	hours := r.random.IntN(8)
	if c.name == "erase" {
		hours = 0 // past midnight, other links may be the first of their visitors, and both persons' devices be erased
	}
	r.startOver(hours)
	if err := r.open(); err != nil {
		return err
	}
	for i, part := range c.parts {
		tell := part.found
		if acked[i] {
			tell = part.done
		}
		if err := tell(); err != nil {
			return err
		}
	}
	for p := range event.Project(projects) {
		if err := r.lookAt(1+p, true); err != nil {
			return err
		}
		r.reopened[1+p] = event.Seq(len(r.model.events[1+p]))
	}
	return nil
}
