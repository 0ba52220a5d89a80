package index

import (
	"testing"

	"millimetric/index/event"
)

const benchRows = 200_000

func perEvent(b *testing.B, rows int, unit string) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), unit)
}

func BenchmarkBuild(b *testing.B) {
	rows := newTraffic(9, 20000).day(benchRows, false)
	size := 0
	for b.Loop() {
		size = 0
		for _, section := range Build(rows, BuildOptions{}).Sections {
			size += len(section)
		}
	}
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
		for b.Loop() {
			reader, err := s.Reader()
			if err != nil {
				b.Fatal(err)
			}
			for row := range uint32(s.Rows()) {
				if _, _, err := reader.Event(row); err != nil {
					b.Fatal(err)
				}
			}
		}
		perEvent(b, s.Rows(), "ns/event")
	})
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			reader, err := s.Reader()
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := reader.Event(uint32(b.N*7919) % uint32(s.Rows())); err != nil {
				b.Fatal(err)
			}
		}
	})
}
