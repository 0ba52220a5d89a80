package query

import (
	"slices"

	"millimetric/index/bitmap"
)

// visitorSets counts the distinct visitors of a range that isn't grouped, as sets of their ordinals: those
// of a whole segment are a set already.
type visitorSets struct {
	c     *counter
	lists []visitorList // by bucket; without buckets there is one
	all   knownUnion
	parts []knownUnion // by bucket
}

// visitorList is the visitors met in a segment in one bucket, rising.
type visitorList struct{ ordinals []uint32 }

// union is a growing union of sets. Some are gathered before they are joined, as each join copies what
// there is.
type union struct{ sets []bitmap.Set }

// unionSets is how many sets are gathered.
const unionSets = 32

func (u *union) add(s bitmap.Set) {
	if u.sets = append(u.sets, s); len(u.sets) == unionSets {
		u.sets = append(u.sets[:0], bitmap.Any(u.sets...))
	}
}

// set returns what was added.
func (u *union) set() bitmap.Set {
	if len(u.sets) == 1 {
		return u.sets[0]
	}
	return bitmap.Any(u.sets...)
}

// count returns how many were added. One or two sets needn't be joined for that.
func (u *union) count() int64 {
	switch len(u.sets) {
	case 1:
		return int64(u.sets[0].Count())
	case 2:
		return int64(u.sets[0].Count() + u.sets[1].Count() - u.sets[0].CountBoth(u.sets[1]))
	}
	return int64(bitmap.Any(u.sets...).Count())
}

// count makes the pass.
func (s *visitorSets) count(r *run, p *pass) error {
	p.take, p.whole, p.done = s.take, s.whole(r, p), s.settle
	p.parted = s.parted(r, p)
	if err := r.eachLive(p); err != nil {
		return err
	}
	s.takeLive()
	if err := r.eachSegment(p); err != nil {
		return err
	}
	c := s.c
	if s.wantsAll() {
		*at(&c.uniques.counts, 0) += s.all.count(r, memoSiftedUnion)
	}
	for bucket := range s.parts {
		if n := s.parts[bucket].count(r, memoSiftedUnion); n > 0 {
			*at(&c.parts.counts, c.cells.number(0, uint32(bucket))) += n
		}
	}
	return nil
}

// wantsAll tells whether it matters who was there at all: beside buckets that only ranks groups, and where
// none is left out, there is one.
func (s *visitorSets) wantsAll() bool { return s.c.buckets == nil || s.c.among != nil }

// takeLive makes sets of the live visitors that wait. Their cells are pairs of group 0 and a bucket.
func (s *visitorSets) takeLive() {
	s.c.waits.next() // which sorts them
	for _, w := range s.c.waits.list {
		bucket := uint32(0)
		if s.c.buckets != nil {
			_, bucket = unpair(s.c.cells.list[w.value.cell])
		}
		s.meet(bucket, w.visitor)
	}
	s.c.waits = waiting[liveCell]{}
	s.settle()
}

func (s *visitorSets) meet(bucket, visitor uint32) { at(&s.lists, bucket).meet(visitor) }

// meet notes a visitor, and reports whether it is another than the one before.
func (l *visitorList) meet(visitor uint32) bool {
	if n := len(l.ordinals); n > 0 && l.ordinals[n-1] == visitor {
		return false
	}
	l.ordinals = append(l.ordinals, visitor)
	return true
}

// take takes rows of a view.
func (s *visitorSets) take(v *view, chosen []int32) {
	if chosen = s.c.chooseAmong(v, chosen); len(chosen) == 0 {
		return
	}
	v.run.cost.Matched += len(chosen)
	s.c.groups.met = 1
	if s.c.buckets == nil {
		last := uint32(noOrdinal)
		for _, at := range chosen {
			if visitor := v.come(int(at)); visitor != last {
				last = visitor
				s.meet(0, visitor)
			}
		}
		return
	}
	times := v.timesOf()
	s.c.slots.turn(s.c.buckets, v.sealed)
	for _, at := range chosen {
		s.meet(s.c.slots.bucket(times[at]), v.come(int(at)))
	}
}

// noOrdinal is no visitor's: there can't be so many.
const noOrdinal = 1<<32 - 1

// whole returns what takes all of a segment at once, where that goes.
func (s *visitorSets) whole(r *run, p *pass) func(of *sealed) (bool, error) {
	if s.c.among != nil {
		return nil
	}
	return func(of *sealed) (bool, error) {
		sieve, ok, err := r.sieve(p, of)
		if err != nil || !ok {
			return false, err
		}
		bucket := uint32(0)
		if s.c.buckets != nil {
			bucket, ok = s.c.buckets.oneBucket(of)
		}
		if !ok {
			return false, nil
		}
		people, ok, err := r.wantedOf(p, of, sieve)
		if err != nil || !ok {
			return false, err
		}
		if people.rows == 0 {
			return true, nil
		}
		r.cost.Matched += people.rows
		s.c.groups.met = 1
		first, last := of.segment.TimeRange()
		s.enter(bucket, partVisitors{of, first, last + 1, sieve, people.visitors})
		return true, nil
	}
}

// parted returns what takes a segment by buckets, where that goes.
func (s *visitorSets) parted(r *run, p *pass) func(of *sealed) (bool, error) {
	if s.c.among != nil {
		return nil
	}
	days := s.c.calendarOf(r)
	return func(of *sealed) (bool, error) {
		parts, ok, err := r.partsOf(p, of, days, true)
		if err != nil || !ok {
			return false, err
		}
		for i := range parts {
			r.cost.Matched += parts[i].people.rows
			s.c.groups.met = 1
			bucket := uint32(0)
			if s.c.buckets != nil {
				bucket = s.c.buckets.number(parts[i].from)
			}
			s.enter(bucket, partVisitors{of, parts[i].from, parts[i].to, "", parts[i].people.visitors})
		}
		return true, nil
	}
}

func (s *visitorSets) enter(bucket uint32, part partVisitors) {
	if s.wantsAll() {
		s.all.add(part)
	}
	if s.c.buckets != nil {
		at(&s.parts, bucket).add(part)
	}
}

// settle makes sets of the lists, whose visitors rise within a segment.
func (s *visitorSets) settle() {
	var all []uint32
	for bucket := range s.lists {
		list := &s.lists[bucket]
		if len(list.ordinals) == 0 {
			continue
		}
		if s.c.buckets == nil {
			s.all.others.add(bitmap.Of(list.ordinals))
		} else {
			at(&s.parts, uint32(bucket)).others.add(bitmap.Of(list.ordinals))
			if s.wantsAll() {
				all = append(all, list.ordinals...)
			}
		}
		list.ordinals = list.ordinals[:0]
	}
	if len(all) > 0 {
		slices.Sort(all)
		s.all.others.add(bitmap.Of(slices.Compact(all)))
	}
}

// size is how many entries of a table the lists are worth; sets are small beside them.
func (s *visitorSets) size() int {
	n := len(s.parts)
	for i := range s.lists {
		n += cap(s.lists[i].ordinals) / 4
	}
	return n
}
