package visitors

import (
	"cmp"
	"slices"

	"millimetric/index/ids"
)

// Set is several runs that are asked as one. It is not safe for concurrent use.
type Set struct {
	runs   []*Run
	bodies *ids.BodySet
}

// NewSet returns the set of all visitors of the runs. A visitor must have the same ordinal in all runs
// that it is in.
func NewSet(runs ...*Run) *Set {
	// Most visitors are in the greatest run: those that it has needn't be asked of the others.
	order := slices.SortedStableFunc(slices.Values(runs), func(a, b *Run) int { return cmp.Compare(b.Len(), a.Len()) })
	return &Set{runs, ids.NewBodySet(bodiesOf(order)...)}
}

// Runs returns the runs of the set, as NewSet got them.
func (s *Set) Runs() []*Run { return s.runs }

// Lookup sets found[i] and ordinals[i] where hashes[i] is in one of the runs, and leaves alone what is
// found already: a caller that knows a visitor from elsewhere saves asking for it. Hashes may be in any
// order and repeat; no piece is read twice. After an error, found and ordinals are of no use.
func (s *Set) Lookup(hashes []ids.Hash, ordinals []uint32, found []bool) error {
	return s.bodies.Lookup(hashes, ordinals, found)
}
