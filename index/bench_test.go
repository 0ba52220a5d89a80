package index

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"millimetric/index/encode"
	"millimetric/index/event"
)

const benchRows = 200_000

func perEvent(b *testing.B, rows int, unit string) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), unit)
}

// cpu returns the processor time of the process, which tells more than the clock where others work
// on the same processors.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// arrived returns rows as the log holds them: in the order of their positions, events side by side.
func arrived(rows []Row) []Row {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Event.Seq, b.Event.Seq) })
	events := make([]event.Event, len(rows))
	var words encode.Words
	for i := range rows {
		events[i] = *rows[i].Event
		words.OwnWords(&events[i])
		rows[i].Event = &events[i]
	}
	return rows
}

func BenchmarkBuild(b *testing.B) {
	rows := arrived(newTraffic(9, 20000).day(benchRows, false))
	size := 0
	runtime.GC()
	start := cpu()
	for b.Loop() {
		size = 0
		for _, section := range Build(rows, BuildOptions{}).Sections {
			size += len(section)
		}
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N)/float64(len(rows)), "cpu-ns/event")
	perEvent(b, len(rows), "ns/event")
	b.ReportMetric(float64(size)/float64(len(rows)), "B/event")
}

func benchSegment(b *testing.B) *Segment {
	b.Helper()
	s, err := Open(Build(newTraffic(9, 20000).day(benchRows, false), BuildOptions{}))
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkRead reads one column of all rows: look-up, checksum, unpacking.
func BenchmarkRead(b *testing.B) {
	s := benchSegment(b)
	runs, err := s.Runs()
	if err != nil {
		b.Fatal(err)
	}
	var codes []uint32
	for _, c := range []event.Column{event.ColumnName, event.ColumnPath, event.ColumnCountry, event.ColumnSource} {
		b.Run(string(c), func(b *testing.B) {
			for b.Loop() {
				for chunk := range s.Chunks() {
					if codes, err = s.Codes(c, runs, chunk, codes); err != nil {
						b.Fatal(err)
					}
				}
			}
			perEvent(b, s.Rows(), "ns/row")
		})
	}
	b.Run("time", func(b *testing.B) {
		var times []event.Time
		for b.Loop() {
			for chunk := range s.Chunks() {
				if times, err = s.Times(chunk, times); err != nil {
					b.Fatal(err)
				}
			}
		}
		perEvent(b, s.Rows(), "ns/row")
	})
	b.Run("seq", func(b *testing.B) {
		var seqs []event.Seq
		for b.Loop() {
			for chunk := range s.Chunks() {
				if seqs, err = s.Seqs(chunk, seqs); err != nil {
					b.Fatal(err)
				}
			}
		}
		perEvent(b, s.Rows(), "ns/row")
	})
	b.Run("visitors", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Runs(); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b, s.Rows(), "ns/row")
	})
}

func BenchmarkOpen(b *testing.B) {
	s := benchSegment(b)
	for b.Loop() {
		if _, err := Open(s.src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvents(b *testing.B) {
	s := benchSegment(b)
	b.Run("all", func(b *testing.B) {
		start := cpu()
		for b.Loop() {
			readRows(b, s, 0, uint32(s.Rows()))
		}
		b.ReportMetric(float64(cpu()-start)/float64(b.N)/float64(s.Rows()), "cpu-ns/event")
		perEvent(b, s.Rows(), "ns/event")
	})
	runs, err := s.Runs()
	if err != nil {
		b.Fatal(err)
	}
	most := 0
	for i := range runs.Ordinals {
		if runs.Starts[i+1]-runs.Starts[i] > runs.Starts[most+1]-runs.Starts[most] {
			most = i
		}
	}
	// Nothing is kept from one to the next: each opens the segment and all pieces that it needs.
	for _, count := range []uint32{1, 100} {
		b.Run(fmt.Sprint("cold ", count), func(b *testing.B) {
			start := cpu()
			for b.Loop() {
				opened, err := Open(s.src)
				if err != nil {
					b.Fatal(err)
				}
				readRows(b, opened, runs.Starts[most+1]-count, runs.Starts[most+1])
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/1e3, "cpu-us")
		})
	}
}

func readRows(b *testing.B, s *Segment, from, to uint32) {
	b.Helper()
	reader, err := s.Reader()
	if err != nil {
		b.Fatal(err)
	}
	for row := from; row < to; row++ {
		if _, _, err := reader.Event(row); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMerge makes one segment of four, whose visitors are mostly the same, and for comparison
// builds it from the rows.
func BenchmarkMerge(b *testing.B) {
	const parts = 4
	rows := arrived(newTraffic(9, 20000).day(parts*benchRows, false))
	var segments []*Segment
	for part := range slices.Chunk(rows, benchRows) {
		s, err := Open(Build(part, BuildOptions{}))
		if err != nil {
			b.Fatal(err)
		}
		segments = append(segments, s)
	}
	b.Run("build", func(b *testing.B) {
		start := cpu()
		for b.Loop() {
			Build(rows, BuildOptions{})
		}
		b.ReportMetric(float64(cpu()-start)/float64(b.N)/float64(len(rows)), "cpu-ns/event")
		perEvent(b, len(rows), "ns/event")
	})
	rows = nil
	b.Run("merge", func(b *testing.B) {
		runtime.GC()
		start := cpu()
		for b.Loop() {
			if _, err := Merge(segments, MergeOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(cpu()-start)/float64(b.N)/float64(parts*benchRows), "cpu-ns/event")
		perEvent(b, parts*benchRows, "ns/event")
	})
}
