package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"millimetric/engine"
)

// checkCommand verifies a data folder. It writes nothing, so it needs no root key either.
func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the whole store and verify it, while the server is stopped",
		Args:  refuseArgs,
	}
	read := bindSettings(cmd, []setting{settingData})
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir := read().one("data")
		report, err := engine.Check(filepath.Join(dir, storeName), engine.Options{Now: time.Now})
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		if *asJSON {
			err = json.NewEncoder(out).Encode(report)
		} else {
			_, err = fmt.Fprintf(out, "%d groups, %d events of %d projects, %d records: %d problems\n",
				report.Groups, report.Events, report.Projects, report.Records, len(report.Problems))
			for _, problem := range report.Problems {
				fmt.Fprintln(cmd.ErrOrStderr(), problem)
			}
		}
		if err == nil && len(report.Problems) > 0 {
			err = errors.New("the store is damaged")
		}
		return err
	}
	return cmd
}
