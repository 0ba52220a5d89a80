package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/remote"
)

// compactCommand has the store sealed and merged now rather than when it is due.
func compactCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "compact",
		Short:   "Seal and merge all now, and give back the space",
		Example: "  millimetric compact --data ./data",
		Args:    refuseArgs,
	}
	offline := inFolder(func(cmd *cobra.Command, f *folder, _ []string) (any, error) {
		began := time.Now()
		if err := f.engine.Compact(cmd.Context()); err != nil {
			return nil, err
		}
		done := remote.Compacted{OK: true, Took: time.Since(began).Seconds()}
		return done, f.note(cmd.Context(), audit.Entry{Action: "compact"})
	})
	show := func(out io.Writer, result any) error {
		_, err := fmt.Fprintf(out, "compacted in %.1f s\n", result.(remote.Compacted).Took)
		return err
	}
	return either(cmd, show, offline, func(cmd *cobra.Command, s remote.Server, _ []string) (any, error) {
		return remote.Compact(cmd.Context(), s)
	})
}

// footprintCommand says what events take.
func footprintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "footprint",
		Short:   "Show the bytes that events take, by part, and the memory in use",
		Example: "  millimetric footprint --project shop",
		Args:    refuseArgs,
	}
	project := cmd.Flags().String("project", "", "id or slug of a project (default: all)")
	offline := inFolder(func(_ *cobra.Command, f *folder, _ []string) (any, error) {
		if *project == "" {
			return admin.FootprintOf(f.engine.Footprint(0)), nil
		}
		account, err := onlyAccount(f.book)
		if err != nil {
			return nil, err
		}
		p, err := pickProject(f.book, account.ID, *project)
		return admin.FootprintOf(f.engine.Footprint(p.Number)), err
	})
	return either(cmd, printFootprint, offline, func(cmd *cobra.Command, s remote.Server, _ []string) (any, error) {
		return remote.Footprint(cmd.Context(), s, *project)
	})
}

func printFootprint(out io.Writer, result any) error {
	f := result.(admin.Footprint)
	rows := [][]string{}
	for _, part := range f.Parts {
		rows = append(rows, []string{part.Name, bytesText(part.Bytes), fmt.Sprintf("%.2f", *part.BytesPerEvent)})
	}
	rows = append(rows, []string{"all", bytesText(f.Bytes), fmt.Sprintf("%.2f", f.BytesPerEvent)})
	if _, err := fmt.Fprintf(out, "%d events, %d of them in %d segments; %s of files\n\n", f.Events, f.Sealed, *f.Segments.Count, bytesText(f.Disk)); err != nil {
		return err
	}
	if err := remote.Table(out, "ON DISK\tBYTES\tPER EVENT", rows); err != nil {
		return err
	}
	rows = rows[:0]
	for _, part := range f.Memory.Parts {
		rows = append(rows, []string{part.Name, bytesText(part.Bytes)})
	}
	rows = append(rows, []string{"process", bytesText(f.Memory.Resident)}, []string{"given to the store", bytesText(f.Memory.Limit)})
	fmt.Fprintln(out)
	return remote.Table(out, "IN MEMORY\tBYTES", rows)
}

// bytesText spells a size in the largest unit of 1024 in which it has a whole part.
func bytesText(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if unit == 0 {
		return strconv.FormatUint(n, 10) + " B"
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}
