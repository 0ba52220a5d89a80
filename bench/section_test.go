package bench

import (
	"os"
	"path/filepath"
	"testing"
)

func TestASectionReplacesItselfAndNothingElse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "RESULTS.md")
	for _, step := range []struct{ name, title, text string }{{"a", "First", "old\n"}, {"b", "Second", "two\n"}, {"a", "First", "new\n"}} {
		if err := WriteSection(file, step.name, step.title, step.text); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	want := "# Results\n\n## First\n\n<!-- a: begin -->\nnew\n<!-- a: end -->\n\n## Second\n\n<!-- b: begin -->\ntwo\n<!-- b: end -->\n"
	if err != nil || string(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	if err := os.WriteFile(file, []byte("<!-- a: begin -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if WriteSection(file, "a", "First", "x\n") == nil {
		t.Error("a section without an end was replaced")
	}
}
