package remote

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/admin"
)

func reclassifyProject() *cobra.Command {
	cmd := &cobra.Command{Use: "reclassify", Short: "Tell the sources of all events anew, by today's rules and internal hosts",
		Example: "  millimetric projects reclassify shop --dry-run\n  millimetric projects reclassify shop"}
	dry := cmd.Flags().Bool("dry-run", false, "only say what would change")
	return command(cmd, "PROJECT", func(args []string) (call, error) {
		return call{"POST", projectsPath + "/" + escaped(args[0]) + "/reclassify", map[string]any{"dry_run": *dry}}, nil
	}, func(out io.Writer, answer []byte) error {
		var r admin.Reclassified
		if err := json.Unmarshal(answer, &r); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		word := "were told anew"
		if r.DryRun {
			word = "would be told anew"
		}
		if _, err := fmt.Fprintf(out, "%d of %d events %s by rules of version %d.\n", r.Changed, r.Events, word, r.RulesVersion); err != nil || len(r.Changes) == 0 {
			return err
		}
		rows := [][]string{}
		for _, c := range r.Changes {
			rows = append(rows, []string{strconv.Itoa(c.Events), c.From.Source + " / " + c.From.Medium, c.To.Source + " / " + c.To.Medium})
		}
		return Table(out, "EVENTS\tFROM\tTO", rows)
	})
}
