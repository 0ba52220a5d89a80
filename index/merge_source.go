package index

import (
	"slices"

	"millimetric/index/event"
)

// mergeSource is one of the segments that a merge reads, first by rows, to find their order, then
// column by column.
type mergeSource struct {
	segment   *Segment
	number    uint32
	runs      *Runs
	anonymous *Dict
	floor     event.Time // rows before it are left out,
	until     event.Time // and those from here on
	dropped   []uint32   // rows that are left out and not yet passed

	run      int    // the visitor at hand
	row, end uint32 // its next row that is kept, and where its rows end
	place    place  // of row
	last     place  // of the row before it, kept or not; at is that row plus one
	chunk    int    // that times and seqs are of; -1 before the first
	times    []event.Time
	seqs     []event.Seq

	codes  []uint32 // of the chunk that a walk is in
	walked int      // that chunk; -1 before the first
}

func newMergeSource(s *Segment, floor, until event.Time) (*mergeSource, error) {
	if until == 0 {
		until = s.maxTime + 1
	}
	runs, err := s.Runs()
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(runs.Ordinals); i++ {
		if runs.Ordinals[i] <= runs.Ordinals[i-1] {
			return nil, damaged("the visitors aren't sorted")
		}
	}
	return &mergeSource{segment: s, runs: runs, anonymous: s.dict(&s.anonymous, true), floor: floor, until: until, chunk: -1, walked: -1}, nil
}

// ordinal returns the visitor that comes next. ok is false behind the last.
func (s *mergeSource) ordinal() (ordinal uint32, ok bool) {
	if s.row == s.end && s.end > 0 {
		if s.run+1 == len(s.runs.Ordinals) {
			return 0, false
		}
		return s.runs.Ordinals[s.run+1], true
	}
	return s.runs.Ordinals[s.run], true
}

// enter goes to the visitor that comes next.
func (s *mergeSource) enter() error {
	if s.end > 0 {
		s.run++
	}
	s.row, s.end = s.runs.Starts[s.run], s.runs.Starts[s.run+1]
	s.last = place{}
	return s.settle()
}

// settle goes to the next row of the visitor that is kept, from row on.
func (s *mergeSource) settle() error {
	for ; s.row < s.end; s.row++ {
		if chunk := int(s.row) / ChunkRows; chunk != s.chunk {
			if err := s.load(chunk); err != nil {
				return err
			}
		}
		s.place = place{s.times[s.row%ChunkRows], s.seqs[s.row%ChunkRows], s.row + 1}
		if s.last.at > 0 && !s.last.before(s.place) {
			return damaged("row %d doesn't come behind the one before", s.row)
		}
		s.last = s.place
		for len(s.dropped) > 0 && s.dropped[0] < s.row {
			s.dropped = s.dropped[1:]
		}
		if s.place.time >= s.floor && s.place.time < s.until && (len(s.dropped) == 0 || s.dropped[0] != s.row) {
			return nil
		}
	}
	return nil
}

func (s *mergeSource) load(chunk int) (err error) {
	s.chunk = -1
	if s.times, err = s.segment.Times(chunk, s.times); err != nil {
		return err
	}
	if s.seqs, err = s.segment.Seqs(chunk, s.seqs); err != nil {
		return err
	}
	s.chunk = chunk
	return nil
}

// before reports whether the next row of s comes before that of t.
func (s *mergeSource) before(t *mergeSource) bool { return s.place.before(t.place) }

// walk reads a column of codes in the order of the merged rows. take gets the codes of rows that lie
// side by side in a source and in the result: those of the source from row on, those of the result
// from to on.
func (m *merger) walk(column func(s *Segment) *codeColumn, take func(source int, row, to uint32, codes []uint32) error) error {
	for _, s := range m.sources {
		s.walked = -1
	}
	to := uint32(0)
	for _, part := range m.stretches {
		s := m.sources[part.source]
		for row := part.from; row < part.to; {
			chunk := int(row) / ChunkRows
			if chunk != s.walked {
				var err error
				if s.codes, err = s.segment.codes(column(s.segment), s.runs, chunk, s.codes); err != nil {
					return err
				}
				s.walked = chunk
			}
			at := row % ChunkRows
			n := min(part.to-row, ChunkRows-at)
			if err := take(int(part.source), row, to, s.codes[at:at+n]); err != nil {
				return err
			}
			row, to = row+n, to+n
		}
	}
	return nil
}

// unset is a code of a source that no row had so far.
const unset = ^uint32(0)

// remaps returns, for each source, a table for so many codes, all of them unset.
func (m *merger) remaps(codes func(s *Segment) int) [][]uint32 {
	tables := make([][]uint32, len(m.sources))
	for i, s := range m.sources {
		tables[i] = slices.Repeat([]uint32{unset}, codes(s.segment))
	}
	return tables
}
