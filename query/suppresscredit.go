package query

import "slices"

// Credit is shared out by each model among groups and what no touch got, and adds up to all conversions: a
// line per model. Of each cell the actors are counted whose first conversion gives it credit. That is never
// more than all whose conversions do, so that no cell is shown that is about too few.
func (q *Attribution) suppressed(r *run, k int64) (*Answer, bool, error) {
	if err := r.plainRefusals(q.Compare, false); err != nil {
		return nil, false, err
	}
	if len(q.GroupBy) > 1 {
		return nil, false, r.tooSmall("more than one field in group_by")
	}
	counted := *q
	counted.Count, counted.Value, counted.Limit = CountFirst, "", limitless
	counted.Models = []CreditModel{ModelFirst, ModelLast, ModelLastNonDirect, ModelParticipation}
	actors, err := r.inner(&counted)
	if err != nil {
		return nil, false, err
	}
	all := *q
	all.Limit = limitless
	answer, err := r.inner(&all)
	if err != nil {
		return nil, false, err
	}
	return q.clearCredit(answer, actors, k)
}

// modelColumn is the model that says how many actors give a cell of a model credit: where touches share it, all
// who touched.
func modelColumn(m CreditModel) string {
	switch m {
	case ModelFirst, ModelLast, ModelLastNonDirect:
		return string(m)
	}
	return string(ModelParticipation)
}

// clearCredit takes out of each model's column what can't be shown, and rows of which nothing is left.
func (q *Attribution) clearCredit(answer, actors *Answer, k int64) (*Answer, bool, error) {
	dims := len(q.GroupBy)
	at := map[string]int{} // rows of actors by their keys
	for i, row := range actors.Rows {
		at[joined(keysOf(row[:dims]))] = i
	}
	unattributed := conversionsOf(actors, "unattributed")
	hid := q.clearSums(answer, conversionsOf(actors, "totals"), unattributed, k)
	for i, model := range q.Models {
		column := slices.Index(actors.Columns, modelColumn(model))
		sizes := make([]int64, len(answer.Rows)+1)
		for row, values := range answer.Rows {
			if j, known := at[joined(keysOf(values[:dims]))]; known {
				sizes[row] = membersNumber(actors.Rows[j][column], "conversions")
			}
			if sizes[row] == 0 && !isNothing(values[dims+i]) {
				sizes[row] = 1 // of nobody's first conversion, but of somebody's
			}
		}
		sizes[len(answer.Rows)] = unattributed
		for row, hidden := range hideLine(sizes, k) {
			if hid = hid || hidden; hidden && row < len(answer.Rows) {
				answer.Rows[row][dims+i] = Object(Member{"conversions", Value{}}, Member{"value", Value{}})
			} else if hidden {
				setFoot(answer, "unattributed", Object(Member{"conversions", Value{}}, Member{"value", Value{}}))
			}
		}
	}
	answer.Rows = slices.DeleteFunc(answer.Rows, func(row []Value) bool {
		return !slices.ContainsFunc(row[dims:dims+len(q.Models)], func(v Value) bool { return !isHidden(v) })
	})
	answer.Rows = answer.Rows[:min(q.Limit, len(answer.Rows))]
	return answer, hid, nil
}

// clearSums takes out totals that are about too few. What has no value isn't told at all: it may be one
// visitor's.
func (q *Attribution) clearSums(answer *Answer, total, unattributed, k int64) (hid bool) {
	for i := range answer.Foot {
		n, err := readNode(answer.Foot[i].Value)
		if err != nil {
			continue
		}
		n.clear("missing_value")
		if answer.Foot[i].Name == "totals" && !fine(total, k) {
			n.clear("conversions", "value")
			hid = true
		}
		answer.Foot[i].Value = n.value()
	}
	return hid
}

func setFoot(a *Answer, name string, v Value) {
	for i := range a.Foot {
		if a.Foot[i].Name == name {
			a.Foot[i].Value = v
		}
	}
}

func conversionsOf(a *Answer, name string) int64 {
	for _, m := range a.Foot {
		if m.Name == name {
			return membersNumber(m.Value, "conversions")
		}
	}
	return 0
}

// membersNumber is the whole number of a member of an object.
func membersNumber(v Value, name string) int64 {
	n, err := readNode(v)
	if err != nil {
		return 0
	}
	return n.number(name)
}

// isNothing reports whether a cell gives no credit at all.
func isNothing(v Value) bool {
	n, err := readNode(v)
	return err == nil && n.member("conversions") != nil && n.member("conversions").scalar.text == "0"
}

func isHidden(v Value) bool {
	n, err := readNode(v)
	return err == nil && n.member("conversions") != nil && n.member("conversions").scalar.kind == valueNull
}
