package query

import (
	"fmt"

	"millimetric/index/event"
)

// A question of which the asker may learn no small number: no cell of its answer is about at least one and
// fewer than k visitors, and none can be reckoned from those that are shown; see hide.go for what that
// means, and for what it doesn't.
//
// What is hidden is decided by visitors alone, so that it is the same whatever is counted: of every cell the
// visitors are counted first, by the same question about them.
//
// Some things can't be told without telling of single visitors, and are refused: single events, lists of
// actors and visits, actors other than visitors (five visitors may be one person, and one visitor five
// users), positions to replay, from which the difference of one event would be seen, cursors, which
// hold such a position, and tables of more than two dimensions. What an answer cost, and what comes to those
// groups that aren't shown, is left out.

// suppressor is a question that can be answered so.
type suppressor interface {
	Question
	// suppressed answers without small numbers, and says whether anything was hidden.
	suppressed(r *run, k int64) (answer *Answer, hid bool, err error)
}

// dimensionsMax is how many dimensions a table may have of which small cells are hidden.
const dimensionsMax = 2

const codeScope = "insufficient_scope"

// runSuppressed answers a question whose K is set.
func (r *run) runSuppressed(question Question) (*Answer, error) {
	k := int64(r.common.K)
	q, ok := question.(suppressor)
	switch {
	case !ok:
		return nil, r.tooSmall("single events")
	case r.common.Replay:
		return nil, r.tooSmall("as_of and cursor")
	case r.common.Actor != "" && r.common.Actor != ActorVisitor:
		return nil, r.tooSmall("actors other than visitors")
	}
	answer, hid, err := q.suppressed(r, k)
	if err != nil {
		return nil, err
	}
	answer.Cut, answer.Left = nil, 0
	answer.Foot = append(answer.Foot, Member{"suppressed", Bool(hid)})
	return answer, nil
}

// tooSmall refuses what would tell of single visitors.
func (r *run) tooSmall(what string) error {
	return &event.Error{Kind: event.ErrDenied, Code: codeScope,
		Notes: []string{fmt.Sprintf("The key shows numbers about %d visitors or more only: not for %s", r.common.K, what)}}
}

// inner answers a question beside the one that is asked, of the same events.
func (r *run) inner(q Question) (*Answer, error) {
	in := &run{ctx: r.ctx, source: r.source, common: q.Settings(), asOf: r.asOf, people: peopleTest(), held: r.held}
	defer in.release()
	in.share.of = r.share.of
	defer in.share.release()
	answer, err := q.answer(in)
	r.cost.Scanned += in.cost.Scanned
	return answer, err
}

// limitless asks for all groups: which of them are hidden depends on all.
const limitless = 1 << 40

// cells are sizes by the values of their dimensions.
type cells struct {
	keys  [][]string
	sizes []int64
}

// shownCells tells which cells of a table are shown.
type shownCells struct {
	hidden map[string]bool // by joined keys, of all cells that aren't empty
	any    bool            // something that isn't empty is hidden
	// empty says that a cell that isn't among the sizes is shown as such.
	empty func(keys []string) bool
}

// has reports whether a cell is shown.
func (s *shownCells) has(keys []string) bool {
	hidden, filled := s.hidden[joined(keys)]
	return !hidden && (filled || s.empty(keys))
}

// isEmpty reports whether nobody is in a cell.
func (s *shownCells) isEmpty(keys []string) bool {
	_, filled := s.hidden[joined(keys)]
	return !filled
}

// hide decides about the cells of a table. sizes counts the visitors of a table by some of its dimensions;
// all are meant where keep is all true.
func (r *run) hide(dims int, k int64, sizes func(keep []bool) (cells, error)) (*shownCells, error) {
	if dims > dimensionsMax {
		return nil, r.tooSmall(fmt.Sprintf("more than %d dimensions, an interval among them", dimensionsMax))
	}
	all, err := sizes([]bool{true, true}[:dims])
	if err != nil {
		return nil, err
	}
	s := &shownCells{hidden: map[string]bool{}, empty: func([]string) bool { return true }}
	if dims < dimensionsMax {
		for i, hidden := range hideLine(all.sizes, k) {
			if all.sizes[i] > 0 {
				s.hidden[joined(all.keys[i])] = hidden
				s.any = s.any || hidden
			}
		}
		return s, nil
	}
	rows, err := sizes([]bool{true, false})
	if err != nil {
		return nil, err
	}
	cols, err := sizes([]bool{false, true})
	if err != nil {
		return nil, err
	}
	whole, err := sizes([]bool{false, false})
	if err != nil {
		return nil, err
	}
	return s, r.hideGrid(s, k, all, rows, cols, whole)
}

// gridMax bounds the cells of a table of two dimensions, empty ones included.
const gridMax = 400_000

// hideGrid decides about a table of two dimensions.
func (r *run) hideGrid(s *shownCells, k int64, all, rows, cols, whole cells) error {
	if len(rows.keys)*len(cols.keys) > gridMax {
		return &event.Error{Kind: event.ErrLimit, Code: codeTooLarge, Notes: []string{"Makes too many cells to hide small ones: narrow from and to, choose a longer interval, or filter more"}}
	}
	g := newGrid(len(rows.keys), len(cols.keys), k)
	rowAt, colAt := map[string]int{}, map[string]int{}
	for i, hidden := range hideLine(rows.sizes, k) {
		rowAt[joined(rows.keys[i])] = i
		g.size[g.at(i, g.cols)], g.hidden[g.at(i, g.cols)] = rows.sizes[i], hidden
	}
	for j, hidden := range hideLine(cols.sizes, k) {
		colAt[joined(cols.keys[j])] = j
		g.size[g.at(g.rows, j)], g.hidden[g.at(g.rows, j)] = cols.sizes[j], hidden
	}
	corner := g.at(g.rows, g.cols)
	if len(whole.sizes) > 0 {
		g.size[corner] = whole.sizes[0]
	}
	g.hidden[corner] = g.size[corner] < k
	for i, keys := range all.keys {
		g.size[g.at(rowAt[joined(keys[:1])], colAt[joined(keys[1:])])] = all.sizes[i]
	}
	g.close()
	for i, keys := range all.keys {
		hidden := g.hidden[g.at(rowAt[joined(keys[:1])], colAt[joined(keys[1:])])]
		if all.sizes[i] > 0 {
			s.hidden[joined(keys)] = hidden
			s.any = s.any || hidden
		}
	}
	s.empty = func(keys []string) bool {
		row, known := rowAt[joined(keys[:1])]
		col, knownToo := colAt[joined(keys[1:])]
		if known && g.hidden[g.at(row, g.cols)] || knownToo && g.hidden[g.at(g.rows, col)] {
			return false // of a line that is hidden as a whole, not even its name may be seen
		}
		return !known || !knownToo || !g.hidden[g.at(row, col)]
	}
	return nil
}
