package transfer

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/progress"
	"millimetric/index/event"
)

// bar begins to show an export: nobody knows how much there will be.
func (o *exportOptions) bar(cmd *cobra.Command) *progress.Bar { return fileBar(cmd, o.out) }

// fileBar begins to show work whose result goes to a file, or to standard output where none is named.
func fileBar(cmd *cobra.Command, name string) *progress.Bar {
	if name != "" {
		return progress.New(cmd.ErrOrStderr(), 0)
	}
	return progress.Beside(cmd.ErrOrStderr(), cmd.OutOrStdout(), 0)
}

// lastDay is the last day that an export may have events of: there are none beyond the day after today.
func (o *exportOptions) lastDay() event.Time {
	last := event.TimeOf(time.Now().Add(event.AheadMax))
	if to, err := event.ParseTime(o.to, time.UTC); err == nil && to-1 < last {
		last = to - 1
	}
	return last / dayMillis
}

const dayMillis = 24 * 60 * 60 * 1000

// shownEvery is after how many rows what is shown is told anew.
const shownEvery = 1 << 10

// shownRows shows how many events have come, and of a folder, which are by day, how far in the range they are.
type shownRows struct {
	bar        *progress.Bar
	to         event.Time // the last day, counted since 1970; 0 where days aren't shown
	first, day event.Time
	rows       int
}

func (s *shownRows) add(r *Row) {
	day := event.Time(r.Timestamp / dayMillis)
	if s.rows == 0 {
		s.first = day
	}
	changed := s.to > 0 && (day != s.day || s.rows == 0)
	s.day = day
	if s.rows++; !s.bar.Shows() || !changed && s.rows%shownEvery > 0 {
		return
	}
	if s.to == 0 {
		s.bar.Note(fmt.Sprintf("%d events", s.rows))
		return
	}
	s.bar.Note(fmt.Sprintf("%s, day %d of %d, %d events", (day * dayMillis).Std().Format(time.DateOnly), day-s.first+1, max(s.to, day)-s.first+1, s.rows))
}

// shownLines shows how many lines are read of an answer about a person.
type shownLines struct {
	in    io.Reader
	bar   *progress.Bar
	lines int
}

func (s *shownLines) Read(buf []byte) (int, error) {
	n, err := s.in.Read(buf)
	s.bar.Add(int64(n))
	if s.bar.Shows() {
		s.lines += bytes.Count(buf[:n], []byte("\n"))
		s.bar.Note(fmt.Sprintf("%d lines", s.lines))
	}
	return n, err
}
