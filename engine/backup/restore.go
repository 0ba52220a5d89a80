package backup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"millimetric/engine"
	"millimetric/index/event"
)

// Point is a position in a backup: up to which group, or up to which time, events are restored. Its zero
// value is the newest.
type Point struct {
	Group    uint64
	Time     time.Time
	Timeline string // "" for the newest that reaches back so far
}

// ParsePoint reads a point: a time as in RFC 3339, the number of a group, or "newest".
func ParsePoint(text string) (p Point, err error) {
	if text == "" || text == "newest" {
		return Point{}, nil
	}
	if p.Group, err = strconv.ParseUint(text, 10, 64); err == nil && p.Group > 0 {
		return p, nil
	}
	if p.Time, err = time.Parse(time.RFC3339, text); err == nil {
		return p, nil
	}
	return Point{}, fmt.Errorf("%w: %q is no position in a backup: expected a time such as 2026-03-01T12:00:00Z, the number of a group, or newest", event.ErrInput, text)
}

// String spells a point.
func (p Point) String() string {
	switch {
	case p.Group > 0:
		return strconv.FormatUint(p.Group, 10)
	case !p.Time.IsZero():
		return p.Time.Format(time.RFC3339)
	}
	return "newest"
}

// holds reports whether a commit of a group lies before the point, or is it.
func (p Point) holds(number uint64, at event.Time) bool {
	return (p.Group == 0 || number <= p.Group) && (p.Time.IsZero() || !at.Std().After(p.Time))
}

// Restored says what was restored.
type Restored struct {
	Point    string    `json:"to"`
	Timeline string    `json:"timeline"`
	Base     string    `json:"base"`
	Group    uint64    `json:"group"` // the last one
	At       time.Time `json:"at,omitzero"`
	Bytes    int64     `json:"bytes"` // that were read
}

// Kept reads what is kept only as it is now.
func (a *Archive) Kept(ctx context.Context) (map[string][]byte, error) {
	kept := map[string][]byte{}
	for name, ref := range a.Head.Kept {
		text, err := a.readWhole(ctx, ref)
		if err != nil {
			return nil, err
		}
		kept[name] = text
	}
	return kept, nil
}

// plan is what a restore reads.
type plan struct {
	timeline *Timeline
	base     *BaseRef
	log      []LogRef
	newest   *BaseRef // whose records are restored, with those of the parts after it
	newestOf *Timeline
	rest     []LogRef
}

// plan chooses the last base before the point.
func (a *Archive) plan(to Point) (p plan, err error) {
	for i := len(a.Catalog.Timelines) - 1; i >= 0 && p.base == nil; i-- {
		t := &a.Catalog.Timelines[i]
		if to.Timeline != "" && to.Timeline != t.ID {
			continue
		}
		for j := range t.Bases {
			if to.holds(t.Bases[j].Group, t.Bases[j].At) {
				p.timeline, p.base = t, &t.Bases[j]
			}
		}
	}
	if p.base == nil {
		return p, a.outside(to)
	}
	end, _ := a.Head.end(a.Catalog, p.timeline.ID)
	if to.Group > end {
		return p, fmt.Errorf("%w: the backup ends with group %d", event.ErrInput, end)
	}
	for _, part := range a.Head.logOf(a.Catalog, p.timeline.ID) {
		if part.Last >= p.base.Next {
			p.log = append(p.log, part)
		}
	}
	for i := range a.Catalog.Timelines {
		if t := &a.Catalog.Timelines[i]; len(t.Bases) > 0 {
			p.newestOf, p.newest = t, &t.Bases[len(t.Bases)-1]
		}
	}
	for _, part := range a.Head.logOf(a.Catalog, p.newestOf.ID) {
		if part.Last >= p.newest.Next {
			p.rest = append(p.rest, part)
		}
	}
	return p, nil
}

// outside says that a point lies before all bases.
func (a *Archive) outside(to Point) error {
	list := a.List()
	if len(list) == 0 {
		return fmt.Errorf("%w: the backup has no base yet", event.ErrMissing)
	}
	oldest := list[len(list)-1]
	return fmt.Errorf("%w: the backup doesn't reach back to %s: the oldest position is group %d, of %s",
		event.ErrInput, to, oldest.Group, oldest.At.Format(time.RFC3339))
}

// Size is how many bytes a restore reads, at most.
func (a *Archive) Size(to Point) (total int64, err error) {
	p, err := a.plan(to)
	if err != nil {
		return 0, err
	}
	total = p.base.Bytes + p.newest.Bytes
	for _, name := range p.base.Things {
		total += p.timeline.Things[name].Bytes
	}
	for _, part := range append(p.log, p.rest...) {
		total += part.Bytes
	}
	return total, nil
}

// Restore makes a store in dir, which must be empty, of the backup as it was at a point. Options must carry
// the keyring as it is now. Where it fails, nothing in dir is a store.
func (a *Archive) Restore(ctx context.Context, to Point, dir string, opt engine.Options) (out Restored, err error) {
	p, err := a.plan(to)
	if err != nil {
		return out, err
	}
	r, err := engine.NewRestore(dir, opt)
	if err != nil {
		return out, err
	}
	defer func() {
		if err != nil {
			r.Abandon()
		}
	}()
	reader := *a
	reader.Read = func(n int64) {
		out.Bytes += n
		if a.Read != nil {
			a.Read(n)
		}
	}
	if err := reader.restore(ctx, p, to, r); err != nil {
		return out, fmt.Errorf("restore to %s: %w", to, err)
	}
	group, at := r.Last()
	out.Point, out.Timeline, out.Base, out.Group, out.At = to.String(), p.timeline.ID, p.base.ID, group, stdTime(at)
	return out, r.Finish()
}

func (a *Archive) restore(ctx context.Context, p plan, to Point, r *engine.Restore) error {
	err := a.read(ctx, p.base.Ref, visitor{value: func(v engine.Value) error {
		if v.IsRecord() {
			return nil
		}
		return r.Put(v)
	}})
	if err != nil {
		return err
	}
	for _, name := range p.base.Things {
		if err := a.read(ctx, p.timeline.Things[name], visitor{value: r.Put}); err != nil {
			return err
		}
	}
	if err := a.restoreLog(ctx, p, to, r); err != nil {
		return err
	}
	return a.restoreRecords(ctx, p, r)
}

// errReached ends the reading of the log.
var errReached = errors.New("the point is reached")

func (a *Archive) restoreLog(ctx context.Context, p plan, to Point, r *engine.Restore) error {
	for _, part := range p.log {
		err := a.read(ctx, part.Ref, visitor{commit: func(c engine.Commit) error {
			if c.Number == 0 {
				return nil
			}
			if !to.holds(c.Number, c.At) {
				return errReached
			}
			last, _ := r.Last()
			if c.Number > max(last, p.base.Group)+1 {
				return fmt.Errorf("%w: groups %d to %d are not in the backup: nothing between them can be restored", event.ErrDamaged, last+1, c.Number-1)
			}
			return r.Group(c)
		}})
		if errors.Is(err, errReached) {
			break
		}
		if err != nil {
			return err
		}
	}
	if last, _ := r.Last(); to.Group > 0 && max(last, p.base.Group) < to.Group {
		return fmt.Errorf("%w: groups %d to %d are not in the backup", event.ErrDamaged, last+1, to.Group)
	}
	return nil
}

// restoreRecords puts the newest records.
func (a *Archive) restoreRecords(ctx context.Context, p plan, r *engine.Restore) error {
	err := a.read(ctx, p.newest.Ref, visitor{value: func(v engine.Value) error {
		if !v.IsRecord() {
			return nil
		}
		return r.Put(v)
	}})
	put := func(list []engine.Value) error {
		for _, v := range list {
			if err := r.Put(v); err != nil {
				return err
			}
		}
		return nil
	}
	for _, part := range p.rest {
		if err != nil {
			return err
		}
		err = a.read(ctx, part.Ref, visitor{
			commit: func(c engine.Commit) error { return put(c.Records) },
			records: func(list []engine.Value) error {
				return errors.Join(r.DropRecords(), put(list))
			},
		})
	}
	return err
}
