package index

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/event"
)

// segmentsOf builds a segment of each of the cases, and of one with more chunks of visitors and rows, and yields them in
// the order of their names.
func segmentsOf(t *testing.T) iter.Seq2[string, *Segment] {
	t.Helper()
	all := cases()
	all["many rows"] = manyRows()
	return func(yield func(string, *Segment) bool) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !yield(name, segmentOf(t, all[name])) {
				return
			}
		}
	}
}

func manyRows() []Row { return newTraffic(11, 20000).day(60_000, true) }

func segmentOf(t *testing.T, rows []Row) *Segment {
	t.Helper()
	s, err := Open(Build(rows, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// someOf returns the visitors of all whose ordinals are not below from, and below to.
func someOf(all *Runs, from, to uint32) (ordinals, starts []uint32) {
	first, _ := slices.BinarySearch(all.Ordinals, from)
	last, _ := slices.BinarySearch(all.Ordinals, to)
	return all.Ordinals[first:max(first, last)], all.Starts[first : max(first, last)+1]
}

func TestVisitorsAreReadSomeAtATime(t *testing.T) {
	for name, s := range segmentsOf(t) {
		all, err := s.Runs()
		if err != nil {
			t.Fatal(err)
		}
		reader, err := s.RunReader()
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(uint64(len(name)), 5))
		most := all.Ordinals[len(all.Ordinals)-1]
		for try := range 30 {
			from := uint32(r.Int64N(int64(most) + 10))
			to := from + uint32(r.Int64N(int64(most)/4+10))
			if try == 0 {
				from, to = 0, most+1
			}
			some, err := reader.Between(from, to)
			if err != nil {
				t.Fatal(err)
			}
			ordinals, starts := someOf(all, from, to)
			if !slices.Equal(some.Ordinals, ordinals) || !slices.Equal(some.Starts, starts) {
				t.Fatalf("%s: visitors %d to %d are %v, want %v", name, from, to, some, ordinals)
			}
			sameCodes(t, fmt.Sprintf("%s, visitors %d to %d", name, from, to), s, all, some)
		}
	}
}

// sameCodes compares what is read with some of the runs with what is read with all of them.
func sameCodes(t *testing.T, name string, s *Segment, all, some *Runs) {
	t.Helper()
	if len(some.Ordinals) == 0 {
		return
	}
	first, last := int(some.Starts[0]), int(some.Starts[len(some.Ordinals)])
	for chunk := first / ChunkRows; chunk*ChunkRows < last; chunk++ {
		from, to := s.ChunkBounds(chunk)
		from, to = max(from, first)-from, min(to, last)-from
		for _, c := range []event.Column{event.ColumnName, event.ColumnCountry, event.ColumnSource, ColumnIPHash, ""} {
			read := func(runs *Runs) ([]uint32, error) { return s.Codes(c, runs, chunk, nil) }
			if c == "" {
				read = func(runs *Runs) ([]uint32, error) { return s.SessionCodes(runs, chunk, nil) }
			}
			want, err := read(all)
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(some)
			if err != nil || !slices.Equal(got[from:to], want[from:to]) {
				t.Fatalf("%s: chunk %d of column %q differs, %v", name, chunk, c, err)
			}
		}
	}
}

func TestTextsAreThoseOfTheirCodes(t *testing.T) {
	for name, s := range segmentsOf(t) {
		for _, c := range []event.Column{event.ColumnName, event.ColumnPath, event.ColumnSource, ColumnRest, ColumnIPHash} {
			texts, err := s.Dict(c).Texts()
			if err != nil {
				t.Fatal(err)
			}
			d := s.Dict(c)
			for code, text := range texts {
				if want, err := d.At(uint32(code)); err != nil || text != want {
					t.Fatalf("%s: text %d of column %s is %q, want %q, %v", name, code, c, text, want, err)
				}
			}
			if len(texts) != d.Len() {
				t.Fatalf("%s: %d texts of column %s, want %d", name, len(texts), c, d.Len())
			}
		}
	}
}

func TestTouchesStandForFiveColumns(t *testing.T) {
	s := segmentOf(t, manyRows())
	runs, err := s.Runs()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range touchNames {
		table, err := s.TouchTable(c)
		if err != nil {
			t.Fatal(err)
		}
		for chunk := range s.Chunks() {
			touches, err := s.TouchCodes(runs, chunk, nil)
			if err != nil {
				t.Fatal(err)
			}
			codes, err := s.Codes(c, runs, chunk, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, touch := range touches {
				if table[touch] != codes[i] {
					t.Fatalf("row %d of chunk %d, column %s: %d, want %d", i, chunk, c, table[touch], codes[i])
				}
			}
		}
	}
	if table, err := s.TouchTable(event.ColumnName); table != nil || err != nil {
		t.Errorf("the name is no part of a touch: %v, %v", table, err)
	}
}

func TestSessionsAreNamedByAnyOfTheirRows(t *testing.T) {
	for name, s := range segmentsOf(t) {
		events, err := s.Reader()
		if err != nil {
			t.Fatal(err)
		}
		reader, err := s.Reader()
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(uint64(len(name)), 6))
		for range 1000 {
			row := uint32(r.IntN(s.Rows()))
			e, _, err := events.Event(row)
			if err != nil {
				t.Fatal(err)
			}
			session, err := reader.SessionID(row)
			if err != nil || session != e.SessionID {
				t.Fatalf("%s: session of row %d is %q, want %q, %v", name, row, session, e.SessionID, err)
			}
			id, err := reader.AnonymousID(row)
			if err != nil || id != e.AnonymousID {
				t.Fatalf("%s: visitor of row %d is %q, want %q, %v", name, row, id, e.AnonymousID, err)
			}
			link, err := reader.Link(row)
			if want := (event.Link{AnonymousID: e.AnonymousID, UserID: e.UserID, Time: e.Time, Seq: e.Seq}); err != nil || link != want {
				t.Fatalf("%s: link of row %d is %+v, want %+v, %v", name, row, link, want, err)
			}
			if session, err = events.SessionID(row); err != nil || session != e.SessionID {
				t.Fatalf("%s: session of row %d is %q where it was read, want %q, %v", name, row, session, e.SessionID, err)
			}
		}
		runs, err := s.Runs()
		if err != nil {
			t.Fatal(err)
		}
		codes, err := s.SessionCodes(runs, s.Chunks()-1, nil)
		if err != nil || int(slices.Max(codes)) != s.Sessions()-1 {
			t.Fatalf("%s: the last session is %d of %d, %v", name, slices.Max(codes), s.Sessions(), err)
		}
	}
}

func TestPropertiesAreReadByChunks(t *testing.T) {
	kinds := map[PropertyKind]int{}
	for _, s := range segmentsOf(t) {
		for _, property := range s.PropertyNames() {
			p := s.Property(property)
			kinds[p.Kind]++
			var rows, all, codes, allCodes []uint32
			var numbers, allNumbers []int64
			for chunk := range s.Chunks() {
				var err error
				if p.Kind == PropertyNumbers {
					rows, numbers, err = p.NumbersIn(chunk, rows, numbers)
					allNumbers = append(allNumbers, numbers...)
				} else {
					rows, codes, err = p.CodesIn(chunk, rows, codes)
					allCodes = append(allCodes, codes...)
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range rows {
					all = append(all, row+uint32(chunk*ChunkRows))
				}
			}
			wholly(t, p, all, allCodes, allNumbers)
		}
	}
	if kinds[PropertyNumbers] == 0 || kinds[PropertyValues] == 0 {
		t.Errorf("columns of kinds %v", kinds)
	}
}

// wholly compares what chunks have said of a property with what it says as a whole.
func wholly(t *testing.T, p *Property, rows, codes []uint32, numbers []int64) {
	t.Helper()
	set, err := p.Rows()
	if err != nil || !slices.Equal(set.Numbers(), rows) {
		t.Fatalf("%s: the rows differ, %v", p.Name, err)
	}
	if p.Kind == PropertyNumbers {
		if want, err := p.Numbers(); err != nil || !slices.Equal(want, numbers) {
			t.Fatalf("%s: the numbers differ, %v", p.Name, err)
		}
		return
	}
	if want, err := p.Codes(); err != nil || !slices.Equal(want, codes) {
		t.Fatalf("%s: the codes differ, %v", p.Name, err)
	}
}
