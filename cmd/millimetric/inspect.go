package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/remote"
	"millimetric/index"
	"millimetric/index/event"
)

// inspectCommand shows what is in segments, for whoever has the root key and wants to know where bytes go,
// or what a damaged one still holds.
func inspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect [SEGMENT]",
		Short: "List the segments of a project, or print what one is made of",
		Long: "List the segments of a project, or print what one is made of, while the server is stopped.\n\n" +
			"SEGMENT is the number that the list gives it. With --pieces, each piece is listed; with\n" +
			"--section, one section is printed byte by byte, with what the bytes mean: that shows events.",
		Example: "  millimetric inspect --data ./data\n  millimetric inspect --data ./data 1 --pieces\n  millimetric inspect --data ./data 1 --section 0",
	}
	read := bindSettings(cmd, []setting{settingFolder, settingRootKey})
	project := cmd.Flags().String("project", "", "id, slug or name of the project; not needed where there is one only")
	pieces := cmd.Flags().Bool("pieces", false, "list every piece, too")
	section := cmd.Flags().Int("section", -1, "print this section byte by byte; 0 is the header")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError{errors.New("expected the number of one segment; see millimetric inspect --help")}
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		f, err := openOffline(cmd, read(), false)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.close()) }()
		account, err := onlyAccount(f.book)
		if err != nil {
			return err
		}
		p, err := pickProject(f.book, account.ID, *project)
		if err != nil {
			return err
		}
		snapshot := f.engine.Snapshot(p.Number)
		defer snapshot.Release()
		segments := snapshot.Segments(event.TimeMin, event.TimeMax+1)
		if len(args) == 0 {
			return listSegments(cmd.OutOrStdout(), segments)
		}
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 || n > len(segments) {
			return usageError{fmt.Errorf("no segment has the number %q; there are %d", args[0], len(segments))}
		}
		if last := segments[n-1].LastSection(); *section > int(last) {
			return usageError{fmt.Errorf("segment %d has no section %d; its last is %d", n, *section, last)}
		}
		if *section >= 0 {
			return segments[n-1].Dump(cmd.OutOrStdout(), index.SectionID(*section))
		}
		return segments[n-1].Describe(cmd.OutOrStdout(), *pieces)
	}
	return cmd
}

func listSegments(out io.Writer, segments []*index.Segment) error {
	rows := [][]string{}
	for i, s := range segments {
		first, last := s.TimeRange()
		least, greatest := s.SeqRange()
		rows = append(rows, []string{strconv.Itoa(i + 1), strconv.Itoa(s.Rows()), strconv.Itoa(s.Visitors()),
			first.Std().Format("2006-01-02T15:04:05Z"), last.Std().Format("2006-01-02T15:04:05Z"), fmt.Sprintf("%d to %d", least, greatest)})
	}
	return remote.Table(out, "SEGMENT\tEVENTS\tVISITORS\tFROM\tTO\tPOSITIONS", rows)
}
