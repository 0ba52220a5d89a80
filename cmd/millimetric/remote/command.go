package remote

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/reply"
)

// Commands returns the commands that need a running server.
func Commands() []*cobra.Command {
	return []*cobra.Command{projects(), origins(), settings(), auditLog(), privacy()}
}

// group is a command that only holds others.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("unknown command %q; see millimetric %s --help", args[0], use)
		}
		return cmd.Help()
	}, Args: cobra.ArbitraryArgs}
	cmd.AddCommand(below...)
	return cmd
}

// showFunc prints an answer for a human.
type showFunc func(out io.Writer, answer []byte) error

// call is one request, and how its answer is printed.
type call struct {
	method, path string
	body         any
}

// command makes cmd one that sends the request that make says and prints the answer with show.
func command(cmd *cobra.Command, arguments string, make func(args []string) (call, error), show showFunc) *cobra.Command {
	wanted := strings.Fields(arguments)
	if arguments != "" {
		cmd.Use += " " + arguments
	}
	server := Flags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print the server's answer as it is")
	cmd.Long = cmd.Short + ".\n\nThe server is asked with the account key (ak_…) in " + KeyVariable + "."
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		many := len(wanted) > 0 && strings.HasSuffix(wanted[len(wanted)-1], "...")
		if len(args) < len(wanted) || len(args) > len(wanted) && !many {
			return usage("expected %s; see %s --help", orNothing(arguments), cmd.CommandPath())
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := make(args)
		if err != nil {
			return err
		}
		answer, err := server.Ask(cmd.Context(), c.method, c.path, c.body)
		if err != nil {
			return err
		}
		return Print(cmd.OutOrStdout(), answer, *asJSON, show)
	}
	return cmd
}

func orNothing(arguments string) string {
	if arguments == "" {
		return "no argument"
	}
	return arguments
}

// Print prints an answer as it is, or with show, whose error counts in any case: the exit status must not
// follow from the form.
func Print(out io.Writer, answer []byte, asJSON bool, show showFunc) error {
	if asJSON {
		if _, err := fmt.Fprintf(out, "%s\n", bytes.TrimRight(answer, "\n")); err != nil {
			return err
		}
		out = io.Discard
	}
	return show(out, answer)
}

// showing decodes an answer and prints its rows below a line of names.
func showing[T any](names string, rows func(answer T) [][]string) showFunc {
	return func(out io.Writer, text []byte) error {
		var answer T
		if err := json.Unmarshal(text, &answer); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		return Table(out, names, rows(answer))
	}
}

// Table prints rows below a line of names, which tabs part.
func Table(out io.Writer, names string, rows [][]string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if names != "" {
		fmt.Fprintln(table, names)
	}
	for _, row := range rows {
		for i, cell := range row {
			if row[i] = reply.Printable(cell); row[i] == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// escaped makes text fit to stand in a path.
func escaped(text string) string { return url.PathEscape(text) }

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}
