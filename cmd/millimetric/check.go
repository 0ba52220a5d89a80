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

// checkCommand verifies a data folder. It needs the root key, as it decrypts all there is. It changes
// nothing in the store, and in the keyring only what any opening does: salts of ended days go.
func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the whole store and verify it, while the server is stopped",
		Args:  refuseArgs,
	}
	read := bindSettings(cmd, []setting{settingFolder, settingRootKey})
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		opt := offlineOptions(cmd, read())
		ring, _, lock, err := lockedRing(opt)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
		report, err := engine.Check(filepath.Join(opt.Dir, storeName), engine.Options{Now: time.Now, CipherKey: ring.KnownCipherKey})
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
