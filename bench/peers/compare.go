package peers

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// number is the value of a cell; 0 where it is none.
func number(cell any) float64 {
	n, _ := asNumber(cell)
	return n
}

func asNumber(cell any) (float64, bool) {
	switch v := cell.(type) {
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	case float64:
		return v, true
	case int:
		return float64(v), true
	case string:
		// Both databases write great integers and decimals as texts.
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil && v != "" && strings.Trim(v, "0123456789.-+e") == ""
	}
	return 0, false
}

// text is a cell as it is compared: missing values are empty, and whole numbers have no point.
func text(cell any) string {
	if n, ok := asNumber(cell); ok && n == math.Trunc(n) && math.Abs(n) < 1<<53 {
		return strconv.FormatInt(int64(n), 10)
	}
	switch v := cell.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	}
	return fmt.Sprint(cell)
}

// tolerance is how far sums of fractions may lie from each other: answers are rounded to six
// decimals, and the databases add up in floating point.
const tolerance = 2e-6

// Same holds two tables against each other, rows in any order, and says how they differ; "" if they
// don't.
func Same(ours, theirs [][]any) string {
	a, b := sortRows(ours), sortRows(theirs)
	for i := range min(len(a), len(b)) {
		if len(a[i]) != len(b[i]) {
			return fmt.Sprintf("%d columns against %d", len(a[i]), len(b[i]))
		}
		for k := range a[i] {
			if !sameCell(a[i][k], b[i][k]) {
				return fmt.Sprintf("row %d of %d: %v against %v", i, len(a), a[i], b[i])
			}
		}
	}
	if len(a) != len(b) {
		return fmt.Sprintf("%d rows against %d", len(a), len(b))
	}
	return ""
}

func sameCell(a, b any) bool {
	x, isX := asNumber(a)
	y, isY := asNumber(b)
	if isX && isY {
		return math.Abs(x-y) <= tolerance*max(1, math.Abs(x))
	}
	return text(a) == text(b)
}

// sortRows orders rows by their texts, then by their whole numbers: fractions, which may differ a
// little, must not decide.
func sortRows(rows [][]any) [][]any {
	type keyed struct {
		key string
		row []any
	}
	all := make([]keyed, len(rows))
	for i, row := range rows {
		var key strings.Builder
		for _, cell := range row {
			if n, ok := asNumber(cell); ok {
				if n == math.Trunc(n) {
					fmt.Fprintf(&key, "%020.0f\x00", n)
				}
				continue
			}
			key.WriteString(text(cell) + "\x00")
		}
		all[i] = keyed{key.String(), row}
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	sorted := make([][]any, len(rows))
	for i := range all {
		sorted[i] = all[i].row
	}
	return sorted
}
