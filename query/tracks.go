package query

import (
	"math"
	"slices"

	"millimetric/index/event"
)

// eventTracks are, of a segment, the times and names of the events that count, visitor by visitor and in
// order: what most funnels are about. The memo keeps them, unpacked, as to unpack them takes longer than to
// walk them.
type eventTracks struct {
	time     event.Time // of the segment's first event, from which times count
	ordinals []uint32   // of visitors of whom some event counts, rising
	ends     []uint32   // by visitor: how many events there are up to his last
	times    []uint32
	names    []uint8  // codes
	counts   []uint32 // of events, by code
}

// trackBytes is about what tracks take for each row of a segment.
const trackBytes = 7

func (t *eventTracks) bytes() int64 {
	return 4*int64(cap(t.ordinals)+cap(t.ends)+cap(t.times)+cap(t.counts)) + int64(cap(t.names))
}

// of returns which events are a visitor's, by his place in the list of visitors.
func (t *eventTracks) of(k int) (from, to int) {
	if k > 0 {
		from = int(t.ends[k-1])
	}
	return from, int(t.ends[k])
}

// fitTracks tells whether tracks of a segment can be told in so few bits, and whether a replay sees all of it.
func (r *run) fitTracks(s *sealed) bool {
	first, last := s.segment.TimeRange()
	_, greatest := s.segment.SeqRange()
	return greatest <= r.asOf && !s.segment.Hides() && last-first <= math.MaxUint32 && s.column(colName).dict.Len() <= math.MaxUint8+1
}

// tracksOf returns the tracks of a segment that fits.
func (r *run) tracksOf(p *pass, s *sealed) (*eventTracks, error) {
	tracks, _, err := remembered(r, s, memoTracks, "", func() (*eventTracks, bool, error) {
		tracks, err := r.findTracks(p, s)
		return tracks, true, err
	})
	return tracks, err
}

// findTracks walks a segment.
func (r *run) findTracks(p *pass, s *sealed) (*eventTracks, error) {
	t := &eventTracks{times: make([]uint32, 0, s.segment.Rows()), names: make([]uint8, 0, s.segment.Rows())}
	t.time, _ = s.segment.TimeRange()
	t.counts = make([]uint32, s.column(colName).dict.Len())
	err := r.eachChunk(p, s, func() int { return len(t.times) / 8 }, t.take)
	t.ordinals, t.ends = slices.Clip(t.ordinals), slices.Clip(t.ends)
	return t, err
}

// take takes rows of a view.
func (t *eventTracks) take(v *view, chosen []int32) {
	times, names := v.timesOf(), v.codesOf(colName)
	for _, at := range chosen {
		visitor := v.come(int(at))
		if n := len(t.ordinals); n == 0 || t.ordinals[n-1] != visitor {
			t.ordinals, t.ends = append(t.ordinals, visitor), append(t.ends, uint32(len(t.times)))
		}
		t.times, t.names = append(t.times, uint32(times[at]-t.time)), append(t.names, uint8(names[at]))
		t.ends[len(t.ends)-1]++
		t.counts[names[at]]++
	}
}

// eachChunk gives all rows of a segment that aren't left out as bots', for what the memo is to keep; size
// tells how many entries of a table that takes.
func (r *run) eachChunk(p *pass, s *sealed, size func() int, take func(v *view, chosen []int32)) error {
	if err := s.openRuns(); err != nil {
		return err
	}
	v := r.viewOf()
	bounded := *p
	bounded.size = func() int { return p.size() + size() }
	for chunk := range s.segment.Chunks() {
		v.turn(s, chunk)
		r.cost.Scanned += v.rows
		r.work += 1 + v.rows/rowsPerWork
		if err := r.look(&bounded); err != nil {
			return err
		}
		chosen := r.rows(0, v.rows)
		if !r.common.IncludeBots {
			chosen = r.people.choose(v, chosen)
		}
		if take(v, chosen); v.err != nil {
			return v.err
		}
	}
	return nil
}
