package index

import (
	"slices"
	"testing"

	"millimetric/index/event"
)

// keeping keeps all pieces, and notes which sections were read.
type keeping struct {
	Sections
	keeps bool
	kept  map[int]Piece
	read  [][]byte
}

// Section gives a copy, so that a test may spoil it.
func (k *keeping) Section(id SectionID) ([]byte, error) {
	section, err := k.Sections.Section(id)
	k.read = append(k.read, slices.Clone(section))
	return k.read[len(k.read)-1], err
}

func (k *keeping) Keeps() bool { return k.keeps }

func (k *keeping) Kept(piece int) (Piece, bool) {
	taken, ok := k.kept[piece]
	return taken, ok
}

func (k *keeping) Keep(piece int, taken Piece) { k.kept[piece] = taken }

func eventsOf(t *testing.T, segment *Segment, rows []uint32) (events []event.Event) {
	t.Helper()
	reader, err := segment.Reader()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		e, _, err := reader.Event(row)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func TestEventsOfPiecesThatAreKeptReadNoSection(t *testing.T) {
	built, err := fetchingSegment()
	if err != nil {
		t.Fatal(err)
	}
	src := &keeping{keeps: true, kept: map[int]Piece{}}
	segment := built.Watch(func(own Sections) Sections {
		src.Sections = own
		return src
	})
	rows := scatteredRows(built.rows)
	want := eventsOf(t, segment, rows)
	if len(src.kept) < 20 {
		t.Fatalf("only %d pieces were kept", len(src.kept))
	}
	for _, taken := range src.kept {
		if taken.Bytes() < 0 || taken.Bytes() > 1<<20 {
			t.Errorf("a piece says that it takes %d bytes", taken.Bytes())
		}
	}
	for _, section := range src.read {
		clear(section) // what is kept is no part of it
	}
	src.read = nil
	if got := eventsOf(t, segment, rows); !slices.Equal(got, want) || len(src.read) > 0 {
		t.Errorf("the events are the same: %t; %d sections were read", slices.Equal(got, want), len(src.read))
	}
	src.kept, src.keeps = map[int]Piece{}, false
	if eventsOf(t, segment, rows); len(src.kept) > 0 {
		t.Errorf("%d pieces were kept of what isn't worth it", len(src.kept))
	}
}
