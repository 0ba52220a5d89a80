package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/remote"
)

const eitherHelp = "With an account key (ak_…) in MILLIMETRIC_KEY, the running server is asked. Without one, and with\n" +
	"--data, the data folder itself is opened, for which the server must be stopped."

type (
	offlineWork func(cmd *cobra.Command, values settings, args []string) (any, error)
	remoteWork  func(cmd *cobra.Command, server remote.Server, args []string) (any, error)
	printResult func(out io.Writer, result any) error
)

// either makes cmd one that does its work in a data folder or has a running server do it, and prints what
// comes of it, which is of one shape either way. A folder that is named goes before a server.
func either(cmd *cobra.Command, show printResult, offline offlineWork, onServer remoteWork) *cobra.Command {
	read := bindSettings(cmd, []setting{settingFolder, settingRootKey})
	server := remote.Flags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.Long = cmd.Short + ".\n\n" + eitherHelp
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		var result any
		if asksServer(cmd) {
			result, err = onServer(cmd, server, args)
		} else {
			result, err = offline(cmd, read(), args)
		}
		if err != nil {
			return err
		}
		return give(cmd.OutOrStdout(), *asJSON, result, show)
	}
	return cmd
}

func asksServer(cmd *cobra.Command) bool {
	return remote.HasKey() && !cmd.Flags().Changed("data") && !cmd.Flags().Changed("root-key-file")
}

// inFolder opens the data folder for a command's work.
func inFolder(work func(*cobra.Command, *folder, []string) (any, error)) offlineWork {
	return func(cmd *cobra.Command, values settings, args []string) (result any, err error) {
		f, err := openOffline(cmd, values, false)
		if err != nil {
			return nil, orAsk(err)
		}
		defer func() { err = errors.Join(err, f.close()) }()
		return work(cmd, f, args)
	}
}

// orAsk says what else can be done where a folder is in use.
func orAsk(err error) error {
	if errors.Is(err, errInUse) {
		return fmt.Errorf("%w, or ask it: set %s to an account key (ak_…) and leave out --data", err, remote.KeyVariable)
	}
	return err
}

// give writes a result, as JSON or for a reader.
func give(out io.Writer, asJSON bool, result any, show printResult) error {
	if !asJSON {
		return show(out, result)
	}
	if err := json.NewEncoder(out).Encode(result); err != nil {
		return err
	}
	return show(io.Discard, result) // whose error, such as of a check that failed, counts in any case
}
