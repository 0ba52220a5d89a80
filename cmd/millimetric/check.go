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

// checked is a report as --json prints it.
type checked struct {
	Groups   uint64   `json:"groups"`
	Events   uint64   `json:"events"`
	Projects int      `json:"projects"`
	Records  uint64   `json:"records"`
	Bytes    uint64   `json:"bytes"`
	Problems []string `json:"problems"`
}

// checkCommand verifies a data folder. It writes nothing, so it needs no root key either.
func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the whole store and verify it, while the server is stopped",
		Args:  refuseArgs,
	}
	read := bindSettings(cmd, []setting{settingFolder})
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		report, err := checkFolder(read().one("data"))
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		if *asJSON {
			err = json.NewEncoder(out).Encode(checked{
				Groups: report.Groups, Events: report.Events, Projects: report.Projects, Records: report.Records,
				Bytes: report.Bytes, Problems: append([]string{}, report.Problems...),
			})
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

// checkFolder verifies the store of a data folder that no server has open.
func checkFolder(dir string) (report engine.Report, err error) {
	store := filepath.Join(dir, storeName)
	if !exists(store) {
		return report, noFolder(dir)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return engine.Check(store, engine.Options{Now: time.Now})
}
