package backup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"millimetric/engine"
)

const (
	// mergeParts is how many neighbours of a level are merged into one of the next; what is merged is written
	// once per level.
	mergeParts = 32
	// mergeBytesMax is when a merged part isn't merged further.
	mergeBytesMax = 64 << 20
	// unnamedFor is how old an object must be that nothing names before it is taken for a leftover.
	unnamedFor = 24 * time.Hour
)

// mergeParts merges parts of the log, so that neither their number nor the head grows without bound: 32 become
// one, and 32 of these again, until they are large enough. None is merged over the place where a base begins: a restore
// from that base would read all that was before it, and what nobody needs behind the oldest base would stay.
func (b *Backup) mergeParts(ctx context.Context) error {
	for {
		b.basing.Lock()
		merged, err := b.mergeOnce(ctx)
		b.basing.Unlock()
		if err != nil {
			return fmt.Errorf("merge parts of the backup's log: %w", err)
		}
		if !merged {
			return nil
		}
	}
}

func (b *Backup) mergeOnce(ctx context.Context) (merged bool, err error) {
	b.mu.Lock()
	timeline := b.head.Timeline
	parts := b.head.logOf(b.log, timeline)
	var begins []uint64
	if t := b.log.timeline(timeline); t != nil {
		for _, base := range t.Bases {
			begins = append(begins, base.Next)
		}
	}
	b.mu.Unlock()
	run := mergeable(parts, begins)
	if run == nil {
		return false, nil
	}
	whole, err := b.joinParts(ctx, timeline, run)
	if err != nil {
		return false, err
	}
	err = b.publish(ctx, func(h *Head, c *Catalog) bool {
		t := c.timeline(timeline)
		keep := func(p LogRef) bool { return p.First >= whole.First && p.Last <= whole.Last }
		h.Parts = slices.DeleteFunc(h.Parts, keep)
		t.Log = slices.DeleteFunc(t.Log, keep)
		t.Log = append(t.Log, whole)
		slices.SortFunc(t.Log, func(a, b LogRef) int { return int(int64(a.First) - int64(b.First)) })
		return true
	})
	if err != nil {
		return false, err
	}
	for _, p := range run {
		b.retire(p.Name)
	}
	return true, nil
}

// retired is an object that another one has taken the place of, and when. It stays for a while: whoever has just
// read the head, to verify or restore, reads it yet. What is kept only as it is now isn't among them: an old
// keyring has cipher keys that were destroyed.
type retired struct {
	name string
	at   time.Time
}

// retiredFor is how long they stay. A program that ends before leaves them to the sweep.
const retiredFor = time.Hour

func (b *Backup) retire(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retired = append(b.retired, retired{name, b.opt.Now()})
}

// removeRetired removes those that have stayed for so long.
func (b *Backup) removeRetired(ctx context.Context) {
	now, n := b.opt.Now(), 0
	var due []string
	b.mu.Lock()
	for n < len(b.retired) && now.Sub(b.retired[n].at) > retiredFor {
		due = append(due, b.retired[n].name)
		n++
	}
	b.retired = b.retired[n:]
	b.mu.Unlock()
	b.remove(ctx, due)
}

// mergeable finds the oldest run of neighbours of a level that is long enough: where there is one, or as many loose
// parts, the oldest run goes before it that no more can come to, since a base begins behind it. begins are the parts
// with which bases do. Only what comes before all loose parts of a lower level may be merged, so that the head's
// parts stay the newest: before a base, a loose part is made one of the next level by itself.
func mergeable(parts []LogRef, begins []uint64) []LogRef {
	var short []LogRef
	from, loose := 0, 0
	for i := range parts {
		if i > 0 && cutBetween(begins, parts[i-1].Last, parts[i].First) {
			if run := parts[from:i]; short == nil && (len(run) > 1 || len(run) == 1 && run[0].Level == 0) {
				short = run
			}
			from = i
		}
		if parts[i].Level == 0 {
			loose++
		}
		if parts[i].Level != parts[from].Level {
			from = i
		}
		if parts[i].Bytes > mergeBytesMax {
			from = i + 1
			continue
		}
		if full := i+1-from == mergeParts; short != nil && (full || loose >= mergeParts) {
			return short
		} else if full {
			return parts[from : i+1]
		}
	}
	return nil
}

// cutBetween reports whether a base begins behind a part and not behind the next one.
func cutBetween(begins []uint64, last, next uint64) bool {
	return slices.ContainsFunc(begins, func(begin uint64) bool { return last < begin && begin <= next })
}

// joinParts writes the commits of some parts into one object.
func (b *Backup) joinParts(ctx context.Context, timeline string, parts []LogRef) (whole LogRef, err error) {
	a := b.archive()
	whole = LogRef{First: parts[0].First, Last: parts[len(parts)-1].Last, Began: parts[0].Began, Level: parts[0].Level + 1}
	for _, p := range parts {
		if whole.From == 0 {
			whole.From = p.From
		}
		whole.To, whole.Ended = max(whole.To, p.To), max(whole.Ended, p.Ended)
		whole.Commits += p.Commits
	}
	whole.Ref, err = b.putStream(ctx, timeline+"/log/"+newName(), func(w *entryWriter) error {
		for _, p := range parts {
			err := a.read(ctx, p.Ref, visitor{
				commit: func(c engine.Commit) error {
					w.buf = appendCommit(w.buf[:0], c)
					return w.entry()
				},
				records: func(list []engine.Value) error {
					w.buf = appendRecords(append(w.buf[:0], entryRecords), list)
					return w.entry()
				},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return whole, err
}

// expire drops bases that are too old, and what of the log and of things only they needed. The newest base
// stays, however old it is.
func (b *Backup) expire(ctx context.Context) error {
	b.basing.Lock()
	defer b.basing.Unlock()
	floor := b.opt.Now().Add(-b.opt.KeepFor)
	b.mu.Lock()
	_, due := expired(b.log.clone(), b.head.Timeline, floor)
	b.mu.Unlock()
	if due {
		var gone []string
		err := b.publish(ctx, func(h *Head, c *Catalog) bool {
			gone, _ = expired(c, h.Timeline, floor)
			return true
		})
		if err != nil {
			return fmt.Errorf("expire the backup: %w", err)
		}
		b.remove(ctx, gone)
	}
	b.removeRetired(ctx)
	return b.sweep(ctx)
}

// expired takes out of a catalog what is too old, and returns the names of its objects.
func expired(c *Catalog, current string, floor time.Time) (gone []string, any bool) {
	for i := range c.Timelines {
		t := &c.Timelines[i]
		for len(t.Bases) > 0 && t.Bases[0].Taken.Before(floor) && (len(t.Bases) > 1 || t.ID != current) {
			gone = append(gone, t.Bases[0].Name)
			t.Bases = t.Bases[1:]
			any = true
		}
		if !any {
			continue // what only a base that failed needs goes with the next one that expires
		}
		next := ^uint64(0)
		named := map[string]bool{}
		for _, base := range t.Bases {
			next = min(next, base.Next)
			for _, name := range base.Things {
				named[name] = true
			}
		}
		t.Log = slices.DeleteFunc(t.Log, func(p LogRef) bool {
			if p.Last < next {
				gone = append(gone, p.Name)
			}
			return p.Last < next
		})
		for name := range t.Things {
			if !named[name] {
				gone = append(gone, name)
				delete(t.Things, name)
			}
		}
	}
	c.Timelines = slices.DeleteFunc(c.Timelines, func(t Timeline) bool { return t.ID != current && len(t.Bases) == 0 })
	return gone, any
}

// sweep removes, once a day, what nothing names: what was being written when something failed, and what could
// not be removed when it was dropped.
func (b *Backup) sweep(ctx context.Context) error {
	now := b.opt.Now()
	b.mu.Lock()
	due := now.Sub(b.swept) >= unnamedFor
	named := map[string]bool{keyName: true, headName: true}
	for _, ref := range b.head.refs(b.log) {
		named[ref.Name] = true
	}
	if due {
		b.swept = now
	}
	b.mu.Unlock()
	if !due {
		return nil
	}
	var unnamed []string
	err := b.opt.Target.List(ctx, "", func(o Object) error {
		if !named[o.Name] && ours(o.Name) && now.Sub(o.Modified) > unnamedFor {
			unnamed = append(unnamed, o.Name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sweep the backup: %w", err)
	}
	b.remove(ctx, unnamed)
	return nil
}
