package ids

import (
	"cmp"
	"slices"

	"millimetric/index/event"
)

// Size is what Plan has to know of a run.
type Size struct {
	Hashes int
	Latest event.Time
}

const (
	// RunsMax is how many runs Plan leaves: each costs every look-up a visit to its filter.
	RunsMax = 8
	// planFloor is what the smallest runs count as. Below it, merging costs less than a further run.
	planFloor = 1 << 15
	// RetentionEras is into how many eras a retention period should be cut: a run's oldest ids stay for
	// one era longer than they must, and each era needs a run.
	RetentionEras = 4
)

// Plan returns which runs to merge into one next, or nil where all is well. After that merge it is to
// be asked again.
//
//  1. Eras: where era isn't 0, runs are only merged with others whose latest ids arrived in the same
//     era, so that a run can be dropped whole when all of its ids have had their time. What lies in
//     eras that are over becomes one run each.
//  2. Tiers: within the newest era, a run is merged with all smaller ones where these have as many
//     hashes together. So a hash that is written again is in a run at least twice as great, which
//     happens log2(hashes / hashes of a new run) times at most; rule 3, eras that end and runs below
//     planFloor add some.
//  3. Where more than RunsMax would remain, the smallest are merged, of the newest era only.
func Plan(runs []Size, era event.Time) []int {
	order := make([]int, len(runs))
	for i := range order {
		order[i] = i
	}
	eraOf := func(i int) event.Time {
		if era <= 0 {
			return 0
		}
		return runs[i].Latest / era
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(eraOf(a), eraOf(b)), cmp.Compare(runs[b].Hashes, runs[a].Hashes))
	})
	past := 0
	for len(order) > 0 && eraOf(order[0]) != eraOf(order[len(order)-1]) {
		end := 1
		for eraOf(order[end]) == eraOf(order[0]) {
			end++
		}
		if end > 1 {
			return order[:end]
		}
		order = order[1:]
		past++
	}
	return planTiers(runs, order, max(1, RunsMax-past))
}

// planTiers applies rules 2 and 3 to the runs of one era, in order from the greatest to the smallest.
func planTiers(runs []Size, order []int, most int) []int {
	smaller, from := 0, len(order)
	for i := len(order) - 1; i >= 0; i-- {
		size := max(runs[order[i]].Hashes, planFloor)
		if size <= smaller {
			from = i
		}
		smaller += size
	}
	if from == len(order) && len(order) > most {
		from = most - 1
	}
	if from == len(order) {
		return nil
	}
	return order[from:]
}
