package query

import (
	"cmp"
	"context"
	"slices"

	"millimetric/index"
	"millimetric/index/event"
)

// Listing is a question whose answer is events as they are, too many to be held: an *Export or a *Subject.
// It is answered in batches, each from a source of its own, so that no snapshot is held for long. All
// batches are as of the position of the first, but for what erasure and retention have taken since.
type Listing interface {
	Settings() *Common
	// looks says which events are listed: those that some of the looks find. No event may be found by two.
	looks(*run) ([]look, error)
	// after is the position from which on events are listed.
	after() event.Seq
}

// look is one way to find events.
type look struct {
	wants *conditions
	one   *one                // whom it is about; nil if many
	holds func(*scanRow) bool // what conditions can't say; nil for nothing
}

// Batch is some of the events of a listing, in the order of events.
type Batch struct {
	Events []*event.Event
	AsOf   event.Seq
	More   bool // there may be events after these
	Cost   Cost
}

// Next returns the next events of a listing, at most so many, and moves its page behind them.
func Next(ctx context.Context, source Source, list Listing, most int) (Batch, error) {
	common := list.Settings()
	r := &run{ctx: ctx, source: source, common: common, asOf: source.AsOf(), people: peopleTest()}
	if common.Replay {
		if common.AsOf > r.asOf {
			return Batch{}, event.InvalidField(event.CodeInvalidParams, "as_of", "Lies beyond the last position")
		}
		r.asOf = common.AsOf
	}
	defer r.release()
	r.share.of = common.Allowance
	defer r.share.release()
	found, err := list.looks(r)
	if err != nil {
		return Batch{}, err
	}
	kept := &oldest{limit: most + 1}
	for _, l := range found {
		if err := r.findOldest(list, l, kept); err != nil {
			return Batch{}, err
		}
	}
	events, err := kept.sorted(r, most)
	if err != nil {
		return Batch{}, err
	}
	common.AsOf, common.Replay = r.asOf, true
	if len(events) > 0 {
		last := events[len(events)-1]
		common.Page = Page{Time: last.Time, Seq: last.Seq}
	}
	return Batch{Events: events, AsOf: r.asOf, More: len(kept.slots) > most, Cost: r.sum()}, nil
}

// listedEntries is what one kept event is counted for, in entries of a table: its texts take several
// hundred bytes.
const listedEntries = 12

// findOldest adds the events of a look to those that are kept. The segments that begin first go first, so
// that later ones are mostly passed over.
func (r *run) findOldest(list Listing, l look, kept *oldest) error {
	shown, after := place{time: r.common.Page.Time, seq: r.common.Page.Seq}, list.after()
	p := &pass{
		from: r.common.From, to: r.common.To, wants: l.wants, one: l.one,
		size: func() int { return len(kept.slots) * listedEntries },
	}
	if shown.seq != 0 {
		p.from = max(p.from, shown.time)
	}
	p.visit = func(e *scanRow) {
		at := e.place()
		if at.seq <= after || shown.seq != 0 && !shown.before(at) || l.holds != nil && !l.holds(e) {
			return
		}
		r.cost.Matched++
		if kept.add(e, at) {
			p.to = min(p.to, kept.heap[0].time+1)
		}
	}
	if !r.bound(p) {
		return nil
	}
	for _, segment := range earliestFirst(r.source.Segments(p.from, p.to)) {
		first, _ := segment.TimeRange()
		if _, greatest := segment.SeqRange(); first >= p.to || greatest <= after {
			continue
		}
		if err := r.eachOf(p, segment); err != nil {
			return err
		}
	}
	return r.eachLive(p)
}

func earliestFirst(segments []*index.Segment) []*index.Segment {
	sorted := slices.Clone(segments)
	slices.SortFunc(sorted, func(a, b *index.Segment) int {
		first, _ := a.TimeRange()
		other, _ := b.TimeRange()
		return cmp.Compare(first, other)
	})
	return sorted
}

// oldest keeps the oldest events of those added, up to a limit. Events lie still in slots; their places
// are a heap with the newest on top.
type oldest struct {
	limit int
	slots []slot
	heap  []place // in heap order once there are limit of them
}

// add keeps an event, unless enough older ones are kept, and reports whether there are enough now.
func (o *oldest) add(e *scanRow, at place) (enough bool) {
	at.slot = len(o.slots)
	if len(o.slots) < o.limit {
		o.slots, o.heap = append(o.slots, slot{}), append(o.heap, at)
		o.slots[at.slot].keep(e)
		if len(o.slots) < o.limit {
			return false
		}
		for i := o.limit/2 - 1; i >= 0; i-- {
			o.sink(i)
		}
		return true
	}
	if at.before(o.heap[0]) {
		at.slot = o.heap[0].slot
		o.heap[0] = at
		o.slots[at.slot].keep(e)
		o.sink(0)
	}
	return true
}

// sink moves a place down until no newer one is below it.
func (o *oldest) sink(i int) {
	for {
		newest := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(o.heap); child++ {
			if o.heap[newest].before(o.heap[child]) {
				newest = child
			}
		}
		if newest == i {
			return
		}
		o.heap[i], o.heap[newest] = o.heap[newest], o.heap[i]
		i = newest
	}
}

// sorted returns the events in their order, at most so many.
func (o *oldest) sorted(r *run, most int) ([]*event.Event, error) {
	slices.SortFunc(o.heap, place.compare)
	list := o.heap[:min(most, len(o.heap))]
	// Readers are best asked for rows that rise.
	rising := slices.Clone(list)
	slices.SortFunc(rising, func(a, b place) int { return o.slots[a.slot].compare(&o.slots[b.slot]) })
	for i, at := range rising {
		if i%lookEvery == 0 {
			if err := r.overBudget(len(o.slots) * listedEntries); err != nil {
				return nil, err
			}
		}
		if err := r.read(&o.slots[at.slot]); err != nil {
			return nil, err
		}
	}
	events := make([]*event.Event, len(list))
	for i, at := range list {
		events[i] = o.slots[at.slot].live
	}
	return events, nil
}
