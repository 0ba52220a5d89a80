package index

import (
	"slices"
	"testing"

	"millimetric/index/event"
)

// counting counts the sections that are asked for.
type counting struct {
	Sections
	asked int
}

func (c *counting) Section(id SectionID) ([]byte, error) {
	c.asked++
	return c.Sections.Section(id)
}

// What is read column by column must be what is read as whole events.
func TestAccessGivesWhatEventsHave(t *testing.T) {
	rows := newTraffic(21, 300).day(40_000, true)
	for i := range rows {
		if i%7 == 0 {
			rows[i].Event.Path = "/elsewhere"
		}
	}
	built, err := Open(Build(rows, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	var watched *counting
	s := built.Watch(func(src Sections) Sections {
		watched = &counting{Sections: src}
		return watched
	})
	reader, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	runs, err := s.Runs()
	if err != nil {
		t.Fatal(err)
	}
	visitors, sessions, ids := s.AnonymousIDs(), s.SessionIDs(), s.EventIDs()
	price := s.Property("price")
	for chunk := range s.Chunks() {
		derived, err := s.SessionsDerived(runs, chunk, nil)
		if err != nil {
			t.Fatal(err)
		}
		inURL, err := s.PathsInURL(runs, chunk, nil)
		if err != nil {
			t.Fatal(err)
		}
		numbers, err := s.SessionCodes(runs, chunk, nil)
		if err != nil {
			t.Fatal(err)
		}
		prices := pricesIn(t, price, chunk)
		from, to := s.ChunkBounds(chunk)
		for row := from; row < to; row++ {
			e, _, err := reader.Event(uint32(row))
			if err != nil {
				t.Fatal(err)
			}
			visitor, err := visitors.At(uint32(runs.Of(uint32(row))))
			if err != nil || visitor != e.AnonymousID {
				t.Fatalf("row %d: visitor %q, %v", row, visitor, err)
			}
			if id, err := sessions.At(numbers[row-from], visitor, e.Time); err != nil || id != e.SessionID {
				t.Fatalf("row %d: session %q, %v; want %q", row, id, err, e.SessionID)
			}
			if id, err := ids.At(uint32(row)); err != nil || id != e.ID {
				t.Fatalf("row %d: id %q, %v", row, id, err)
			}
			site, rest, behind := splitURL(&event.Event{URL: e.URL, Path: e.Path})
			if (derived[row-from] == 1) != e.SessionDerived || (inURL[row-from] == 1) != behind || site == "" && rest == "" {
				t.Fatalf("row %d: derived %d, path in URL %d: %+v", row, derived[row-from], inURL[row-from], e)
			}
			want, ok := findMember(e.Properties, "price")
			if got := prices[uint32(row-from)]; ok != (got != "") || !sameNumber(got, want) {
				t.Fatalf("row %d: price %q, want %q", row, got, want)
			}
		}
	}
	if watched.asked == 0 {
		t.Error("no section was asked for through the watch")
	}
	before := watched.asked
	if _, err := price.Numbers(); err != nil || watched.asked == before {
		t.Errorf("properties aren't watched: %v", err)
	}
}

func pricesIn(t *testing.T, p *Property, chunk int) map[uint32]string {
	t.Helper()
	set, err := p.RowsIn(chunk)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := p.IntegersIn(chunk, set.Count(), nil)
	if err != nil {
		t.Fatal(err)
	}
	prices := map[uint32]string{}
	for i, row := range set.Numbers() {
		prices[row] = string(p.AppendNumber(nil, numbers[i]))
	}
	if _, err := p.IntegersIn(chunk, set.Count()+1, nil); err == nil {
		t.Error("a wrong count is taken")
	}
	return prices
}

// sameNumber compares spellings that may differ in zeros at the end.
func sameNumber(a, b string) bool {
	x, places, ok := parseNumber(a)
	y, others, fine := parseNumber(b)
	for ; places < others; places++ {
		x *= 10
	}
	for ; others < places; others++ {
		y *= 10
	}
	return a == b || ok && fine && x == y
}

// Rests read in the order of rows open each of their pieces once.
func TestRestPiecesRise(t *testing.T) {
	rows := newTraffic(22, 300).day(20_000, false)
	for _, most := range []int{-1, 0} {
		s, err := Open(Build(rows, BuildOptions{TypedMax: most}))
		if err != nil {
			t.Fatal(err)
		}
		reader, err := s.Reader()
		if err != nil {
			t.Fatal(err)
		}
		last, pieces := -1, 0
		for row := range uint32(s.Rows()) {
			piece, err := reader.RestPiece(row)
			if err != nil || piece < 0 || piece >= max(1, s.rest.store.pieces.count) || s.rest.shape == restByRow && piece < last {
				t.Fatalf("row %d lies in piece %d after %d: %v", row, piece, last, err)
			}
			if piece != last {
				last = piece
				pieces++
			}
		}
		if s.rest.shape == restByRow && pieces != max(1, s.rest.store.pieces.count) {
			t.Errorf("%d pieces were met of %d", pieces, s.rest.store.pieces.count)
		}
	}
}

func TestTimesOfRowsAreThoseOfTheirEvents(t *testing.T) {
	s, err := Open(Build(newTraffic(23, 300).day(3*ChunkRows, true), BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	rows := []uint32{0, 7, ChunkRows - 1} // few of the first chunk, many of the second, one of the third
	for i := range uint32(2 * pointsMax) {
		rows = append(rows, ChunkRows+3*i)
	}
	rows = append(rows, 2*ChunkRows)
	times, err := reader.Times(rows)
	if err != nil || len(times) != len(rows) {
		t.Fatalf("%d times of %d rows, %v", len(times), len(rows), err)
	}
	for i, row := range rows {
		if e, _, err := reader.Event(row); err != nil || e.Time != times[i] {
			t.Fatalf("row %d: time %d, of its event %d, %v", row, times[i], e.Time, err)
		}
	}
}

// Rows found by a code are those that a scan of the column finds.
func TestRowsWithACodeAreAllOfThem(t *testing.T) {
	rows := newTraffic(23, 300).day(30_000, false)
	for i := range rows {
		if i%400 == 3 {
			rows[i].Event.UserID = "user-7" // exceptions beside visitors of that user
		}
	}
	s, err := Open(Build(rows, BuildOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	if s.columns[event.ColumnUserID].codes.shape != shapePerRun {
		t.Fatal("users aren't kept by visitor")
	}
	reader, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, c := range []event.Column{event.ColumnUserID, event.ColumnCountry, event.ColumnName, event.ColumnSource} {
		for code := range min(uint32(s.Dict(c).Len()), 60) {
			got, err := reader.RowsWith(c, code)
			if err != nil {
				t.Fatal(err)
			}
			want, err := s.rowsByScan(c, code)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s %d: %d rows, want %d: %v", c, code, len(got), len(want), err)
			}
			found += len(got)
		}
	}
	if found < 30_000 {
		t.Errorf("only %d rows were found", found)
	}
}
