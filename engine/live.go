package engine

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"millimetric/index"
	"millimetric/index/commits"
	"millimetric/index/encode"
	"millimetric/index/event"
	"millimetric/index/ids"
)

// project is one project's state: its live events, and what of it is sealed. The live events are those
// that no segment holds yet, in the order of their positions. The gathering goroutine writes them;
// readers see what the committer has shown.
type project struct {
	number event.Project

	// Of the gathering goroutine, and before that of Open.
	last    event.Seq
	touched bool  // by the group that is being gathered
	added   int64 // bytes that it has added
	// The list: full stretches, then one that has room. Both only ever grow at their ends, so a view
	// that holds a prefix of them needs no lock: what it sees is never written again.
	full []*stretch
	open *stretch
	from int // where in open the events of the current part begin
	// commits says when positions were committed. One mark stands for all groups of a millisecond.
	commits []commits.Mark
	noted   event.Seq // the last position that commits speaks of
	repeats repeats
	// Events that are dated before it may be of somebody who was erased.
	erasedBefore event.Time

	ordinals ordinals

	broken atomic.Pointer[error] // see damage

	erasing sync.Mutex // one erasure at a time; taken before all other locks

	// upkeep guards next, runs, retained and behind, and is held by whoever changes what is sealed: one at a time.
	// Files are read and written inside. It is taken before mu.
	upkeep sync.Mutex
	next   uint64 // the least stamp that was never used
	runs   openRuns

	retained retained
	behind   bool // what was published isn't handed over

	unsound map[uint64]bool // stamps of what is damaged, and not merged; guarded by the engine's merging

	// forgotten says when visitors of whom nothing is left were forgotten. Guarded by the engine's merging.
	forgotten retained

	// retouch tells the sources of what is merged anew; nil leaves them. Guarded by the engine's merging.
	retouch index.Retouch

	mu     sync.Mutex // guards what follows; no I/O inside
	shown  view
	states []*sealed // the last is the newest; those before it are still being read
}

// stretch is a run of events with consecutive positions. Of the last one, events are still to come.
type stretch struct {
	room        int // for so many events. Readers may ask for it, but not for the capacity of events, which are being added to
	events      []event.Event
	first, last event.Time // both inclusive, once it is full
	group       uint64     // that its first event came with
	bytes       int64      // of memory, about

	// visitors are the ordinals of the first of the events; see ordinals.
	visitors []uint32
}

// view is what readers see of the live events.
type view struct {
	full    []*stretch
	open    *stretch
	events  []event.Event // those of open that are committed
	commits []commits.Mark
	asOf    event.Seq
}

// The stretches of a project double in size, so that a small project stays small. The greatest is
// one that a part can hold.
const (
	stretchMin = 16
	stretchMax = 2048
)

// newProject makes a project of which nothing is known; key is the secret under which visitors are
// hashed, near the memory for those asked for lately.
func newProject(number event.Project, key [32]byte, near *memory) *project {
	p := &project{number: number, open: newStretch(stretchMin), next: 1, states: []*sealed{{manifest: &manifest{next: 1}}}}
	p.ordinals.hasher, p.ordinals.nearMemory = ids.NewHasher(key, ids.HashBits), near
	return p
}

func newStretch(room int) *stretch { return &stretch{room: room, events: make([]event.Event, 0, room)} }

// add appends those of events that aren't repeats and whose senders weren't erased, and makes parts of g of what fills a stretch.
func (p *project) add(r *request, words *encode.Words, g *group, number uint64, erased func(*project, *event.Event) bool) {
	each := int64(r.bytes / len(r.events)) // about: to count the bytes of each again would cost as much as to append it
	for i := range r.events {
		ev := &r.events[i]
		if ev.Time < p.erasedBefore && erased(p, ev) {
			if ev.ID != "" {
				p.repeats.pass()
			}
			continue
		}
		if ev.ID != "" && p.repeats.next(r.hashes[i]) {
			continue
		}
		ev.Seq = p.last + 1
		words.OwnWords(ev)
		if p.append(ev, number, each) {
			p.endPart(g)
			p.endStretch()
		}
	}
}

// append puts ev, whose position is set, at the end of the list; number is its group's, bytes is about what it
// takes in memory. It reports whether the open stretch is full now; the next event needs endStretch first.
func (p *project) append(ev *event.Event, number uint64, bytes int64) (full bool) {
	s := p.open
	if ev.Seq != p.last+1 || len(s.events) == s.room {
		panic(fmt.Sprintf("engine: event %d after %d in a stretch of %d", ev.Seq, p.last, len(s.events)))
	}
	if len(s.events) == 0 {
		s.group = number
	}
	p.last = ev.Seq
	s.events = append(s.events, *ev)
	s.bytes, p.added = s.bytes+bytes, p.added+bytes
	return len(s.events) == s.room
}

// noteCommit says that the positions since the last note are committed at a time. Times never go back.
func (p *project) noteCommit(at event.Time) {
	if p.noted == p.last {
		return
	}
	if n := len(p.commits); n == 0 || p.commits[n-1].At != at {
		p.commits = append(p.commits, commits.Mark{First: p.noted + 1, At: at})
	}
	p.noted = p.last
}

// endPart makes a part of the events since the last one, if there are any.
func (p *project) endPart(g *group) {
	if p.from < len(p.open.events) {
		g.content.Parts = append(g.content.Parts, encode.Part{Project: p.number, Events: p.open.events[p.from:]})
	}
	p.from = len(p.open.events)
}

// endStretch moves the open stretch to the full ones, if it holds anything.
func (p *project) endStretch() {
	s := p.open
	if len(s.events) == 0 {
		return
	}
	s.first, s.last = s.events[0].Time, s.events[0].Time
	for i := range s.events {
		s.first, s.last = min(s.first, s.events[i].Time), max(s.last, s.events[i].Time)
	}
	p.full = append(p.full, s)
	p.open, p.from = newStretch(min(2*s.room, stretchMax)), 0
}

// letGo drops live events and commit times that are sealed, up to a position at which a stretch ends.
// It returns how many bytes of memory they took, about.
func (p *project) letGo(upTo event.Seq) (bytes int64) {
	n := sealedOf(p.full, upTo)
	for _, s := range p.full[:n] {
		bytes += s.bytes
	}
	if n == 0 {
		return 0
	}
	p.full = slices.Clone(p.full[n:])
	p.commits = after(p.commits, upTo, p.noted)
	if len(p.full) == 0 && len(p.open.events) == 0 {
		p.open = newStretch(stretchMin)
	}
	return bytes
}

// sealedOf returns how many of the full stretches lie up to a position.
func sealedOf(full []*stretch, upTo event.Seq) int {
	n := 0
	for n < len(full) && full[n].end() <= upTo {
		n++
	}
	return n
}

// after returns, in memory of their own, the marks that speak of positions behind upTo and up to last.
func after(marks []commits.Mark, upTo, last event.Seq) []commits.Mark {
	n := 0
	for n < len(marks) && marks[n].First <= upTo {
		n++
	}
	left := make([]commits.Mark, 0, len(marks)-n+1)
	if n > 0 && upTo < last { // it may speak of the first of them
		left = append(left, commits.Mark{First: upTo + 1, At: marks[n-1].At})
	}
	if n < len(marks) && len(left) > 0 && marks[n].First == left[0].First {
		left = left[:0]
	}
	return append(left, marks[n:]...)
}

// end returns the position of a full stretch's last event.
func (s *stretch) end() event.Seq { return s.events[len(s.events)-1].Seq }

// view returns all that was added.
func (p *project) view() view {
	return view{full: p.full, open: p.open, events: p.open.events, commits: p.commits, asOf: p.last}
}

// show makes a view the one that readers see.
func (p *project) show(v view) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = v.without(p.state().watermark)
}

// without leaves out what is sealed.
func (v view) without(upTo event.Seq) view {
	v.full = v.full[sealedOf(v.full, upTo):]
	return v
}

// liveRows returns how many committed events no segment holds, and the first group that has some of
// them, 0 where there are none.
func (p *project) liveRows() (rows int, firstGroup uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.rows()
}

func (v *view) rows() (rows int, firstGroup uint64) {
	for _, s := range v.full {
		rows += len(s.events)
	}
	rows += len(v.events)
	switch {
	case len(v.full) > 0:
		firstGroup = v.full[0].group
	case len(v.events) > 0:
		firstGroup = v.open.group
	}
	return rows, firstGroup
}
