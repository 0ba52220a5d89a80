package query

import (
	"cmp"
	"slices"

	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// retentionSets counts the retention of visitors of whom one kind of event tells both birth and return: as
// the sets of who had such an event in a bucket. For most segments these sets are kept.
//
//  1. Who has such an event in the bucket of his birth counts in period 0: the birth is a return itself.
//  2. The cohort of a bucket is who was born in it and in no bucket before.
//  3. Who of it came in a later period is what the two sets share.
type retentionSets struct {
	r      *run
	q      *Retention
	c      *cohorts
	test   *columnTest  // of the name
	early  knownUnion   // with birth_in=ever: who was born before the range
	births []knownUnion // by bucket; inside the range
	comes  []knownUnion // by bucket; from the range on
	lists  [3][]visitorList
	slots  bucketSlots
	waits  []liveStay
	days   *calendar
}

// What a list of visitors is about.
const (
	listEarly = iota // without buckets: there is one list
	listBirths
	listComes
)

// liveStay is a live event that waits to be sorted in.
type liveStay struct {
	visitor uint32
	time    event.Time
}

// plainName returns the name of an event that is all of both steps; ok is false where they ask for more.
func (q *Retention) plainName() (name string, ok bool) {
	plain := func(s *Step) bool { return len(s.AnyOf) == 0 && len(s.Filters) == 0 }
	return q.Birth.Event, q.Actor == ActorVisitor && q.Birth.Event == q.Return.Event && plain(&q.Birth) && plain(&q.Return) && len(q.Filters) == 0
}

func newRetentionSets(r *run, q *Retention, c *cohorts, name string) *retentionSets {
	return &retentionSets{r: r, q: q, c: c, test: newColumnTest(nameFilter(name)), days: newCalendar(IntervalDay, q.Zone)}
}

// count makes the pass over a stretch of time, and counts.
func (s *retentionSets) count(from, to event.Time) error {
	p := &pass{
		from: from, to: to, wants: conditionsOf(nil, nil), take: s.take, done: s.settle, size: s.size,
		visit: func(e *scanRow) {
			if s.test.of(e) {
				s.r.cost.Matched++
				s.waits = append(s.waits, liveStay{e.visitor, e.time})
			}
		},
	}
	p.whole = func(of *sealed) (bool, error) {
		if wholly, err := s.r.wholly(p, of); err != nil || !wholly {
			return false, err
		}
		return s.whole(of)
	}
	p.parted = func(of *sealed) (bool, error) { return s.parted(p, of) }
	if !s.r.bound(p) {
		return nil
	}
	if err := s.r.eachLive(p); err != nil {
		return err
	}
	slices.SortFunc(s.waits, func(a, b liveStay) int { return cmp.Compare(a.visitor, b.visitor) })
	for _, w := range s.waits {
		s.meet(s.c.calendar.number(w.time), w.time, w.visitor)
	}
	s.settle()
	if err := s.r.eachSegment(p); err != nil {
		return err
	}
	return s.addUp()
}

// meet enters an event into the lists.
func (s *retentionSets) meet(bucket uint32, time event.Time, visitor uint32) {
	enter := func(list *visitorList) {
		if n := len(list.ordinals); n == 0 || list.ordinals[n-1] != visitor {
			list.ordinals = append(list.ordinals, visitor)
		}
	}
	if time < s.q.From {
		enter(at(&s.lists[listEarly], 0))
		return
	}
	if time < s.q.To {
		enter(at(&s.lists[listBirths], bucket))
	}
	enter(at(&s.lists[listComes], bucket))
}

// take takes rows of a view.
func (s *retentionSets) take(v *view, chosen []int32) {
	if chosen = s.test.choose(v, chosen); len(chosen) == 0 {
		return
	}
	s.r.cost.Matched += len(chosen)
	times := v.timesOf()
	s.slots.turn(s.c.calendar, v.sealed)
	for _, at := range chosen {
		s.meet(s.slots.bucket(times[at]), times[at], v.come(int(at)))
	}
}

// settle makes sets of the lists, whose visitors rise within a segment.
func (s *retentionSets) settle() {
	unions := [3]func(bucket uint32) *knownUnion{
		listEarly:  func(uint32) *knownUnion { return &s.early },
		listBirths: func(bucket uint32) *knownUnion { return at(&s.births, bucket) },
		listComes:  func(bucket uint32) *knownUnion { return at(&s.comes, bucket) },
	}
	for kind := range s.lists {
		for bucket := range s.lists[kind] {
			list := &s.lists[kind][bucket]
			if len(list.ordinals) > 0 {
				unions[kind](uint32(bucket)).others.add(bitmap.Of(list.ordinals))
				list.ordinals = list.ordinals[:0]
			}
		}
	}
}

// whole takes a segment at once, where it lies in one bucket and on one side of the range's ends.
func (s *retentionSets) whole(of *sealed) (taken bool, err error) {
	first, last := of.segment.TimeRange()
	bucket, ok := s.c.calendar.oneBucket(of)
	if !ok || first < s.q.From && last >= s.q.From || first < s.q.To && last >= s.q.To {
		return false, nil
	}
	visitors, ok, err := s.r.visitorsNamed(of, s.q.Birth.Event)
	if err != nil || !ok {
		return false, err
	}
	s.enter(bucket, last, partVisitors{of, first, last + 1, s.q.Birth.Event, visitors})
	return true, nil
}

// enter takes in visitors who came in a bucket, on the side of the range's ends where a time lies.
func (s *retentionSets) enter(bucket uint32, side event.Time, part partVisitors) {
	s.r.cost.Matched += part.visitors.Count()
	if side < s.q.From {
		s.early.add(part)
		return
	}
	if side < s.q.To {
		at(&s.births, bucket).add(part)
	}
	at(&s.comes, bucket).add(part)
}

// parted takes a segment day by day, of which each bucket holds whole ones, where no day is cut by an end of
// the range.
func (s *retentionSets) parted(p *pass, of *sealed) (taken bool, err error) {
	parts, ok, err := s.r.partsNamed(p, of, s.days, memoNamedVisitors, s.q.Birth.Event, s.test)
	if err != nil || !ok {
		return false, err
	}
	for i := range parts {
		if cuts := func(t event.Time) bool { return parts[i].from < t && t < parts[i].to }; cuts(s.q.From) || cuts(s.q.To) {
			return false, nil
		}
	}
	for i := range parts {
		s.enter(s.c.calendar.number(parts[i].from), parts[i].from, partVisitors{of, parts[i].from, parts[i].to, s.q.Birth.Event, parts[i].people.visitors})
	}
	return true, nil
}

// addUp makes cohorts of the sets.
func (s *retentionSets) addUp() error {
	starts := s.c.calendar.starts
	order := make([]uint32, len(starts))
	number := map[event.Time]uint32{}
	for i := range order {
		order[i] = uint32(i)
		number[starts[i]] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(starts[a], starts[b]) })
	comes := s.cameBack(order)
	born := bornBefore{r: s.r}
	born.enter(s.early.whole(s.r, memoUnion))
	for _, bucket := range order {
		births := at(&s.births, bucket).whole(s.r, memoUnion)
		if births.visitors.Count() == 0 {
			continue
		}
		fresh := born.enter(births)
		if fresh.size == 0 {
			continue
		}
		in := s.c.cohort(max(starts[bucket], s.q.From))
		if len(s.c.of) > cohortsMax {
			return tooManyCohorts()
		}
		in.size, in.came[0] = fresh.size, fresh.size
		for k := 1; k < s.q.Periods; k++ {
			if at, ok := s.from(in.starts[k], order, number); ok {
				in.came[k] = fresh.back(k, &comes[at])
			}
		}
		fresh.keep()
	}
	return nil
}

// cameBack returns, by bucket, who came in it, or, where returns count for all periods before them, in it or later.
func (s *retentionSets) cameBack(order []uint32) []wholeUnion {
	comes := make([]wholeUnion, len(order))
	for i := range comes {
		comes[i] = at(&s.comes, uint32(i)).whole(s.r, memoUnion)
	}
	for i := len(order) - 2; i >= 0 && s.q.Unbounded; i-- {
		this, next := &comes[order[i]], &comes[order[i+1]]
		*this = wholeUnion{visitors: this.visitors.Or(next.visitors)}
	}
	return comes
}

// from returns the bucket whose set tells who came in the period that starts at a time: the one that
// starts there, or, where returns count for all periods before them, the first from there on.
func (s *retentionSets) from(start event.Time, order []uint32, number map[event.Time]uint32) (bucket uint32, ok bool) {
	if bucket, ok = number[start]; ok || !s.q.Unbounded {
		return bucket, ok
	}
	starts := s.c.calendar.starts
	at, _ := slices.BinarySearchFunc(order, start, func(b uint32, t event.Time) int { return cmp.Compare(starts[b], t) })
	if at == len(order) {
		return 0, false
	}
	return order[at], true
}

// size is how many entries of a table the lists are worth; sets are small beside them.
func (s *retentionSets) size() int {
	n := len(s.waits)
	for kind := range s.lists {
		for i := range s.lists[kind] {
			n += cap(s.lists[kind][i].ordinals) / 4
		}
	}
	return n
}
