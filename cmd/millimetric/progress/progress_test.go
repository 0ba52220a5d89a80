package progress

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A log, a pipe and a file get the messages, and no bar.
func TestElsewhereNothingIsShown(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var buffer bytes.Buffer
	for _, bar := range []*Bar{New(&buffer, 100), New(file, 0), Beside(&buffer, file, 7)} {
		bar.Add(50)
		bar.Note("half")
		fmt.Fprintln(bar, "a message")
		bar.Finish(true)
		if bar.Shows() {
			t.Error("it is shown")
		}
	}
	if got := buffer.String(); got != "a message\na message\n" {
		t.Errorf("written: %q", got)
	}
	var none *Bar
	none.Add(1)
	none.Note("nothing")
	none.Finish(false)
}
