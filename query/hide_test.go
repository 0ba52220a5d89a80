package query

import (
	"math/rand/v2"
	"testing"
)

// randomTable is the sizes of a table with many small cells and many empty ones.
func randomTable(random *rand.Rand) [][]int64 {
	rows, cols := 1+random.IntN(6), 1+random.IntN(6)
	table := make([][]int64, rows)
	for i := range table {
		table[i] = make([]int64, cols)
		for j := range table[i] {
			switch random.IntN(4) {
			case 0:
			case 1:
				table[i][j] = int64(1 + random.IntN(4))
			default:
				table[i][j] = int64(1 + random.IntN(30))
			}
		}
	}
	return table
}

// suppressed hides of a table, and of its totals, what a key with k doesn't see.
func suppressed(table [][]int64, k int64) *grid {
	g := newGrid(len(table), len(table[0]), k)
	rows, cols, all := make([]int64, g.rows), make([]int64, g.cols), int64(0)
	for i := range table {
		for j, n := range table[i] {
			g.size[g.at(i, j)] = n
			rows[i], cols[j], all = rows[i]+n, cols[j]+n, all+n
		}
	}
	for i, hidden := range hideLine(rows, k) {
		g.size[g.at(i, g.cols)], g.hidden[g.at(i, g.cols)] = rows[i], hidden
	}
	for j, hidden := range hideLine(cols, k) {
		g.size[g.at(g.rows, j)], g.hidden[g.at(g.rows, j)] = cols[j], hidden
	}
	corner := g.at(g.rows, g.cols)
	g.size[corner], g.hidden[corner] = all, all < k
	g.close()
	return g
}

// attacker knows what is shown, zeros included, and that each line adds up to its total. It
// learns what all equations together say, by elimination.
type attacker struct {
	unknown map[int]int // place among the unknown, by cell
	rows    [][]float64
}

func newAttacker(g *grid) *attacker {
	a := &attacker{unknown: map[int]int{}}
	for cell, hidden := range g.hidden {
		if hidden {
			a.unknown[cell] = len(a.unknown)
		}
	}
	line := func(n, total int, cell func(int) int) {
		row := make([]float64, len(a.unknown))
		for i := range n {
			if at, ok := a.unknown[cell(i)]; ok {
				row[at] = 1
				if i == total {
					row[at] = -1
				}
			}
		}
		a.rows = append(a.rows, row)
	}
	for i := range g.rows + 1 {
		line(g.cols+1, g.cols, func(j int) int { return g.at(i, j) })
	}
	for j := range g.cols + 1 {
		line(g.rows+1, g.rows, func(i int) int { return g.at(i, j) })
	}
	a.eliminate()
	return a
}

// eliminate brings the equations into the form in which each leading unknown stands in one only.
func (a *attacker) eliminate() {
	lead := 0
	for col := range len(a.unknown) {
		pivot := -1
		for i := lead; i < len(a.rows); i++ {
			if a.rows[i][col] != 0 {
				pivot = i
				break
			}
		}
		if pivot < 0 {
			continue
		}
		a.rows[lead], a.rows[pivot] = a.rows[pivot], a.rows[lead]
		for i := range a.rows {
			if i == lead || a.rows[i][col] == 0 {
				continue
			}
			factor := a.rows[i][col] / a.rows[lead][col]
			for j := range a.rows[i] {
				a.rows[i][j] -= factor * a.rows[lead][j]
			}
		}
		lead++
	}
}

// learns reports whether the equations give the value of a cell: one of them speaks of it alone.
func (a *attacker) learns(cell int) bool {
	at, hidden := a.unknown[cell]
	if !hidden {
		return true
	}
	for _, row := range a.rows {
		others := 0
		for _, factor := range row {
			if factor != 0 {
				others++
			}
		}
		if others == 1 && row[at] != 0 {
			return true
		}
	}
	return false
}

// TestNobodyLearnsASmallCellBySubtracting holds random tables against an attacker who asks for all totals
// and solves all equations.
func TestNobodyLearnsASmallCellBySubtracting(t *testing.T) {
	const tables, seed, k = 20_000, 20260505, 5
	random := rand.New(rand.NewPCG(seed, 1))
	small, shown, cells, learnt, plain := 0, 0, 0, 0, 0
	for range tables {
		table := randomTable(random)
		g := suppressed(table, k)
		a, without := newAttacker(g), newAttacker(primaryOnly(g))
		for cell, n := range g.size {
			if n == 0 {
				continue
			}
			if cells++; !g.hidden[cell] {
				shown++
			}
			if n >= k {
				continue
			}
			if small++; a.learns(cell) {
				if learnt++; learnt <= 5 {
					t.Errorf("a cell of %d is learnt: %v", n, table)
				}
			}
			if without.learns(cell) {
				plain++
			}
		}
	}
	t.Logf("seed=%d tables=%d cells=%d shown=%d small=%d learnt=%d; were only small cells hidden: %d", seed, tables, cells, shown, small, learnt, plain)
	if plain == 0 || shown == 0 {
		t.Error("the attacker can't learn anything, or nothing is shown: the test shows nothing")
	}
}

// primaryOnly is a table that hides small cells and no others.
func primaryOnly(g *grid) *grid {
	p := newGrid(g.rows, g.cols, g.k)
	copy(p.size, g.size)
	for cell, n := range p.size {
		p.hidden[cell] = n > 0 && n < g.k
	}
	return p
}

func TestALineNeverHidesSmallCellsAlone(t *testing.T) {
	for _, c := range []struct {
		sizes []int64
		want  string
	}{
		{[]int64{10, 20, 3}, "x.x"}, {[]int64{10, 20, 0}, "..."}, {[]int64{3, 2}, "xx"}, {[]int64{3, 2, 9, 8}, "xx.x"}, {nil, ""}, {[]int64{5}, "."}, {[]int64{4}, "x"},
	} {
		got := ""
		for _, hidden := range hideLine(c.sizes, 5) {
			got += map[bool]string{true: "x", false: "."}[hidden]
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.sizes, got, c.want)
		}
	}
}
