package engine

import (
	"slices"
	"sync"

	"millimetric/index/bitmap"
	"millimetric/index/event"
	"millimetric/index/ids"
	"millimetric/index/visitors"
)

// ordinals numbers the visitors of a project, densely from 0 on. A visitor gets its ordinal when
// somebody first asks for it: a question about live events, or the seal of them. An ordinal that was
// given is kept in memory until a run holds it; after a crash before that, the visitor may get
// another one, which nobody notices: nothing on disk has the old one.
type ordinals struct {
	mu     sync.Mutex // guards all, and the visitors of stretches; runs are read inside
	hasher *ids.Hasher
	runs   *visitors.Set
	fresh  visitors.Recent // given, and in no run yet
	near   visitors.Recent // of runs, asked for lately: most visitors come again soon
	next   uint32          // the least that no visitor has

	filters    int64   // bytes of memory that the runs may take
	nearMemory *memory // of all projects
	nearBytes  int64   // what near has of it

	hashes []ids.Hash
	given  []uint32
	found  []bool
	places []int // of the hashes that aren't in memory
}

// nearMax bounds the table of visitors that were asked for lately: about 10 MB.
const nearMax = 1 << 18

// of returns the ordinals of the visitors of a stretch's first events.
func (o *ordinals) of(s *stretch, events []event.Event) ([]uint32, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ofLocked(s, events)
}

func (o *ordinals) ofLocked(s *stretch, events []event.Event) ([]uint32, error) {
	if have := len(s.visitors); have < len(events) {
		if s.visitors == nil {
			s.visitors = make([]uint32, 0, s.room)
		}
		if err := o.give(events[have:]); err != nil {
			return nil, err
		}
		s.visitors = append(s.visitors, o.given...)
	}
	return s.visitors[:len(events):len(events)], nil
}

// give fills given with the ordinals of events. Those in memory come first, then all others are looked
// up together, then who is left is new.
func (o *ordinals) give(events []event.Event) error {
	o.hashes, o.given, o.found, o.places = o.hashes[:0], o.given[:0], o.found[:0], o.places[:0]
	for i := range events {
		h := o.hasher.Hash(events[i].AnonymousID)
		ordinal, ok := o.fresh.Find(h)
		if !ok {
			ordinal, ok = o.near.Find(h)
		}
		o.given = append(o.given, ordinal)
		if !ok {
			o.hashes, o.places = append(o.hashes, h), append(o.places, i)
		}
	}
	if len(o.hashes) == 0 {
		return nil
	}
	o.found = append(o.found, make([]bool, len(o.hashes))...)
	asked := make([]uint32, len(o.hashes))
	if o.runs != nil {
		if err := o.runs.Lookup(o.hashes, asked, o.found); err != nil {
			return err
		}
	}
	for i, h := range o.hashes {
		if o.found[i] {
			o.remember(h, asked[i])
		} else if known, ok := o.fresh.Find(h); ok { // it came twice among these events
			asked[i] = known
		} else {
			asked[i] = o.next
			o.fresh.Add(h, o.next)
			o.next++
		}
		o.given[o.places[i]] = asked[i]
	}
	return nil
}

// find returns the ordinal of a visitor, if it has one that somebody asked for.
func (o *ordinals) find(anonymousID string) (ordinal uint32, known bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.hasher.Hash(anonymousID)
	if ordinal, known = o.fresh.Find(h); known || o.runs == nil {
		return ordinal, known, nil
	}
	asked, found := []uint32{0}, []bool{false}
	err = o.runs.Lookup([]ids.Hash{h}, asked, found)
	return asked[0], found[0], err
}

func (o *ordinals) remember(h ids.Hash, ordinal uint32) {
	if o.near.Len() >= nearMax {
		o.near = visitors.Recent{}
	}
	o.near.Add(h, ordinal)
	if bytes := int64(o.near.Bytes()); bytes != o.nearBytes {
		o.nearBytes = o.nearMemory.swap(o.nearBytes, func(room int64) int64 {
			if bytes > room {
				o.near, bytes = visitors.Recent{}, 0
			}
			return bytes
		})
	}
}

// unsaved returns what is in no run yet, by rising hash, and the least ordinal that isn't given.
func (o *ordinals) unsaved() (entries []visitors.Entry, next uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fresh.Entries(), o.next
}

// forgetNear forgets what was asked for lately.
func (o *ordinals) forgetNear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.near = visitors.Recent{}
}

// adopt takes runs that hold all ordinals below one; memory is for their filters.
func (o *ordinals) adopt(runs []*visitors.Run, below uint32, memory *memory) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.adoptLocked(runs, below, memory)
}

func (o *ordinals) adoptLocked(runs []*visitors.Run, below uint32, memory *memory) {
	o.filters = memory.swap(o.filters, func(room int64) int64 { return int64(visitors.Share(int(room), runs)) })
	o.runs = visitors.NewSet(runs...)
	later := slices.DeleteFunc(o.fresh.Entries(), func(e visitors.Entry) bool { return e.Ordinal < below })
	o.fresh = visitors.Recent{}
	for _, e := range later {
		o.fresh.Add(e.Hash, e.Ordinal)
	}
}

// live returns the ordinals of the visitors of live events.
func (o *ordinals) live(p *project) (bitmap.Set, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.liveLocked(p)
}

// liveLocked gives them one first where nobody has asked yet: somebody who holds a snapshot may ask later, and
// must be told the ordinal that the segments of that snapshot have.
func (o *ordinals) liveLocked(p *project) (bitmap.Set, error) {
	p.mu.Lock()
	shown := p.shown
	p.mu.Unlock()
	var all []uint32
	add := func(s *stretch, events []event.Event) error {
		own, err := o.ofLocked(s, events)
		all = append(all, own...)
		return err
	}
	for _, s := range shown.full {
		if err := add(s, s.events); err != nil {
			return bitmap.Set{}, err
		}
	}
	if shown.open != nil {
		if err := add(shown.open, shown.events); err != nil {
			return bitmap.Set{}, err
		}
	}
	slices.Sort(all)
	return bitmap.Of(slices.Compact(all)), nil
}

// bound returns the least ordinal that isn't given.
func (o *ordinals) bound() uint32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.next
}

// bytes returns the memory of the tables and filters.
func (o *ordinals) bytes() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fresh.Bytes() + o.near.Bytes() + int(o.filters)
}
