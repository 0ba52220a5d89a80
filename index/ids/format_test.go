package ids

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
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
	want := map[string]int{
		"HashBits": HashBits, "IDBits": IDBits, "remainderBits": remainderBits, "filterBuckets": filterBuckets, "restBuckets": restBuckets,
		"blockBuckets": blockBuckets, "restIDsMax": restIDsMax, "PieceBytesMax": PieceBytesMax,
		"bucketBitsMax": bucketBitsMax, "runVersion": runVersion,
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\d+) \\|").FindAllStringSubmatch(document(t), -1) {
		if value, err := strconv.Atoi(row[2]); err != nil || value != want[row[1]] {
			t.Errorf("FORMAT.md says that %s is %s, the code %d", row[1], row[2], want[row[1]])
		}
		delete(want, row[1])
	}
	if len(want) > 0 {
		t.Errorf("FORMAT.md doesn't have %v", want)
	}
}

func TestFormatDocumentShowsARealRun(t *testing.T) {
	h := &held{}
	if err := Build(1, 5, []Hash{{0, 1 << 32}, {1 << 63, 2 << 32}}, h.emit); err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(document(t), "```\n")
	block, _, _ = strings.Cut(block, "```")
	lines := strings.Split(strings.TrimSpace(block), "\n")
	if len(lines) != len(h.pieces) {
		t.Fatalf("FORMAT.md shows %d pieces of %d", len(lines), len(h.pieces))
	}
	for id, line := range lines {
		number, shown, _ := strings.Cut(line, " ")
		if got := hex.EncodeToString(h.pieces[PieceID(id)]); number != fmt.Sprint(id) || strings.ReplaceAll(shown, " ", "") != got {
			t.Errorf("FORMAT.md shows %q, piece %d is %s", line, id, got)
		}
	}
}

// The sizes that FORMAT.md speaks of, from the layout, and that they hold for a real run.
func TestSizesAreWhatTheLayoutSays(t *testing.T) {
	for _, n := range []int{100_000, 131_072, 163_840, 163_841} {
		h := built(t, 1, some(evenly(1), n))
		s := shapeFor(n, IDBits, 0)
		load := float64(n) / float64(s.buckets())
		bits := float64(IDBits-s.bucketBits) + 1 + 1.25/load
		if got := 8 * float64(h.bytes()) / float64(n); got < bits || got > bits+0.5 || load <= 0.625 || load > 1.25 {
			t.Errorf("%d hashes take %.2f bits each, the layout says %.2f", n, got, bits)
		}
		if got := float64(s.filterBytes(n)) * 8 / float64(n); got < 9 || got > 10.1 {
			t.Errorf("filters of %d hashes take %.2f bits each", n, got)
		}
	}
}
