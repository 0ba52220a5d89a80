package query

import (
	"cmp"
	"slices"
)

// Which cells of a table must be hidden so that nobody learns a small one: a number about at least one
// visitor and fewer than k.
//
// Whoever asks may subtract: the cells of a line (a row or a column) from its total, which another question
// gives. So it isn't enough to hide the small cells:
//
//  1. A line with a small cell hides one of k visitors or more as well, the smallest that there is: what the
//     hidden cells of a line have together is then about k visitors at least.
//  2. The hidden cells of a table of two dimensions are the edges of a graph between its rows and its
//     columns, the totals being one more row and one more column. Each line gives one equation. What they
//     say together is the value of just those cells whose edge is a bridge: where there is another way
//     round, the value can be moved along it. So no small cell may be a bridge; cells around it are
//     hidden until none is.
//
// The argument is about one table and its totals. It says nothing about somebody who asks many questions
// with filters that differ little; neither does any rule that looks at one question at a time.

// hideLine says which cells of a line must be hidden. sizes are the visitors of each; 0 is nobody.
func hideLine(sizes []int64, k int64) []bool {
	hidden := make([]bool, len(sizes))
	for i, n := range sizes {
		hidden[i] = n > 0 && n < k
	}
	closeLine(len(sizes), k, func(i int) int64 { return sizes[i] }, func(i int) bool { return hidden[i] }, func(i int) bool { return true },
		func(i int) { hidden[i] = true })
	return hidden
}

// closeLine hides the smallest cell that is shown, where a line hides small cells only. It reports whether
// it hid any.
func closeLine(n int, k int64, size func(int) int64, hidden, may func(int) bool, hide func(int)) bool {
	small, most, least := false, int64(0), -1
	for i := range n {
		switch {
		case size(i) == 0:
		case hidden(i):
			small = small || size(i) < k
			most = max(most, size(i))
		case may(i) && (least < 0 || size(i) < size(least)):
			least = i
		}
	}
	if !small || most >= k || least < 0 {
		return false
	}
	hide(least)
	return true
}

// grid is a table of two dimensions. Its last row and its last column are the totals, hidden or not as the
// questions for them alone have it.
type grid struct {
	k          int64
	rows, cols int // without the totals
	size       []int64
	hidden     []bool
}

func newGrid(rows, cols int, k int64) *grid {
	n := (rows + 1) * (cols + 1)
	return &grid{k: k, rows: rows, cols: cols, size: make([]int64, n), hidden: make([]bool, n)}
}

func (g *grid) at(row, col int) int { return row*(g.cols+1) + col }

func (g *grid) isTotal(cell int) bool {
	return cell/(g.cols+1) == g.rows || cell%(g.cols+1) == g.cols
}

// close hides what must be hidden. The totals' sizes and whether they are hidden must be set.
func (g *grid) close() {
	for cell, n := range g.size {
		if !g.isTotal(cell) {
			row, col := cell/(g.cols+1), cell%(g.cols+1)
			g.hidden[cell] = n > 0 && (n < g.k || g.hidden[g.at(row, g.cols)] || g.hidden[g.at(g.rows, col)])
		}
	}
	for more := true; more; {
		more = false
		for row := range g.rows {
			more = g.closeOne(g.cols+1, func(i int) int { return g.at(row, i) }) || more
		}
		for col := range g.cols {
			more = g.closeOne(g.rows+1, func(i int) int { return g.at(i, col) }) || more
		}
		if !more {
			more = g.closeBridges()
		}
	}
}

func (g *grid) closeOne(n int, cell func(int) int) bool {
	return closeLine(n, g.k, func(i int) int64 { return g.size[cell(i)] }, func(i int) bool { return g.hidden[cell(i)] },
		func(i int) bool { return !g.isTotal(cell(i)) }, func(i int) { g.hidden[cell(i)] = true })
}

// closeBridges hides more around small cells that are bridges, and reports whether there was anything left
// to hide.
func (g *grid) closeBridges() (more bool) {
	left := false
	for _, cell := range g.bridges() {
		if g.size[cell] >= g.k || g.size[cell] == 0 {
			continue
		}
		left = true
		row, col := cell/(g.cols+1), cell%(g.cols+1)
		more = g.hideLeast(g.cols, func(i int) int { return g.at(row, i) }) || more
		more = g.hideLeast(g.rows, func(i int) int { return g.at(i, col) }) || more
	}
	if !left || more {
		return more
	}
	// All that is next to them is hidden already: first what is further away, then the empty ones.
	return g.hideLeast(g.rows*g.cols, func(i int) int { return g.at(i/g.cols, i%g.cols) }) || g.hideEmpty()
}

// hideEmpty has nobody know which of the cells are empty: then every line leads to every other.
func (g *grid) hideEmpty() (more bool) {
	for cell, n := range g.size {
		if n == 0 && !g.isTotal(cell) && !g.hidden[cell] {
			g.hidden[cell], more = true, true
		}
	}
	return more
}

func (g *grid) hideLeast(n int, cell func(int) int) bool {
	least := -1
	for i := range n {
		c := cell(i)
		if !g.isTotal(c) && !g.hidden[c] && g.size[c] > 0 && (least < 0 || g.size[c] < g.size[least]) {
			least = c
		}
	}
	if least >= 0 {
		g.hidden[least] = true
	}
	return least >= 0
}

// edge is a hidden cell as an edge: it leads to a line, rows first, then columns.
type edge struct{ to, cell int }

// bridges lists the hidden cells whose values follow from the lines: those without another way round.
func (g *grid) bridges() (found []int) {
	next := make([][]edge, g.rows+g.cols+2)
	for cell, is := range g.hidden {
		if is {
			row, col := cell/(g.cols+1), g.rows+1+cell%(g.cols+1)
			next[row], next[col] = append(next[row], edge{col, cell}), append(next[col], edge{row, cell})
		}
	}
	met, low, count := make([]int, len(next)), make([]int, len(next)), 0
	var visit func(line, by int)
	visit = func(line, by int) {
		count++
		met[line], low[line] = count, count
		for _, e := range next[line] {
			switch {
			case e.cell == by:
			case met[e.to] > 0:
				low[line] = min(low[line], met[e.to])
			default:
				visit(e.to, e.cell)
				low[line] = min(low[line], low[e.to])
				if low[e.to] > met[line] {
					found = append(found, e.cell)
				}
			}
		}
	}
	for line := range next {
		if met[line] == 0 {
			visit(line, -1)
		}
	}
	slices.SortFunc(found, func(a, b int) int { return cmp.Or(cmp.Compare(g.size[a], g.size[b]), cmp.Compare(a, b)) })
	return found
}
