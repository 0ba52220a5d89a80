package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"millimetric/index"
	"millimetric/index/event"
)

// How the sources of all events of a project are told anew.
//
//  1. From here on, every merge of the project tells them anew, too: what it writes needs no second look.
//  2. All live events are sealed. Those that come later bring sources by today's rules.
//  3. Each segment that there is then is written anew, alone, as a merge is: under a stamp that was never used,
//     and one synced batch puts it in the old one's place. Cut at any step, either stands.
//
// To tell the sources of a segment twice changes nothing, so whoever was cut begins at 1 again. Meanwhile
// answers hold old sources and new ones.

// Reclassify tells the sources of all events of a project anew. It returns when all of them are.
func (e *Engine) Reclassify(ctx context.Context, number event.Project, retouch index.Retouch) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.running.Done()
	known, ok := e.shown.Load(number)
	if !ok {
		return nil // it never had an event
	}
	p := known.(*project)
	e.setRetouch(p, retouch)
	defer e.setRetouch(p, nil)
	if _, err := e.seal(p); err != nil {
		return err
	}
	p.upkeep.Lock()
	until := p.next
	p.upkeep.Unlock()
	for more := true; more; {
		var err error
		var wait bool
		if more, wait, err = e.retouchNext(p, until); err != nil {
			return fmt.Errorf("reclassify project %d: %w", number, err)
		}
		if wait {
			select {
			case <-ctx.Done():
			case <-time.After(erasingWait):
			}
		}
		if err := cmp.Or(ctx.Err(), e.stopped()); err != nil {
			return err
		}
	}
	return e.clean()
}

func (e *Engine) setRetouch(p *project, retouch index.Retouch) {
	e.merging.Lock()
	defer e.merging.Unlock()
	p.retouch = retouch
}

// retouchNext writes the next segment with a stamp below until anew, and reports whether there was one.
func (e *Engine) retouchNext(p *project, until uint64) (more, wait bool, err error) {
	e.merging.Lock()
	defer e.merging.Unlock()
	if damage := p.damage(); damage != nil {
		return false, false, damage
	}
	held, over := e.hold(p)
	defer held.Release()
	state := held.sealed
	at := slices.IndexFunc(state.manifest.segments, func(s segmentEntry) bool {
		return s.stamp < until && !p.unsound[s.stamp] && s.hidden.Count() == 0
	})
	if at < 0 {
		wait = p.anyHidden(state.manifest, until)
		return wait, wait, p.left(state.manifest, until)
	}
	entry := &state.manifest.segments[at]
	if err := e.mergeSegments(p, state, []int{at}, over); err != nil {
		return true, false, e.spare(p, err, []uint64{entry.stamp}, func(int) error { return e.checkSegment(p, entry) })
	}
	return true, false, nil
}

// erasingWait is how long the work rests where it waits for erasures.
const erasingWait = 50 * time.Millisecond

// anyHidden reports whether segments are left that hold rows of erased persons. Who takes those out writes them
// anew, with their sources told anew. The caller holds the engine's merging.
func (p *project) anyHidden(m *manifest, until uint64) bool {
	return slices.ContainsFunc(m.segments, func(s segmentEntry) bool {
		return s.stamp < until && !p.unsound[s.stamp] && s.hidden.Count() > 0
	})
}

// left tells of segments that could not be written anew, as they are damaged. The caller holds the engine's merging.
func (p *project) left(m *manifest, until uint64) error {
	n := 0
	for i := range m.segments {
		if s := &m.segments[i]; s.stamp < until && p.unsound[s.stamp] {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d segments keep their sources: %w", n, event.ErrDamaged)
}
