package engine

import (
	"fmt"
	"slices"

	"millimetric/index"
	"millimetric/index/event"
)

// Where a retention window becomes so short that each day needs a cipher key of its own, segments that
// were written under the key of a month are written anew, under those of days:
//
//  1. For each day of a segment, index.Merge makes a segment of its rows, which is written under a stamp
//     that was never used. What a crash leaves of them is deleted at the next start.
//  2. One synced batch replaces the manifest: the days' segments stand in it for that of the month.
//  3. The old pieces are deleted once no reader needs them, then the month's key is dropped, when no
//     segment is left under it (retain).
//
// It is done one segment at a time, and of that one day at a time, so memory is that of a merge. Whatever
// step a crash stops, either segment stands, and the rest is done after the next start.

// planRebucket returns the place in the manifest of a segment that is to be written anew, -1 where there is
// none.
func planRebucket(m *manifest, unsound map[uint64]bool) int {
	if !daily(m.days) {
		return -1
	}
	return slices.IndexFunc(m.segments, func(s segmentEntry) bool { return s.bucket < dayBuckets && !unsound[s.stamp] && s.hidden.Count() == 0 })
}

// rebucket writes a segment anew, by days.
func (e *Engine) rebucket(p *project, state *sealed, at int, over event.Time) error {
	old := &state.manifest.segments[at]
	made, err := e.writeDays(p, old, over)
	if err != nil {
		e.buryMade(p, made)
		return fmt.Errorf("write segment %d of project %d by days: %w", old.stamp, p.number, err)
	}
	rows := 0
	for i := range made {
		rows += made[i].rows
	}
	done, err := e.replace(p, func(m *manifest) bool {
		i := slices.IndexFunc(m.segments, func(s segmentEntry) bool { return s.stamp == old.stamp && s.hidden.Count() == 0 })
		if i < 0 || !daily(m.days) {
			return false // it was dropped meanwhile, or has no need of it any more, or somebody was erased
		}
		m.segments = slices.Concat(m.segments[:i], m.segments[i+1:], made)
		m.gone += uint64(old.rows - rows)
		return true
	})
	if !done && err == nil {
		e.buryMade(p, made)
	}
	if done {
		e.opt.Notify(Rebucketed{Project: p.number, Events: rows, Segments: len(made)})
		p.upkeep.Lock()
		p.retained = retained{} // there may be a key to drop
		p.upkeep.Unlock()
	}
	return err
}

// buryMade has segments deleted that no manifest names.
func (e *Engine) buryMade(p *project, made []segmentEntry) {
	var dead []thing
	for i := range made {
		dead = append(dead, thing{p.number, made[i].bucket, made[i].stamp})
	}
	e.bury(dead)
}

// writeDays writes the rows of a segment from floor on, a segment for each day that has some.
// What it returns beside an error was written, too.
func (e *Engine) writeDays(p *project, old *segmentEntry, floor event.Time) (made []segmentEntry, err error) {
	for day := max(old.minTime, floor) / dayMillis; day <= old.maxTime/dayMillis; day++ {
		segment, err := index.Open(&passing{e: e, thing: thing{p.number, old.bucket, old.stamp}})
		if err != nil {
			return made, err
		}
		built, err := index.Merge([]*index.Segment{segment}, index.MergeOptions{
			Floor: max(floor, day*dayMillis), Until: (day + 1) * dayMillis, Retouch: p.retouch,
		})
		if err != nil {
			return made, err
		}
		if built == nil {
			continue
		}
		w := &pieceWriter{e: e}
		entry, err := e.writeSegment(w, thing{p.number, dayBuckets + int32(day), p.reserve()}, built)
		if err == nil {
			err = w.finish()
		}
		w.abandon()
		if err != nil {
			return made, err
		}
		made = append(made, entry)
		if err := e.stopped(); err != nil {
			return made, err
		}
	}
	return made, nil
}
