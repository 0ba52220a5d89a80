package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/progress"
	"millimetric/cmd/millimetric/remote"
	"millimetric/cmd/millimetric/reply"
	"millimetric/engine/backup"
)

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Make, list and check backups, and try a restore",
		Args:  refuseArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(backupNow(), backupList(), backupCheck(), backupVerify(), backupDrill())
	return cmd
}

const backupHelp = "With an account key (ak_…) in MILLIMETRIC_KEY and without --backup-to, the running server is asked. Else the\n" +
	"target is read as it is, for which the root key is needed and no server."

const backupFolderHelp = "With an account key (ak_…) in MILLIMETRIC_KEY and without --backup-to, the running server is asked. Else the\n" +
	"data folder itself is opened, for which the server must be stopped."

// backupWork makes cmd one that asks a server, or does its work itself.
func backupWork(cmd *cobra.Command, help string, show printResult, here, onServer func(cmd *cobra.Command, values settings, s remote.Server, args []string) (any, error)) *cobra.Command {
	read := bindSettings(cmd, append([]setting{settingFolder, settingRootKey}, targetSettings...))
	server := remote.Flags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.Long = cmd.Short + ".\n\n" + help
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		values, work := read(), here
		if asksServer(cmd) && !cmd.Flags().Changed("backup-to") && onServer != nil {
			work = onServer
		}
		result, err := work(cmd, values, server, args)
		if err != nil {
			return err
		}
		return give(cmd.OutOrStdout(), *asJSON, result, show)
	}
	return cmd
}

// withBackups opens the data folder and the backup of it.
func withBackups(work func(cmd *cobra.Command, b *backups) (any, error)) func(*cobra.Command, settings, remote.Server, []string) (any, error) {
	return func(cmd *cobra.Command, values settings, _ remote.Server, _ []string) (result any, err error) {
		opt := offlineOptions(cmd, values)
		values["backup-keep-days"], values["backup-drill-days"] = []string{settingBackupKeep.value}, []string{"0"}
		b, err := newBackups(values, &opt.Engine)
		if err == nil && b == nil {
			err = usageError{errors.New("--backup-to is missing: it names the folder or bucket of the backup")}
		}
		if err == nil && !exists(values.one("data")) {
			err = noFolder(values.one("data"))
		}
		if err != nil {
			return nil, err
		}
		f, err := openFolder(opt)
		if err != nil {
			return nil, orAsk(err)
		}
		defer func() { err = errors.Join(err, f.close()) }()
		if err := b.attach(f, nil, opt.Log); err != nil {
			return nil, err
		}
		return work(cmd, b)
	}
}

func backupNow() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "now",
		Short:   "Make a base of the backup now",
		Example: "  millimetric backup now --backup-to /mnt/backup",
		Args:    refuseArgs,
	}
	show := func(out io.Writer, result any) error {
		made := result.(backup.Listed)
		_, err := fmt.Fprintf(out, "Made base %s, up to group %d, of %s.\n", made.ID, made.Group, bytesText(uint64(made.Bytes)))
		return err
	}
	here := withBackups(func(cmd *cobra.Command, b *backups) (any, error) {
		made, err := b.Make(cmd.Context())
		if err != nil {
			return nil, err
		}
		return made, b.folder.note(cmd.Context(), audit.Entry{Action: "backups.make", Target: made.ID})
	})
	return backupWork(cmd, backupFolderHelp, show, here, func(cmd *cobra.Command, _ settings, s remote.Server, _ []string) (any, error) {
		return remote.MakeBackup(cmd.Context(), s)
	})
}

func backupList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the bases of a backup, and what can be restored from each",
		Example: "  millimetric backup list --backup-to /mnt/backup --root-key-file root.key",
		Args:    refuseArgs,
	}
	here := func(cmd *cobra.Command, values settings, _ remote.Server, _ []string) (any, error) {
		a, _, err := openArchive(cmd.Context(), values)
		if err != nil {
			return nil, err
		}
		return admin.BackupList{Rows: a.List()}, nil
	}
	return backupWork(cmd, backupHelp, printBackups, here, func(cmd *cobra.Command, _ settings, s remote.Server, _ []string) (any, error) {
		return remote.Backups(cmd.Context(), s)
	})
}

func printBackups(out io.Writer, result any) error {
	list := result.(admin.BackupList)
	if problem := list.Status.Problem; problem != "" {
		fmt.Fprintln(out, "the backup isn't going on: "+reply.Printable(problem))
	}
	rows := [][]string{}
	for _, b := range list.Rows {
		rows = append(rows, []string{b.ID, b.Timeline, timeText(b.Taken), strconv.FormatUint(b.Group, 10), timeText(b.At),
			strconv.FormatUint(b.To, 10), timeText(b.Until), bytesText(uint64(b.Bytes))})
	}
	return remote.Table(out, "BASE\tTIMELINE\tMADE\tFROM GROUP\tOF\tTO GROUP\tOF\tBYTES", rows)
}

var errBackupDamaged = errors.New("the backup is damaged")

func printReport(out io.Writer, result any) error {
	v := result.(admin.BackupVerdict)
	_, err := fmt.Fprintf(out, "%d objects, %s, %d bases, %d groups read; %d problems\n", v.Objects, bytesText(uint64(v.Bytes)), v.Bases, v.Groups, len(v.Problems))
	for _, problem := range v.Problems {
		fmt.Fprintln(out, reply.Printable(problem))
	}
	if err == nil && len(v.Problems) > 0 {
		err = errBackupDamaged
	}
	return err
}

func backupCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Compare the names and lengths of a backup's objects with what it must have",
		Example: "  millimetric backup check --backup-to /mnt/backup --root-key-file root.key",
		Args:    refuseArgs,
	}
	here := func(cmd *cobra.Command, values settings, _ remote.Server, _ []string) (any, error) {
		a, _, err := openArchive(cmd.Context(), values)
		if err != nil {
			return nil, err
		}
		report, err := a.Check(cmd.Context())
		if err != nil {
			return nil, err
		}
		return admin.BackupVerdict{OK: report.OK(), Report: report}, nil
	}
	return backupWork(cmd, "The target is read as it is, for which the root key is needed and no server.", printReport, here, nil)
}

func backupVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "verify [BASE]",
		Short:   "Read and decrypt a base of a backup and what it needs, or all of the backup",
		Example: "  millimetric backup verify --backup-to /mnt/backup --root-key-file root.key",
		Args:    cobra.MaximumNArgs(1),
	}
	base := func(args []string) string {
		if len(args) == 1 {
			return args[0]
		}
		return ""
	}
	here := func(cmd *cobra.Command, values settings, _ remote.Server, args []string) (any, error) {
		a, _, err := openArchive(cmd.Context(), values)
		if err != nil {
			return nil, err
		}
		total := int64(0)
		if base(args) == "" {
			total = a.Bytes()
		}
		bar := progress.New(cmd.ErrOrStderr(), total)
		a.Read = bar.Add
		report, err := a.Verify(cmd.Context(), base(args))
		bar.Finish(err == nil)
		if err != nil {
			return nil, err
		}
		return admin.BackupVerdict{OK: report.OK(), Report: report}, nil
	}
	return backupWork(cmd, backupHelp, printReport, here, func(cmd *cobra.Command, _ settings, s remote.Server, args []string) (any, error) {
		name := base(args)
		if name == "" {
			name = "all"
		}
		return remote.VerifyBackup(cmd.Context(), s, name, false)
	})
}

var errDrill = errors.New("the backup can't be restored as it should be")

func backupDrill() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "drill",
		Short:   "Restore the newest backup into a scratch folder, compare it with the store, and remove it",
		Example: "  millimetric backup drill --backup-to /mnt/backup",
		Args:    refuseArgs,
	}
	show := func(out io.Writer, result any) error {
		d := result.(admin.Drill)
		_, err := fmt.Fprintf(out, "Restored group %d from base %s in %.1f s: %d events of %d projects are as in the store; %d problems\n",
			d.Group, d.Base, d.Took, d.Events, d.Projects, len(d.Problems))
		for _, problem := range d.Problems {
			fmt.Fprintln(out, reply.Printable(problem))
		}
		if err == nil && !d.OK {
			err = errDrill
		}
		return err
	}
	here := withBackups(func(cmd *cobra.Command, b *backups) (any, error) { return b.Drill(cmd.Context()) })
	return backupWork(cmd, backupFolderHelp, show, here, func(cmd *cobra.Command, _ settings, s remote.Server, _ []string) (any, error) {
		v, err := remote.VerifyBackup(cmd.Context(), s, newestBase, true)
		if err != nil || v.Drill == nil {
			return nil, err
		}
		return *v.Drill, nil
	})
}
