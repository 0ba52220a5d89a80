// Package benchcmd is the bench command: it starts this same program as a server, and as an empty
// handler to compare with, has the bench package drive both, and prints what came out.
//
// It measures nothing itself and starts no goroutines. On disk it makes a data folder for each round,
// which it removes, and writes the report where --write says.
package benchcmd

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"millimetric/bench"
)

// Commands returns the bench command.
func Commands() []*cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how many events per second this machine takes",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(loadCommand(), emptyCommand())
	return []*cobra.Command{cmd}
}

func loadCommand() *cobra.Command {
	var config bench.Config
	var dir, file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Send events to a server of its own, singly and in batches, as fast as it takes them",
		Long: `Send events to a server of its own, singly and in batches, as fast as it takes them.

Each round starts a fresh server on an empty folder, sends for --duration, and checks that the
server counts what it acknowledged. In turn with it a handler that only reads the body is driven
the same way: it shows what the client and the machine allow at most. Client and server share the
machine's cores.`,
		Example: "  millimetric bench load\n  millimetric bench load --duration 20s --rounds 5 --dir /var/lib --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			machine, err := bench.MachineOf(dir)
			if err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			start := launcher{program: program, dir: dir}
			config.Server, config.Empty = start.server, start.empty
			config.Progress = func(next string) { fmt.Fprintln(cmd.ErrOrStderr(), next) }
			results, err := bench.Load(cmd.Context(), config)
			if err != nil {
				return err
			}
			report := bench.Report{
				Taken: time.Now().UTC().Format(time.DateOnly), Machine: machine,
				Seconds: config.Duration.Seconds(), Results: results,
			}
			if file != "" {
				if err := report.Write(file); err != nil {
					return err
				}
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), report.Markdown())
			return err
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&config.Duration, "duration", 5*time.Second, "length of a round")
	flags.IntVar(&config.Rounds, "rounds", 3, "rounds per kind of load")
	flags.StringVar(&dir, "dir", os.TempDir(), "folder in which data folders are made; it should lie on a real disk")
	flags.StringVar(&file, "write", "", "also write the report between the marks of this markdown file")
	flags.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// emptyCommand is the child that serves the empty handler.
func emptyCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "empty",
		Short: "Serve a handler that reads the body of each request and does nothing else",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "listening on http://%s\n", listener.Addr())
			return bench.ServeEmpty(cmd.Context(), listener)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on; port 0 picks a free one")
	return cmd
}
