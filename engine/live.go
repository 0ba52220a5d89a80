package engine

import (
	"fmt"
	"hash/maphash"
	"sync/atomic"

	"millimetric/index/encode"
	"millimetric/index/event"
)

// project is the live list of one project: all of its events in memory, in the order of their
// positions. Only the gathering goroutine touches it; readers see it through current, which the
// committer moves forward.
type project struct {
	number  event.Project
	last    event.Seq
	ids     map[idMark]struct{}
	seeds   [2]maphash.Seed
	touched bool // by the group that is being gathered

	// The list: full stretches, then one that has room. Both only ever grow at their ends, so a
	// snapshot that holds a prefix of them needs no lock: what it sees is never written again.
	full []stretch
	open []event.Event
	from int // where in open the events of the current part begin

	links    []event.Link
	earliest map[string]event.Link // of each visitor

	// commits says when positions were committed. One mark stands for all groups of a millisecond.
	commits []commitMark
	noted   event.Seq // the last position that commits speaks of

	current atomic.Pointer[Snapshot]
}

// stretch is a run of events that will not change, and the times between which they lie.
type stretch struct {
	events      []event.Event
	first, last event.Time // both inclusive
}

// commitMark says that the positions from first on, up to the next mark's, were committed at a time.
type commitMark struct {
	first event.Seq
	at    event.Time
}

// The stretches of a project double in size, so that a small project stays small. The greatest is
// one that a part can hold.
const (
	stretchMin = 16
	stretchMax = 2048
)

// idMark stands for an event's ID: 128 bits of hash under two seeds that nobody outside the process
// knows. Of a thousand million IDs, two have the same mark once in 10^20 stores. A map of marks holds
// no pointers, so the garbage collector passes over it, however many events there are; a map of the
// IDs themselves would be most of what it has to walk.
type idMark [2]uint64

func (p *project) mark(id string) idMark {
	return idMark{maphash.String(p.seeds[0], id), maphash.String(p.seeds[1], id)}
}

func newProject(number event.Project) *project {
	return &project{
		number: number, ids: map[idMark]struct{}{}, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		earliest: map[string]event.Link{},
		open:     make([]event.Event, 0, stretchMin),
	}
}

// add appends those of events that aren't repeats, and makes parts of g of what fills a stretch.
func (p *project) add(events []event.Event, words *encode.Words, g *group) {
	for i := range events {
		ev := &events[i]
		if p.repeats(ev) {
			continue
		}
		ev.Seq = p.last + 1
		words.OwnWords(ev)
		if p.append(ev) {
			p.endPart(g)
			p.endStretch()
		}
	}
}

// repeats reports whether the project has the event's ID already, and remembers it.
func (p *project) repeats(ev *event.Event) bool {
	if ev.ID == "" {
		return false
	}
	before := len(p.ids)
	p.ids[p.mark(ev.ID)] = struct{}{}
	return len(p.ids) == before
}

// append puts ev, whose position is set, at the end of the list. It reports whether the open
// stretch is full now; the next event needs endStretch first.
func (p *project) append(ev *event.Event) (full bool) {
	if ev.Seq != p.last+1 || len(p.open) == cap(p.open) {
		panic(fmt.Sprintf("engine: event %d after %d in a stretch of %d", ev.Seq, p.last, len(p.open)))
	}
	p.last = ev.Seq
	p.open = append(p.open, *ev)
	if ev.UserID != "" {
		p.link(ev)
	}
	return len(p.open) == cap(p.open)
}

// link keeps what an event says about who a visitor is, if it comes before all that was said so far.
func (p *project) link(ev *event.Event) {
	l := event.Link{AnonymousID: ev.AnonymousID, UserID: ev.UserID, Time: ev.Time, Seq: ev.Seq}
	if earliest, ok := p.earliest[l.AnonymousID]; ok && !l.Before(earliest) {
		return
	}
	p.earliest[l.AnonymousID] = l
	p.links = append(p.links, l)
}

// noteCommit says that the positions since the last note are committed at a time. Times never go back.
func (p *project) noteCommit(at event.Time) {
	if p.noted == p.last {
		return
	}
	if n := len(p.commits); n == 0 || p.commits[n-1].at != at {
		p.commits = append(p.commits, commitMark{first: p.noted + 1, at: at})
	}
	p.noted = p.last
}

// endPart makes a part of the events since the last one, if there are any.
func (p *project) endPart(g *group) {
	if p.from < len(p.open) {
		g.content.Parts = append(g.content.Parts, encode.Part{Project: p.number, Events: p.open[p.from:]})
	}
	p.from = len(p.open)
}

// endStretch moves the open stretch to the full ones.
func (p *project) endStretch() {
	s := stretch{events: p.open, first: p.open[0].Time, last: p.open[0].Time}
	for i := range p.open {
		s.first, s.last = min(s.first, p.open[i].Time), max(s.last, p.open[i].Time)
	}
	p.full = append(p.full, s)
	p.open, p.from = make([]event.Event, 0, min(2*cap(p.open), stretchMax)), 0
}

// end returns a snapshot of all that was added.
func (p *project) end() *Snapshot {
	return &Snapshot{full: p.full, open: p.open, links: p.links, commits: p.commits, asOf: p.last}
}
