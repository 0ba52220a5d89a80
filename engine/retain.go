package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"millimetric/index/event"
)

// RetentionDaysMax bounds a retention window: a century is as good as for ever.
const RetentionDaysMax = 36_500

func monthStart(year, month int) time.Time {
	return time.Date(year, time.Month(month+1), 1, 0, 0, 0, 0, time.UTC)
}

// floorOf returns the time before which events are in no answer on a day (since 1970), where the
// retention window has so many days: the window's days and the current one are kept.
func floorOf(today int64, days int) event.Time {
	if days == 0 {
		return event.TimeMin
	}
	return max(event.TimeMin, event.Time(today-int64(days))*dayMillis)
}

// today returns the UTC day, since 1970, by which events are in no answer any more.
func (e *Engine) today() int64 {
	return int64(e.retention.now() / dayMillis)
}

// endingDay returns the UTC day by which events are destroyed. It may be some days before today for a few
// hours after a start: what isn't shown can be shown again once a clock is right, what is destroyed can't.
func (e *Engine) endingDay() int64 {
	return min(e.today(), int64(e.ending.now()/dayMillis))
}

// hold takes a snapshot of a project for upkeep, so that nothing that is read is dropped meanwhile with its cipher
// keys. It also tells before which time events may be dropped. The day is looked up first: where the window is made
// longer while the work goes on, a later day must not count under the old one.
func (e *Engine) hold(p *project) (held *Snapshot, over event.Time) {
	today := e.endingDay()
	held = e.Snapshot(p.number)
	return held, floorOf(today, held.sealed.days)
}

// Retention returns the retention window of a project in days, 0 for ever.
func (e *Engine) Retention(number event.Project) int {
	known, ok := e.shown.Load(number)
	if !ok {
		return 0
	}
	return known.(*project).newest().days
}

// Oldest returns the time before which a project's retention window keeps nothing.
func (e *Engine) Oldest(number event.Project) event.Time {
	return floorOf(e.today(), e.Retention(number))
}

// SetRetention sets the retention window of a project in days, 0 for ever, and returns once that is
// durable. On day D, the events of days up to D - days - 1 are in no answer. A window that is made
// longer doesn't bring back what is gone.
func (e *Engine) SetRetention(ctx context.Context, number event.Project, days int) error {
	if days < 0 || days > RetentionDaysMax {
		return event.InvalidField(event.CodeInvalidPayload, "retention_days", fmt.Sprintf("Must lie between 0 (for ever) and %d", RetentionDaysMax))
	}
	if _, err := e.hashersOf(number); err != nil {
		return err
	}
	var p *project
	if err := e.inGather(func(*group) { p = e.project(number) }); err != nil {
		return err
	}
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	if why := p.damage(); why != nil {
		return why
	}
	before := p.newest()
	if before.days == days {
		return nil
	}
	next := &sealed{manifest: before.manifest.clone(), segments: before.segments, commits: before.commits}
	next.days = days
	if err := e.publish(p, next); err != nil {
		return fmt.Errorf("set retention of project %d: %w", number, err)
	}
	e.wake()
	return ctx.Err()
}

// retain drops what of a project is over: segments whose buckets are, with their cipher keys, and runs
// of ids that nobody has to know any more. What is over in part stays until the rest is, or until it
// is merged; no answer shows it.
func (e *Engine) retain(p *project) error {
	p.upkeep.Lock()
	defer p.upkeep.Unlock()
	before, today := p.newest(), e.endingDay()
	if p.damage() != nil || before.days == 0 || p.retained == (retained{today, before.days}) {
		return nil
	}
	floor := floorOf(today, before.days)
	next := &sealed{manifest: before.manifest.clone(), commits: before.commits}
	next.manifest.segments = nil
	for i := range before.manifest.segments {
		entry := before.manifest.segments[i]
		if entry.maxTime < floor {
			next.gone += uint64(entry.rows)
			continue
		}
		next.manifest.segments = append(next.manifest.segments, entry)
		next.segments = append(next.segments, before.segments[i])
	}
	oldest := event.Time(today)*dayMillis - idsFor(before.days)
	next.runs[runIDs] = slices.DeleteFunc(next.runs[runIDs], func(r runEntry) bool { return r.latest < oldest })
	if err := e.putRetained(p, before, next); err != nil {
		return fmt.Errorf("retain project %d: %w", p.number, err)
	}
	if len(before.segments) > len(next.segments) {
		e.sweepNow.Store(true)
	}
	all, err := e.dropKeys(p, before.days, floor)
	if err == nil && all {
		p.retained = retained{today, before.days}
	}
	return err
}

// idsDaysMin is how long the id of an event is known at least, in days, whatever the window: for so long
// senders may try again.
const idsDaysMin = 35

// idsFor returns how long ids are known after the latest of their run has come, where the window has so
// many days: as long as the event may be kept, which may be dated a day ahead and stays to the end of a day.
func idsFor(days int) event.Time { return event.Time(max(idsDaysMin, days+2)) * dayMillis }

// putRetained publishes what retain has left, if that is less than before.
func (e *Engine) putRetained(p *project, before, next *sealed) error {
	dropped := len(before.segments) - len(next.segments)
	fewer := len(next.runs[runIDs]) < len(before.runs[runIDs])
	if dropped == 0 && !fewer {
		return nil
	}
	if err := e.publish(p, next); err != nil {
		return err
	}
	if dropped > 0 {
		e.opt.Notify(Retained{Project: p.number, Events: next.gone - before.gone, Segments: dropped})
	}
	if fewer {
		return e.handOver(p, next, next.ordinals, 0)
	}
	return nil
}

// retained says for which day and window a project has been looked through.
type retained struct {
	today int64
	days  int
}

// isOver reports whether nothing is written into a bucket any more, where nothing is in it: its time is
// over, or it is a month where each day has a bucket of its own by now.
func isOver(bucket int32, days int, floor event.Time) bool {
	return bucketEnd(bucket) <= floor || bucket < dayBuckets && daily(days)
}

// dropKeys destroys the cipher keys of buckets that are over and of which nothing is left. It goes
// by what keys there are, so it makes good what a crash has left. Of some a snapshot may be shown yet:
// it reports whether there were none of these.
func (e *Engine) dropKeys(p *project, days int, floor event.Time) (all bool, err error) {
	if e.opt.CipherBuckets == nil || e.opt.DropCipherKey == nil {
		return true, nil
	}
	used, read := p.buckets()
	all = true
	for _, bucket := range e.opt.CipherBuckets(p.number) {
		if bucket < 0 || used[bucket] || !isOver(bucket, days, floor) {
			continue
		}
		if read[bucket] {
			all = false
			continue
		}
		if err := e.opt.DropCipherKey(p.number, bucket); err != nil {
			return false, fmt.Errorf("drop cipher key of project %d, bucket %d: %w", p.number, bucket, err)
		}
		e.ciphers.drop(cipherID{p.number, bucket})
		e.sweepNow.Store(true)
	}
	return all, nil
}

// buckets returns those of which the newest state has segments, and those of which only older ones have
// some that are being read.
func (p *project) buckets() (used, read map[int32]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	used, read = map[int32]bool{}, map[int32]bool{}
	for i, state := range p.states {
		into := read
		if i == len(p.states)-1 {
			into = used
		}
		for j := range state.manifest.segments {
			into[state.manifest.segments[j].bucket] = true
		}
	}
	return used, read
}
