package query

// Where an answer of groups was cut, it says how many groups there are, what those together have
// that are still to come, and how to go on.

// page returns those of the ranked groups that an answer shows, and how many groups come before
// what is still to come.
func (c *Common) page(all []group, limit int) (shown []group, end int) {
	start := min(c.Page.Skip, len(all))
	end = min(start+limit, len(all))
	return all[start:end], end
}

// rest tells of groups by their numbers which are still to come after the first end ones.
func rest(all []group, end int) []bool {
	marks := make([]bool, len(all))
	for _, g := range all[end:] {
		marks[g.number] = true
	}
	return marks
}

// cut says what stands in a cut answer of groups.
func (r *run) cut(all []group, end int, other Value) []Member {
	return r.cutAt(end, len(all), other)
}

// cutAt says that of so many groups those before end were shown so far.
func (r *run) cutAt(end, total int, other Value) []Member {
	next := r.common.Cursor(r.asOf, Page{Skip: end})
	return []Member{{"next", Text(next)}, {"groups_total", Int(int64(total))}, {"other", other}}
}
