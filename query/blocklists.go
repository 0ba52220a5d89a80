package query

import (
	"cmp"
	"slices"
)

// blockLists keeps what each visitor of a block did, in the order in which it was met. Its memory is used
// again for the next block, and isn't cleared: what T points to is kept for as long as the lists are.
type blockLists[T any] struct {
	last  []int32 // by visitor: number of his last node plus one, 0 for none; nil before there is one
	nodes []listNode[T]
	met   []uint32 // visitors that have nodes
	line  []T
}

type listNode[T any] struct {
	value  T
	before int32 // number of the visitor's node before it plus one, 0 for none
}

func (l *blockLists[T]) add(visitor uint32, value T) {
	before := l.lastOf(visitor)
	if before == 0 {
		l.met = append(l.met, visitor)
	}
	l.nodes = append(l.nodes, listNode[T]{value: value, before: before})
	if l.last == nil { // many questions meet nobody
		l.last = make([]int32, blockVisitors)
	}
	l.last[visitor] = int32(len(l.nodes))
}

// lastOf returns the number of a visitor's last node plus one, 0 for none.
func (l *blockLists[T]) lastOf(visitor uint32) int32 {
	if l.last == nil {
		return 0
	}
	return l.last[visitor]
}

// latest returns what was added last of a visitor, nil where nothing was.
func (l *blockLists[T]) latest(visitor uint32) *T {
	if at := l.lastOf(visitor); at != 0 {
		return &l.nodes[at-1].value
	}
	return nil
}

// added returns all of a visitor, in the order in which it was added. It is valid until the next call.
func (l *blockLists[T]) added(visitor uint32) []T {
	l.line = l.line[:0]
	for at := l.lastOf(visitor); at != 0; at = l.nodes[at-1].before {
		l.line = append(l.line, l.nodes[at-1].value)
	}
	slices.Reverse(l.line)
	return l.line
}

// of returns all of a visitor, in the order of compare. It is valid until the next call.
func (l *blockLists[T]) of(visitor uint32, compare func(a, b T) int) []T {
	l.line = l.added(visitor)
	// Most come in order.
	if len(l.line) > 1 && !slices.IsSortedFunc(l.line, compare) {
		slices.SortFunc(l.line, compare)
	}
	return l.line
}

// clear empties the lists.
func (l *blockLists[T]) clear() {
	for _, visitor := range l.met {
		l.last[visitor] = 0
	}
	l.nodes, l.met = l.nodes[:0], l.met[:0]
}

// waiting are values of live events that wait for the blocks of their visitors.
type waiting[T any] struct {
	list   []waitingValue[T]
	all    []waitingValue[T] // with those that wait no more, once the list is sorted
	sorted bool
}

type waitingValue[T any] struct {
	visitor uint32
	value   T
}

func (w *waiting[T]) add(visitor uint32, value T) {
	w.list = append(w.list, waitingValue[T]{visitor, value})
}

// next returns the first visitor that waits, noVisitor if none does. All must have been added before.
func (w *waiting[T]) next() uint64 {
	if !w.sorted {
		w.sort()
	}
	if len(w.list) == 0 {
		return noVisitor
	}
	return uint64(w.list[0].visitor)
}

// sort brings them in the order of their visitors, those of one visitor as they came. Numbers that say both are sorted,
// which takes a fraction of what values do.
func (w *waiting[T]) sort() {
	order := make([]uint64, len(w.list))
	for i := range w.list {
		order[i] = uint64(w.list[i].visitor)<<32 | uint64(i)
	}
	slices.Sort(order)
	w.all = make([]waitingValue[T], len(order))
	for i, from := range order {
		w.all[i] = w.list[uint32(from)]
	}
	w.list, w.sorted = w.all, true
}

// most returns the last visitor that waits, 0 if none does.
func (w *waiting[T]) most() uint64 {
	if w.next() == noVisitor {
		return 0
	}
	return uint64(w.list[len(w.list)-1].visitor)
}

// seek lets those wait whose visitors aren't below one. It comes after next.
func (w *waiting[T]) seek(visitor uint32) {
	first, _ := slices.BinarySearchFunc(w.all, visitor, func(v waitingValue[T], visitor uint32) int { return cmp.Compare(v.visitor, visitor) })
	w.list = w.all[first:]
}

// enter moves those of a block into its lists.
func (w *waiting[T]) enter(b *block, lists *blockLists[T]) {
	w.take(b, func(visitor uint32, value T) {
		b.tangled.add(visitor)
		lists.add(visitor, value)
	})
}

// take gives those of a block, who wait no more, by their numbers in it.
func (w *waiting[T]) take(b *block, give func(visitor uint32, value T)) {
	n := 0
	for ; n < len(w.list) && w.list[n].visitor-b.first < blockVisitors; n++ {
		give(w.list[n].visitor-b.first, w.list[n].value)
	}
	w.list = w.list[n:]
}
