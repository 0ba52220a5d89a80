package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/progress"
	"millimetric/engine"
	"millimetric/engine/backup"
	"millimetric/index/event"
)

func restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Make a data folder of a backup, as it was at some time",
		Long: "Make a data folder of a backup, as it was at some time.\n\n" +
			"Events are those up to the position. Accounts, projects, keys and the audit log are the newest in\n" +
			"any case, and so is who was erased: nobody comes back. The root key is the one of the backup; it\n" +
			"isn't in it. The folder must not be there yet, or be empty; it appears once all is whole.\n" +
			"The server that is started on it begins a new timeline in the backup; the old one stays until it is old.",
		Example: "  millimetric restore --backup-to /mnt/backup --data ./data --root-key-file root.key --to 2026-03-01T12:00:00Z",
		Args:    refuseArgs,
	}
	read := bindSettings(cmd, append([]setting{settingFolder, settingRootKey, settingMemory}, targetSettings...))
	to := cmd.Flags().String("to", "newest", "a time such as 2026-03-01T12:00:00Z, the number of a group as backup list has it, or newest")
	timeline := cmd.Flags().String("timeline", "", "timeline as backup list has it (default: the newest that reaches back so far)")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		point, err := backup.ParsePoint(*to)
		if err != nil {
			return usageError{err}
		}
		point.Timeline = *timeline
		done, err := restore(cmd, read(), point)
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(done)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "Restored %s up to group %d, committed at %s, from base %s.\n",
			read().one("data"), done.Group, timeText(done.At), done.Base)
		return err
	}
	return cmd
}

// settingMemory is the memory that a restore may need.
var settingMemory = setting{flag: "memory", help: "memory that the store may need, such as 2GiB (default: a quarter of what the machine, or the container, has)"}

// restoringSuffix marks a folder that isn't whole yet.
const restoringSuffix = ".restoring"

func restore(cmd *cobra.Command, values settings, to backup.Point) (done backup.Restored, err error) {
	ctx := cmd.Context()
	dir := filepath.Clean(values.one("data"))
	if err := refuseFull(dir); err != nil {
		return done, err
	}
	a, root, err := openArchive(ctx, values)
	if err != nil {
		return done, err
	}
	opt, _, err := storeOptions(values)
	if err != nil {
		return done, err
	}
	size, err := a.Size(to)
	if err != nil {
		return done, err
	}
	bar := progress.New(cmd.ErrOrStderr(), size)
	a.Read = bar.Add
	defer func() { bar.Finish(err == nil) }()
	unfinished := dir + restoringSuffix
	if err := os.RemoveAll(unfinished); err != nil {
		return done, err
	}
	if done, err = restoreInto(ctx, a, to, unfinished, root, opt); err != nil {
		return done, errors.Join(err, os.RemoveAll(unfinished))
	}
	if err := noteRestore(ctx, cmd, unfinished, root, done); err != nil {
		return done, errors.Join(err, os.RemoveAll(unfinished))
	}
	_ = os.Remove(dir) // it is empty, or not there
	if err := os.Rename(unfinished, dir); err != nil {
		return done, err
	}
	return done, syncFolder(filepath.Dir(dir))
}

// refuseFull refuses to restore over what is there.
func refuseFull(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return usageError{fmt.Errorf("%w: %s is not empty: a backup is restored into a folder of its own", event.ErrInput, dir)}
	}
	return nil
}

// noteRestore opens what was restored, which applies the ledger of who was erased, and has the audit log say it.
func noteRestore(ctx context.Context, cmd *cobra.Command, dir string, root [32]byte, done backup.Restored) (err error) {
	f, err := openFolder(folderOptions{Dir: dir, RootKey: &root, Log: quietLog(cmd.ErrOrStderr()), Now: time.Now,
		Engine: engine.Options{FreeBytesMin: -1, FreePercentMin: -1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	detail, err := json.Marshal(done)
	if err != nil {
		return err
	}
	return f.note(ctx, audit.Entry{Action: "backup.restore", Target: done.Base, Detail: detail})
}

// openArchive opens the backup that the settings name, with the root key alone.
func openArchive(ctx context.Context, values settings) (a *backup.Archive, root [32]byte, err error) {
	target, err := backupTarget(values)
	if err == nil && target == nil {
		err = usageError{errors.New("--backup-to is missing: it names the folder or bucket of the backup")}
	}
	if err != nil {
		return nil, root, err
	}
	if root, err = knownRootKey(values); err != nil {
		return nil, root, err
	}
	key, err := backup.FindKey(ctx, target, root)
	if err == nil {
		a, err = backup.Open(ctx, target, key)
	}
	return a, root, err
}

// knownRootKey finds the root key, and makes none.
func knownRootKey(values settings) (key [32]byte, err error) {
	if text := os.Getenv(rootKeyVariable); text != "" {
		if key, err = parseRootKey(text); err != nil {
			return key, fmt.Errorf("%s: %w", rootKeyVariable, err)
		}
		return key, nil
	}
	file := values.one("root-key-file")
	if file == "" {
		file = filepath.Join(values.one("data"), rootKeyName)
	}
	return readRootKey(file)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
