package ask

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

const (
	cellFair    = 24 // runes that a cell is shortened to for the sake of bars
	cellMin     = 10 // runes that a cell is shortened to at most
	barWidthMin = 10
	barWidthMax = 40
)

// grid is a table of text.
type grid struct {
	head  []string
	body  [][]string
	right []bool // columns of numbers
}

// finish draws the table, with bars in proportion to the measure, if there is one. On a terminal, long texts
// are shortened until a line fits its width, where that can be had, and bars stay away where there is no room.
func (g *grid) finish(measure string, rows [][]member, width int, terminal bool) string {
	if measure != "" && terminal {
		g.fit(width-barWidthMin, cellFair)
	}
	if measure != "" && (!terminal || width-g.width() >= barWidthMin) {
		g.addBars(measure, rows, width)
	} else if terminal && !g.fit(width, cellFair) {
		g.fit(width, cellMin)
	}
	return g.render()
}

// widths are those of the columns, with the space behind them.
func (g *grid) widths() []int {
	widths := make([]int, len(g.head))
	for i, name := range g.head {
		widths[i] = text.StringWidth(name)
		for _, cells := range g.body {
			widths[i] = max(widths[i], text.StringWidth(cells[i]))
		}
		widths[i] += len("  ")
	}
	return widths
}

func (g *grid) width() (total int) {
	for _, w := range g.widths() {
		total += w
	}
	return total
}

// fit shortens the widest texts, again and again, until all columns fit into width, and reports whether they
// do. None is made shorter than least, numbers and moments stay whole, and where all that isn't enough, all
// stays as it is: lines that are broken anyway had better be complete.
func (g *grid) fit(width, least int) bool {
	whole := g.body
	g.body = make([][]string, len(whole))
	for i, cells := range whole {
		g.body[i] = slices.Clone(cells)
	}
	for g.width() > width {
		widest, at := least+len("  "), -1
		for i, w := range g.widths() {
			if !g.right[i] && w > max(widest, text.StringWidth(g.head[i])+len("  ")) && !isMoment(whole[0][i]) {
				widest, at = w, i
			}
		}
		if at < 0 {
			g.body = whole
			return false
		}
		for _, cells := range g.body {
			cells[at] = text.Snip(cells[at], widest-len("  ")-1, "…")
		}
	}
	return true
}

func isMoment(cell string) bool {
	_, err := time.Parse(time.RFC3339, cell)
	return err == nil
}

// addBars adds a column of bars in proportion to the measure; the longest fits into width.
func (g *grid) addBars(measure string, rows [][]member, width int) {
	room := min(max(width-g.width(), barWidthMin), barWidthMax)
	most := 0.0
	for _, row := range rows {
		most = max(most, number(find(row, measure)))
	}
	g.head, g.right = append(g.head, ""), append(g.right, false)
	for i, row := range rows {
		g.body[i] = append(g.body[i], bar(number(find(row, measure)), most, room))
	}
}

// bar draws value in eighths of a block, most being width blocks. What isn't zero is seen.
func bar(value, most float64, width int) string {
	if value <= 0 || most <= 0 {
		return ""
	}
	eighths := max(int(math.Round(value/most*float64(8*width))), 1)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

func (g *grid) render() string {
	w := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	var columns []table.ColumnConfig
	for i, right := range g.right {
		align := text.AlignLeft
		if right {
			align = text.AlignRight
		}
		columns = append(columns, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align})
	}
	w.SetColumnConfigs(columns)
	w.AppendHeader(rowOf(g.head))
	for _, cells := range g.body {
		w.AppendRow(rowOf(cells))
	}
	return w.Render()
}

func rowOf(cells []string) table.Row {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = c
	}
	return row
}
