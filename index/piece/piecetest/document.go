package piecetest

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"millimetric/index/piece"
)

// Document compares the FORMAT.md beside a test with the code: the table of limits with the limits, its
// magic with the kind's, and its first block of code, which shows a run piece by piece, with the pieces
// of that run.
func Document(t *testing.T, kind piece.Kind, limits map[string]int, shown *Held) {
	t.Helper()
	source, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	said := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\d+) \\|").FindAllStringSubmatch(text, -1) {
		said[row[1]] = row[2]
	}
	for name, value := range limits {
		if said[name] != strconv.Itoa(value) {
			t.Errorf("FORMAT.md says that %s is %s, the code %d", name, said[name], value)
		}
		delete(said, name)
	}
	for name := range said {
		t.Errorf("FORMAT.md has the limit %s, which isn't one", name)
	}
	for field, value := range map[string]string{"| magic | 4 |": "`" + kind.Magic + "`", "| version | 1 |": fmt.Sprint(kind.Version)} {
		if !strings.Contains(text, fmt.Sprintf("%s %s |", field, value)) {
			t.Errorf("FORMAT.md doesn't say %s %s", field, value)
		}
	}
	_, block, _ := strings.Cut(text, "```\n")
	block, _, _ = strings.Cut(block, "```")
	lines := strings.Split(strings.TrimSpace(block), "\n")
	if len(lines) != len(shown.Pieces) {
		t.Fatalf("FORMAT.md shows %d pieces of %d", len(lines), len(shown.Pieces))
	}
	for id, line := range lines {
		number, digits, _ := strings.Cut(line, " ")
		if got := hex.EncodeToString(shown.Pieces[piece.ID(id)]); number != fmt.Sprint(id) || strings.ReplaceAll(digits, " ", "") != got {
			t.Errorf("FORMAT.md shows %q, piece %d is %s", line, id, got)
		}
	}
}
