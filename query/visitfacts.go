package query

import (
	"math/bits"
	"slices"

	"millimetric/index/event"
)

// visitFacts are what an answer says of the visits of a range. What can be added up is added up by cell, which is a
// pair of group and bucket. A median and distinct actors can't, as answers ask for them of several cells together:
// for these, each visit stays as its length, its actor and its cell.
type visitFacts struct {
	cells *pairNumbers
	sums  []visitSums   // by cell
	lists [][]visitFact // those of one actor stand together
	count int
}

type visitFact struct {
	length      event.Time
	actor, cell uint32
}

// visitSums are numbers of visits, of those that bounced, and of their events.
type visitSums struct{ visits, bounced, events int64 }

const (
	// visitFactsEach is how many facts lie in one piece of memory: of one that grows, what it had before would stay
	// in memory beside it.
	visitFactsEach = 64 << 10
	// visitsPerEntry is how many facts weigh as much as an entry of a table, with the copies of lengths that medians
	// are looked up in.
	visitsPerEntry = 2
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
	f.lists[last] = append(f.lists[last], visitFact{length: v.length(), actor: actor, cell: cell})
	f.count++
}

// join takes over the facts of another, whose groups and buckets have these numbers here.
func (f *visitFacts) join(o *visitFacts, groups, buckets []uint32) {
	cells := f.cells.join(o.cells, groups, buckets)
	for cell, sums := range o.sums {
		at(&f.sums, cells[cell]).add(&sums)
	}
	for _, list := range o.lists {
		for i := range list {
			list[i].cell = cells[list[i].cell]
		}
	}
	f.lists = append(f.lists, o.lists...)
	f.count += o.count
}

func (s *visitSums) add(o *visitSums) {
	s.visits += o.visits
	s.bounced += o.bounced
	s.events += o.events
}

func (f *visitFacts) size() int { return f.count/visitsPerEntry + cellWeight*len(f.sums) }

// reckonedVisits are what can't be added up of the visits of a row.
type reckonedVisits struct {
	lengths []event.Time
	actors  int64
	latest  uint64 // the actor met last, plus one
}

// reckon finds that for so many rows. rowOf says of each cell to which of them its visits belong, or noRow.
func (f *visitFacts) reckon(rows int, rowOf []int32) []reckonedVisits {
	counts, total := make([]int64, rows), int64(0)
	for cell, row := range rowOf {
		if row != noRow {
			counts[row] += f.sums[cell].visits
			total += f.sums[cell].visits
		}
	}
	all, found := make([]event.Time, total), make([]reckonedVisits, rows)
	for row, n := range counts {
		found[row].lengths, all = all[:0:n], all[n:]
	}
	for _, list := range f.lists {
		for i := range list {
			if row := rowOf[list[i].cell]; row != noRow {
				found[row].add(&list[i])
			}
		}
	}
	return found
}

// noRow says that visits belong to no row.
const noRow = -1

func (v *reckonedVisits) add(f *visitFact) {
	v.lengths = append(v.lengths, f.length)
	if own := uint64(f.actor) + 1; v.latest != own {
		v.latest = own
		v.actors++
	}
}

// sum adds up the lengths: high is how often the sum has passed what low holds.
func (v *reckonedVisits) sum() (high, low uint64) {
	for _, length := range v.lengths {
		var carry uint64
		low, carry = bits.Add64(low, uint64(length), 0)
		high += carry
	}
	return high, low
}

// median is the length at the nearest rank. It brings the lengths in order.
func (v *reckonedVisits) median() event.Time {
	slices.Sort(v.lengths)
	return v.lengths[(len(v.lengths)-1)/2]
}
