package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// WriteSection puts a text between the marks of that name in a markdown file. What is there is replaced,
// and the rest of the file, which is people's, stays. A file without the marks gets them at its end,
// under the title; a file that is missing is made.
func WriteSection(file, name, title, text string) error {
	old, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("write report: %w", err)
	}
	begin, end := fmt.Sprintf("<!-- %s: begin -->\n", name), fmt.Sprintf("<!-- %s: end -->\n", name)
	all := string(old)
	if all == "" {
		all = "# Results\n"
	}
	if !strings.Contains(all, begin) {
		all = strings.TrimRight(all, "\n") + "\n\n## " + title + "\n\n" + begin + end
	}
	before, rest, _ := strings.Cut(all, begin)
	_, after, ended := strings.Cut(rest, end)
	if !ended {
		return fmt.Errorf("write report: %s has %q without its end", file, strings.TrimSpace(begin))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.WriteFile(file, []byte(before+begin+text+end+after), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
