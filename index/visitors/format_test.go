package visitors

import (
	"encoding/hex"
	"fmt"
	"math/bits"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"millimetric/index/ids"
)

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFormatDocumentHasTheLimitsOfTheCode(t *testing.T) {
	want := map[string]int{"ordinalBitsMax": ordinalBitsMax, "runVersion": runVersion}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\d+) \\|").FindAllStringSubmatch(document(t), -1) {
		if value, err := strconv.Atoi(row[2]); err != nil || value != want[row[1]] {
			t.Errorf("FORMAT.md says that %s is %s, the code %d", row[1], row[2], want[row[1]])
		}
		delete(want, row[1])
	}
	if len(want) > 0 {
		t.Errorf("FORMAT.md doesn't have %v", want)
	}
	if !strings.Contains(document(t), "| magic | 4 | `"+magic+"` |") {
		t.Errorf("FORMAT.md has another magic than %s", magic)
	}
}

func TestFormatDocumentShowsARealRun(t *testing.T) {
	h := built(t, 1, []Entry{{ids.Hash{Lo: 1 << 8}, 5}, {ids.Hash{Hi: 1 << 63, Lo: 2 << 8}, 3}})
	_, block, _ := strings.Cut(document(t), "```\n")
	block, _, _ = strings.Cut(block, "```")
	lines := strings.Split(strings.TrimSpace(block), "\n")
	if len(lines) != len(h.pieces) {
		t.Fatalf("FORMAT.md shows %d pieces of %d", len(lines), len(h.pieces))
	}
	for id, line := range lines {
		number, shown, _ := strings.Cut(line, " ")
		if got := hex.EncodeToString(h.pieces[ids.PieceID(id)]); number != fmt.Sprint(id) || strings.ReplaceAll(shown, " ", "") != got {
			t.Errorf("FORMAT.md shows %q, piece %d is %s", line, id, got)
		}
	}
}

// The sizes that FORMAT.md speaks of.
func TestSizesAreWhatTheLayoutSays(t *testing.T) {
	for _, n := range []int{100_000, 131_072, 163_840, 163_841} {
		h := built(t, 1, some(1, n, 0))
		r := opened(t, 1, h)
		buckets := 1
		for 4*n > 5*buckets {
			buckets *= 2
		}
		want := float64(120-bits.Len(uint(buckets-1))) + 1 + 1.25*float64(buckets)/float64(n) + float64(bits.Len(uint(n-1)))
		if got := 8 * float64(h.bytes()) / float64(r.Len()); got < want || got > want+0.6 || got > 8*15.7 {
			t.Errorf("%d visitors take %.2f bits each, the layout says %.2f", n, got, want)
		}
	}
}
