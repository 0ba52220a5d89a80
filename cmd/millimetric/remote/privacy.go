package remote

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/record"
)

func privacy() *cobra.Command {
	report := command(&cobra.Command{Use: "report", Short: "Write the record of processing, in Markdown",
		Example: "  millimetric privacy report > record.md\n  millimetric privacy report --json"}, "",
		func([]string) (call, error) { return call{method: "GET", path: "/v1/admin/privacy-report"}, nil },
		func(out io.Writer, answer []byte) error {
			var r record.Record
			if err := json.Unmarshal(answer, &r); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			_, err := out.Write(r.Markdown())
			return err
		})
	return group("privacy", "Say what is collected, why, for how long, and who can get at it", report)
}
