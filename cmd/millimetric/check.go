package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/remote"
	"millimetric/cmd/millimetric/reply"
	"millimetric/engine"
)

// checkCommand verifies a store, by itself or beside requests. It needs the root key, as it decrypts all
// there is. It changes nothing in the store, and in the keyring only what any opening does: salts of
// ended days go.
func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Read the whole store, decrypt it and verify it",
		Example: "  millimetric check --data ./data",
		Args:    refuseArgs,
	}
	return either(cmd, printChecked, checkFolder, func(cmd *cobra.Command, s remote.Server, _ []string) (any, error) {
		return remote.Check(cmd.Context(), s)
	})
}

// checkFolder reads the store without opening it, which could mend what is to be found. The audit log,
// which can only be read in an open one, is left out.
func checkFolder(cmd *cobra.Command, values settings, _ []string) (_ any, err error) {
	opt := offlineOptions(cmd, values)
	ring, _, lock, err := lockedRing(opt)
	if err != nil {
		return nil, orAsk(err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	report, err := engine.Check(filepath.Join(opt.Dir, storeName), engine.Options{Now: time.Now, CipherKey: ring.KnownCipherKey})
	return admin.CheckedOf(report, audit.Verdict{}), err
}

var errDamaged = errors.New("the store is damaged")

func printChecked(out io.Writer, result any) error {
	c := result.(admin.Checked)
	log := ""
	if c.Audit > 0 {
		log = fmt.Sprintf(", %d entries of the audit log", c.Audit)
	}
	_, err := fmt.Fprintf(out, "%d events of %d projects: %d segments, %d runs, %d groups, %d records%s; %d problems\n",
		c.Events, c.Projects, c.Segments, c.Runs, c.Groups, c.Records, log, len(c.Problems))
	for _, problem := range c.Problems {
		fmt.Fprintln(out, reply.Printable(problem))
	}
	if err == nil && !c.OK {
		err = errDamaged
	}
	return err
}
