// Command millimetric is one self-hosted analytics server, and the command line around it.
//
// This package is the front desk: it reads settings, opens the data folder, joins ingestion, engine
// and questions, and speaks HTTP. It knows what is allowed to whom, and neither what events mean
// nor how they are kept. Only serve starts goroutines: the HTTP server's, one that paces the garbage
// collector, those of the backup, one that ends salts, drops what the audit log no longer keeps
// and notes the use of keys, every minute, and two that keep the certificate new. On disk it makes the data
// folder, its lock, files with root keys, where none was given or a new one is asked for, and what a
// certificate authority gave; all else in the folder belongs to the engine and the keyring.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // zones must be known where the system has none, as in an empty container

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/archive"
	"millimetric/cmd/millimetric/ask"
	"millimetric/cmd/millimetric/benchcmd"
	"millimetric/cmd/millimetric/importer"
	"millimetric/cmd/millimetric/mcp"
	"millimetric/cmd/millimetric/redact"
	"millimetric/cmd/millimetric/remote"
	"millimetric/cmd/millimetric/transfer"
)

// The statuses with which the process exits.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	// Under this variable the table of addresses drops IPv6, and countries would be missing.
	_ = os.Unsetenv("IPLOC_IPV4ONLY")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once, should the orderly end hang.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(root.ErrOrStderr(), "millimetric: "+sentence(err))
	return exitStatus(err)
}

// rootCommand holds all subcommands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "millimetric",
		Short:         "Self-hosted web and product analytics: events in over HTTP, exact answers out",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       thisBuild().String(),
		Args:          refuseArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(badFlag)
	root.AddCommand(serveCommand(), initCommand(), keysCommand(), checkCommand(), inspectCommand(), compactCommand(),
		footprintCommand(), rootkeyCommand(), configCommand(), healthCommand(), versionCommand(), forgetCommand(), receiptCommand(),
		backupCommand(), restoreCommand())
	root.AddCommand(remote.Commands()...)
	root.AddCommand(importer.Commands()...)
	root.AddCommand(redact.Command())
	root.AddCommand(transfer.Commands()...)
	root.AddCommand(archive.Command())
	root.AddCommand(ask.Commands()...)
	root.AddCommand(mcp.Command())
	root.AddCommand(benchcmd.Commands()...)
	return root
}

// usageError marks a command line that can't be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func refuseArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("unknown command or argument %q for %q; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())}
}

// exitStatus lets a command choose its status by an error with an ExitCode method; the importer
// has one more status than the others.
func exitStatus(err error) int {
	var chosen interface{ ExitCode() int }
	if errors.As(err, &chosen) {
		return chosen.ExitCode()
	}
	var usage usageError
	if errors.As(err, &usage) || isCobraUsage(err) {
		return exitUsage
	}
	return exitFailed
}

// isCobraUsage recognises what cobra itself finds wrong with a command line: it has no types for it.
func isCobraUsage(err error) bool {
	for _, start := range []string{"unknown command", "required flag(s)", "accepts ", "requires at least", "invalid argument", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}
