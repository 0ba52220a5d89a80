package ask

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/text"
)

// TestATableFitsTheTerminal shortens texts, never numbers, and leaves bars away where there is no room.
func TestATableFitsTheTerminal(t *testing.T) {
	long := strings.Repeat("日本", 30)
	rows := [][]member{{{"count", jsontext.Value("120")}}, {{"count", jsontext.Value("60")}}}
	for _, c := range []struct {
		width int
		bars  bool
		fits  bool
	}{{200, true, true}, {80, true, true}, {60, false, true}, {20, false, false}} {
		g := &grid{
			head: []string{"path", "source", "count"}, right: []bool{false, false, true},
			body: [][]string{{long, strings.Repeat("x", 40), "120"}, {"/", "direct", "60"}},
		}
		out := g.finish("count", rows, c.width, true)
		widest := 0
		for line := range strings.SplitSeq(out, "\n") {
			widest = max(widest, text.StringWidth(line))
		}
		if (widest <= c.width) != c.fits || strings.Contains(out, "█") != c.bars || !strings.Contains(out, "120") || !strings.Contains(out, "direct") {
			t.Errorf("in %d columns it takes %d:\n%s", c.width, widest, out)
		}
	}
}
