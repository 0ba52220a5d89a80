package index

import (
	"slices"
	"sync"
	"testing"
)

// fetching notes which sections were fetched, and which others were asked for.
type fetching struct {
	Sections
	fetched []SectionID
	lacking []SectionID
	near    bool // all is near already
}

func (f *fetching) Section(id SectionID) ([]byte, error) {
	if !slices.Contains(f.fetched, id) {
		f.lacking = append(f.lacking, id)
	}
	return f.Sections.Section(id)
}

func (f *fetching) Fetch(ids []SectionID) int {
	if f.near {
		return 0
	}
	f.fetched = append(f.fetched, ids...)
	return len(ids)
}

// fetchingSegment has some chunks. To build it takes most of what these tests do.
var fetchingSegment = sync.OnceValues(func() (*Segment, error) {
	return Open(Build(newTraffic(8, 1000).day(35_000, true), BuildOptions{}))
})

func fetchingReader(t *testing.T) (*Reader, *fetching) {
	t.Helper()
	built, err := fetchingSegment()
	if err != nil {
		t.Fatal(err)
	}
	var src *fetching
	reader, err := built.Watch(func(own Sections) Sections {
		src = &fetching{Sections: own}
		return src
	}).Reader()
	if err != nil {
		t.Fatal(err)
	}
	return reader, src
}

// scatteredRows are few rows of several chunks.
func scatteredRows(rows int) (list []uint32) {
	for row := 7; row < rows && len(list) < 100; row += rows/100 + 1 {
		list = append(list, uint32(row))
	}
	return list
}

func TestEventsThatWereFetchedAheadAskForNoOtherSection(t *testing.T) {
	reader, src := fetchingReader(t)
	rows := scatteredRows(reader.segment.rows)
	if err := reader.Ahead(rows); err != nil {
		t.Fatal(err)
	}
	if len(src.fetched) < 10 {
		t.Fatalf("only the sections %v were fetched", src.fetched)
	}
	src.lacking = nil
	for _, row := range rows {
		if _, _, err := reader.Event(row); err != nil {
			t.Fatal(err)
		}
	}
	if len(src.lacking) > 0 {
		t.Errorf("of the sections %v were fetched, %v were lacking", src.fetched, src.lacking)
	}
}

func TestNoTextsAreLookedForAheadWhereAllIsNear(t *testing.T) {
	reader, src := fetchingReader(t)
	src.near, src.lacking = true, nil
	if err := reader.Ahead(scatteredRows(reader.segment.rows)); err != nil {
		t.Fatal(err)
	}
	// Who the rows belong to is all that was read.
	if s := reader.segment; len(src.lacking) > 2*(s.runStarts.count+s.ordinals.count) {
		t.Errorf("the sections %v were read", src.lacking)
	}
}

func TestRestsOfFewRowsOfAChunkAreReadOneByOne(t *testing.T) {
	reader, _ := fetchingReader(t)
	if reader.segment.rest.shape != restByCode {
		t.Fatal("the rests have no codes")
	}
	for row := uint32(0); row < pointsMax; row++ {
		if _, err := reader.RestPiece(row); err != nil { // as whoever counts pieces does
			t.Fatal(err)
		}
		if _, err := reader.Properties(row); err != nil {
			t.Fatal(err)
		}
	}
	if reader.rest.chunk != -1 || reader.rest.asked != pointsMax {
		t.Errorf("%d rows counted as %d, chunk %d is unpacked", pointsMax, reader.rest.asked, reader.rest.chunk)
	}
	if _, err := reader.Properties(pointsMax); err != nil || reader.rest.chunk != 0 {
		t.Errorf("one more: chunk %d is unpacked, %v", reader.rest.chunk, err)
	}
}
