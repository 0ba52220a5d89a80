package ask

import (
	"fmt"
	"io"
	"os"

	"millimetric/cmd/millimetric/reply"
)

// The media types of answers.
const (
	mediaJSON = "application/json"
	mediaCSV  = "text/csv"
	mediaSVG  = "image/svg+xml"
)

// answer is what the server sent.
type answer struct {
	body []byte
	next string // the cursor with which a cut table or picture goes on, "" where there is none
}

// save writes a table or a picture to where it belongs. How to go on is said on errs, so that out has
// nothing but the answer.
func (a *answer) save(out, errs io.Writer, as look) error {
	if as.csv || as.svg == "-" {
		if _, err := out.Write(a.body); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
	} else if err := os.WriteFile(as.svg, a.body, 0o644); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	if a.next != "" {
		_, err := fmt.Fprintf(errs, "next: %s\n", reply.Printable(a.next))
		return err
	}
	return nil
}
