package query

import "slices"

// plainRefusals refuses what some questions can't show without small numbers.
func (r *run) plainRefusals(compare, list bool) error {
	switch {
	case compare:
		return r.tooSmall("compare; ask about the previous period by itself")
	case list:
		return r.tooSmall("lists of actors")
	}
	return nil
}

// whole asks a question that may be answered so, and reads what its answer begins with: a list, or a tree.
func (r *run) whole(q Question, compare, list bool) (*Answer, *jsonNode, error) {
	if err := r.plainRefusals(compare, list); err != nil {
		return nil, nil, err
	}
	answer, err := r.inner(q)
	if err != nil {
		return nil, nil, err
	}
	first, err := readNode(answer.Head[0].Value)
	return answer, first, err
}

// A funnel tells at each step how many came, and by subtraction how many didn't come further. A step is shown
// if as many as came there, and as many as were lost since the last step that is shown, are nobody or k at
// least: then all differences between steps that are shown are, too.
func (q *Funnel) suppressed(r *run, k int64) (*Answer, bool, error) {
	all := *q
	all.Limit = limitless
	answer, steps, err := r.whole(&all, q.Compare, q.List != nil)
	if err != nil {
		return nil, false, err
	}
	shown := shownInRow(reached(steps), k)
	hid := slices.Contains(shown, false)
	if q.Breakdown != nil {
		groups, err := readNode(answer.Head[1].Value)
		if err != nil {
			return nil, false, err
		}
		hid = hideGroups(groups, reached(steps), shown, k, q.Limit) || hid
		answer.Head[1].Value = groups.value()
	}
	clearSteps(steps, shown)
	answer.Head[0].Value = steps.value()
	return answer, hid, nil
}

// reached is how many actors came to each step.
func reached(steps *jsonNode) []int64 {
	actors := make([]int64, len(steps.below))
	for i, step := range steps.below {
		actors[i] = step.number("actors")
	}
	return actors
}

// shownInRow says which numbers of a falling row are shown.
func shownInRow(actors []int64, k int64) []bool {
	shown, last := make([]bool, len(actors)), int64(-1)
	for i, n := range actors {
		if fine(n, k) && (last < 0 || fine(last-n, k)) {
			shown[i], last = true, n
		}
	}
	return shown
}

// fine says that a number tells of nobody, or of k at least.
func fine(n, k int64) bool { return n == 0 || n >= k }

// clearSteps takes out what isn't shown, and what is reckoned from it.
func clearSteps(steps *jsonNode, shown []bool) {
	for i, step := range steps.below {
		if !shown[i] {
			step.clear("actors", "conversion", "step_conversion", "drop_off", "from_previous", "from_start")
			continue
		}
		if !shown[0] {
			step.clear("conversion")
		}
		if i > 0 && !shown[i-1] {
			step.clear("step_conversion", "from_previous")
		}
		if i+1 < len(shown) && !shown[i+1] {
			step.clear("drop_off")
		}
	}
}

// hideGroups leaves the groups of which all that is shown of the whole funnel can be shown, and of these so
// many that those left out have together what can be shown as well: it follows from the whole.
func hideGroups(groups *jsonNode, whole []int64, shown []bool, k int64, limit int) (hid bool) {
	pass := func(actors []int64) bool {
		var some []int64
		for i, n := range actors {
			if shown[i] {
				some = append(some, n)
			}
		}
		return !slices.Contains(shownInRow(some, k), false)
	}
	rest := slices.Clone(whole)
	var left []*jsonNode
	for _, group := range groups.below {
		actors := reached(group.member("steps"))
		if !pass(actors) {
			hid = true
			continue
		}
		left = append(left, group)
		subtract(rest, actors, 1)
	}
	// Groups come by their size: the smallest is the last.
	for len(left) > 0 && !pass(rest) {
		hid = true
		subtract(rest, reached(left[len(left)-1].member("steps")), -1)
		left = left[:len(left)-1]
	}
	for _, group := range left {
		clearSteps(group.member("steps"), shown)
	}
	groups.below = left[:min(limit, len(left))]
	return hid
}

func subtract(from, what []int64, sign int64) {
	for i, n := range what {
		from[i] -= sign * n
	}
}

// A retention tells of each cohort how many came back in each period, and so how many didn't. Cohorts add up
// to all who began; where returns count for the periods before, the periods are a falling row.
func (q *Retention) suppressed(r *run, k int64) (*Answer, bool, error) {
	all := *q
	answer, cohorts, err := r.whole(&all, q.Compare, false)
	if err != nil {
		return nil, false, err
	}
	sizes := make([]int64, len(cohorts.below))
	for i, cohort := range cohorts.below {
		sizes[i] = cohort.number("size")
	}
	hid, left := false, cohorts.below[:0:0]
	for i, hidden := range hideLine(sizes, k) {
		if hidden {
			hid = true
			continue
		}
		cohort := cohorts.below[i]
		hid = q.clearPeriods(cohort, sizes[i], k) || hid
		left = append(left, cohort)
	}
	cohorts.below = left
	answer.Head[0].Value = cohorts.value()
	return answer, hid, nil
}

// clearPeriods takes the cells out of a cohort that can't be shown.
func (q *Retention) clearPeriods(cohort *jsonNode, size, k int64) (hid bool) {
	last := size
	for _, cell := range cohort.member("periods").below {
		n := cell.number("actors")
		if !fine(n, k) || !fine(size-n, k) || q.Unbounded && !fine(last-n, k) {
			cell.clear("actors", "share")
			hid = true
			continue
		}
		last = n
	}
	return hid
}

// Paths part those who came to a node among its children. A node is shown if k actors came to it at least, and
// what is hidden of a node's children is together about k at least.
func (q *Paths) suppressed(r *run, k int64) (*Answer, bool, error) {
	all := *q
	answer, root, err := r.whole(&all, q.Compare, false)
	if err != nil {
		return nil, false, err
	}
	hid := false
	if n := root.number("actors"); !fine(n, k) {
		hid = true
		root.clear("node", "count", "actors")
		if children := root.member("children"); children != nil {
			children.below = nil
		}
	} else {
		hid = clearChildren(root, k)
	}
	answer.Head[0].Value = root.value()
	return answer, hid, nil
}

func clearChildren(node *jsonNode, k int64) (hid bool) {
	children := node.member("children")
	if children == nil {
		return false
	}
	children.below, hid = shownOf(children.below, k)
	for _, child := range children.below {
		hid = clearChildren(child, k) || hid
	}
	return hid
}

// shownOf leaves those of a list that may be shown.
func shownOf(list []*jsonNode, k int64) (left []*jsonNode, hid bool) {
	sizes := make([]int64, len(list))
	for i, n := range list {
		sizes[i] = n.number("actors")
	}
	for i, hidden := range hideLine(sizes, k) {
		if hid = hid || hidden; !hidden {
			left = append(left, list[i])
		}
	}
	return left, hid
}

// Live tells how many are there, and on which pages and from where they came.
func (q *Live) suppressed(r *run, k int64) (*Answer, bool, error) {
	if err := r.plainRefusals(q.Compare, false); err != nil {
		return nil, false, err
	}
	all := *q
	all.Limit = limitless
	answer, err := r.inner(&all)
	if err != nil {
		return nil, false, err
	}
	q.Now = all.Now
	hid := false
	for i := range answer.Head {
		m := &answer.Head[i]
		n, err := readNode(m.Value)
		if err != nil {
			return nil, false, err
		}
		switch {
		case m.Name == "actors" && !fine(numberOf(m.Value), k):
			m.Value, hid = Value{}, true
		case n.list:
			var some bool
			n.below, some = shownOf(n.below, k)
			n.below = n.below[:min(q.Limit, len(n.below))]
			m.Value, hid = n.value(), hid || some
		}
	}
	return answer, hid, nil
}
