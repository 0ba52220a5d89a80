package index

import (
	"math/rand/v2"
	"slices"
	"testing"

	"millimetric/index/event"
)

// partOf checks that a stretch has what its rows have of their chunk.
func partOf[T comparable](t *testing.T, what string, s Stretch, whole, part func(dst []T) ([]T, error)) {
	t.Helper()
	all, err := whole(nil)
	if err != nil {
		t.Fatal(what, err)
	}
	some, err := part(make([]T, 3))
	if err != nil {
		t.Fatal(what, err)
	}
	from, to := s.Bounds()
	if want := all[from%ChunkRows:][:to-from]; !slices.Equal(some, want) {
		t.Errorf("%s: rows from %d up to %d aren't those of their chunk", what, from, to)
	}
}

func TestAStretchHasTheRowsOfItsChunk(t *testing.T) {
	for name, s := range segmentsOf(t) {
		runs, err := s.Runs()
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(uint64(len(name)), 11))
		for range 20 {
			first, end := s.ChunkBounds(r.IntN(s.Chunks()))
			from := first + r.IntN(end-first)
			at := s.Stretch(from, from+1+r.IntN(end-from))
			codes := func(what string, whole func(*Runs, int, []uint32) ([]uint32, error), part func(*Runs, []uint32) ([]uint32, error)) {
				partOf(t, name+" "+what, at, func(dst []uint32) ([]uint32, error) { return whole(runs, at.chunk, dst) },
					func(dst []uint32) ([]uint32, error) { return part(runs, dst) })
			}
			partOf(t, name+" times", at, func(dst []event.Time) ([]event.Time, error) { return s.Times(at.chunk, dst) }, at.Times)
			partOf(t, name+" seqs", at, func(dst []event.Seq) ([]event.Seq, error) { return s.Seqs(at.chunk, dst) }, at.Seqs)
			codes("touches", s.TouchCodes, at.TouchCodes)
			codes("sessions", s.SessionCodes, at.SessionCodes)
			codes("derived", s.SessionsDerived, at.SessionsDerived)
			codes("in URL", s.PathsInURL, at.PathsInURL)
			for _, c := range []event.Column{event.ColumnName, event.ColumnUserID, event.ColumnCountry, event.ColumnSource, ColumnBot, ColumnIPHash} {
				codes(string(c), func(r *Runs, chunk int, dst []uint32) ([]uint32, error) { return s.Codes(c, r, chunk, dst) },
					func(r *Runs, dst []uint32) ([]uint32, error) { return at.Codes(c, r, dst) })
			}
		}
	}
}
