package query

import (
	"millimetric/index"
	"millimetric/index/bitmap"
)

// Of a segment that lies in the range as a whole, and of which all rows are wanted but those of bots, sets
// tell what else every row would have to be looked at for.

// wholly tells whether a pass wants all rows of a segment, or all but those of bots.
func (r *run) wholly(p *pass, s *sealed) (bool, error) {
	first, last := s.segment.TimeRange()
	_, greatest := s.segment.SeqRange()
	if first < p.from || last >= p.to || greatest > r.asOf || p.wants.others != nil {
		return false, nil
	}
	for _, t := range p.wants.tests {
		if own, err := t.open(s); err != nil || !own.all {
			return false, err
		}
	}
	return true, nil
}

// machines returns the rows of a segment that aren't wanted because they are bots'; ok is false where no
// sets tell.
func (r *run) machines(s *sealed) (rows bitmap.Set, ok bool, err error) {
	if r.common.IncludeBots {
		return bitmap.Set{}, true, nil
	}
	own, err := r.people.open(s)
	if err != nil || own.all {
		return bitmap.Set{}, own.all, err
	}
	var sets []bitmap.Set
	for code, verdict := range own.of {
		if verdict == verdictYes {
			continue
		}
		set, ok, err := s.segment.RowsWith(index.ColumnBot, uint32(code))
		if err != nil || !ok {
			return bitmap.Set{}, false, err
		}
		sets = append(sets, set)
	}
	return bitmap.Any(sets...), true, nil
}

// visitorsBut returns the visitors of a segment, without those of whom all rows are left out.
func (s *sealed) visitorsBut(without bitmap.Set) (bitmap.Set, error) {
	all, err := s.segment.VisitorSet()
	if err != nil || without.Count() == 0 {
		return all, err
	}
	if err := s.openRuns(); err != nil {
		return bitmap.Set{}, err
	}
	var gone []uint32
	run, left := 0, uint32(0) // rows of the run that aren't left out yet
	runs := s.runs
	without.Each(func(row uint32) bool {
		if row >= runs.Starts[run+1] || left == 0 {
			for row >= runs.Starts[run+1] {
				run++
			}
			left = runs.Starts[run+1] - runs.Starts[run]
		}
		if left--; left == 0 {
			gone = append(gone, runs.Ordinals[run])
		}
		return true
	})
	return all.Without(bitmap.Of(gone)), nil
}

// oneBucket returns the bucket in which all of a segment lies; ok is false where it lies in several.
func (c *calendar) oneBucket(s *sealed) (bucket uint32, ok bool) {
	first, last := s.segment.TimeRange()
	bucket = c.number(first)
	return bucket, last < c.latest.end
}
