package query

import (
	"math"
	"math/bits"
	"slices"

	"millimetric/index/event"
)

// visitFacts are what an answer says of the visits of a range. What can be added up is added up by cell, which is a
// pair of group and bucket. A median and distinct actors can't, as answers ask for them of several cells together:
// for these, each visit stays as its length and its cell, and those of one actor stand together.
type visitFacts struct {
	cells  *pairNumbers
	sums   []visitSums // by cell
	lists  [][]visitFact
	long   []event.Time // the lengths that facts have no room for, in the order of these
	count  int
	latest uint64 // the actor added last, plus one
}

type visitFact struct {
	length uint32 // lengthLong where it is among the long ones
	cell   uint32 // with actorBegins in the first one of an actor
}

const (
	lengthLong  = math.MaxUint32
	actorBegins = 1 << 31 // cells are fewer, as tables are bounded
)

// visitSums are numbers of visits, of those that bounced, and of their events.
type visitSums struct{ visits, bounced, events int64 }

const (
	// visitFactsEach is how many facts lie in one piece of memory: of one that grows, what it had before would stay
	// in memory beside it.
	visitFactsEach = 64 << 10
	// factsPerEntry is how many facts weigh as much as an entry of a table, and lengthsPerEntry how many copies of
	// their lengths.
	factsPerEntry   = entryBytes / 8
	lengthsPerEntry = entryBytes / 4
	// cellWeight is what the sums of a cell weigh in entries, with its number.
	cellWeight = 2
)

func newVisitFacts() *visitFacts { return &visitFacts{cells: newPairNumbers()} }

// add takes in a visit. Those of one actor must come one after the other.
func (f *visitFacts) add(group, bucket, actor uint32, v *visitSpan) {
	cell := f.cells.number(group, bucket)
	sums := at(&f.sums, cell)
	sums.visits++
	sums.events += v.events
	if v.bounced() {
		sums.bounced++
	}
	last := len(f.lists) - 1
	if last < 0 || len(f.lists[last]) == cap(f.lists[last]) {
		// Where there are few, they need no more room than they take.
		f.lists, last = append(f.lists, make([]visitFact, 0, min(max(f.count, 64), visitFactsEach))), last+1
	}
	f.lists[last] = append(f.lists[last], f.fact(cell, actor, v.length()))
	f.count++
}

// another says that the next visit is another actor's than the last.
func (f *visitFacts) another() { f.latest = 0 }

func (f *visitFacts) fact(cell, actor uint32, length event.Time) visitFact {
	fact := visitFact{length: lengthLong, cell: cell}
	if length < lengthLong {
		fact.length = uint32(length)
	} else {
		f.long = append(f.long, length)
	}
	if own := uint64(actor) + 1; f.latest != own {
		f.latest = own
		fact.cell |= actorBegins
	}
	return fact
}

// join takes over the facts of another, whose groups and buckets have these numbers here.
func (f *visitFacts) join(o *visitFacts, groups, buckets []uint32) {
	cells := f.cells.join(o.cells, groups, buckets)
	for cell, sums := range o.sums {
		at(&f.sums, cells[cell]).add(&sums)
	}
	for _, list := range o.lists {
		for i := range list {
			cell := list[i].cell
			list[i].cell = cells[cell&^actorBegins] | cell&actorBegins
		}
	}
	f.lists, f.long = append(f.lists, o.lists...), append(f.long, o.long...)
	f.count += o.count
}

func (s *visitSums) add(o *visitSums) {
	s.visits += o.visits
	s.bounced += o.bounced
	s.events += o.events
}

func (f *visitFacts) size() int {
	return f.count/factsPerEntry + len(f.long)/factsPerEntry + cellWeight*len(f.sums)
}

// reckonedVisits are what can't be added up of the visits of a row.
type reckonedVisits struct {
	lengths []uint32
	long    []event.Time
	actors  int64
	latest  int // number of the actor met last
}

// noRow says that visits belong to no row.
const noRow = -1

// reckon finds that for so many rows. rowOf says of each cell to which of them its visits belong, or noRow.
func (f *visitFacts) reckon(rows int, rowOf []int32) []reckonedVisits {
	counts, total := make([]int64, rows), int64(0)
	for cell, row := range rowOf {
		if row != noRow {
			counts[row] += f.sums[cell].visits
			total += f.sums[cell].visits
		}
	}
	all, found := make([]uint32, total), make([]reckonedVisits, rows)
	for row, n := range counts {
		found[row].lengths, all = all[:0:n], all[n:]
	}
	actor, long := 0, f.long
	for _, list := range f.lists {
		for _, fact := range list {
			if fact.cell&actorBegins != 0 {
				actor++
			}
			length := event.Time(fact.length)
			if fact.length == lengthLong {
				length, long = long[0], long[1:]
			}
			if row := rowOf[fact.cell&^actorBegins]; row != noRow {
				found[row].add(length, actor)
			}
		}
	}
	return found
}

// add takes in a visit of an actor. Actors are numbered from 1 on as they come.
func (v *reckonedVisits) add(length event.Time, actor int) {
	if length < lengthLong {
		v.lengths = append(v.lengths, uint32(length))
	} else {
		v.long = append(v.long, length)
	}
	if v.latest != actor {
		v.latest = actor
		v.actors++
	}
}

// sum adds up the lengths: high is how often the sum has passed what low holds.
func (v *reckonedVisits) sum() (high, low uint64) {
	for _, length := range v.lengths {
		low += uint64(length) // there are fewer than could pass that
	}
	for _, length := range v.long {
		var carry uint64
		low, carry = bits.Add64(low, uint64(length), 0)
		high += carry
	}
	return high, low
}

// median is the length at the nearest rank. It brings the lengths in order.
func (v *reckonedVisits) median() event.Time {
	rank := (len(v.lengths) + len(v.long) - 1) / 2
	if rank < len(v.lengths) {
		slices.Sort(v.lengths)
		return event.Time(v.lengths[rank])
	}
	slices.Sort(v.long)
	return v.long[rank-len(v.lengths)]
}
