package query

import (
	"millimetric/index"
	"millimetric/index/bitmap"
)

// Of a segment that lies in the range as a whole, and of which all rows are wanted but those of bots, sets
// tell what else every row would have to be looked at for.

// wholly tells whether a pass wants all rows of a segment, or all but those of bots.
func (r *run) wholly(p *pass, s *sealed) (bool, error) {
	sieve, ok, err := r.sieve(p, s)
	return ok && sieve == "", err
}

// sieve names which rows of a segment a pass wants, bots aside, where that goes by columns alone: "" where it
// wants all. ok is false where the segment doesn't lie in the pass as a whole.
func (r *run) sieve(p *pass, s *sealed) (name string, ok bool, err error) {
	first, last := s.segment.TimeRange()
	_, greatest := s.segment.SeqRange()
	if first < p.from || last >= p.to || greatest > r.asOf || s.segment.Hides() || p.wants.others != nil {
		return "", false, nil
	}
	for _, t := range p.wants.tests {
		own, err := t.open(s)
		if err != nil {
			return "", false, err
		}
		if !own.all {
			name += t.key
		}
	}
	return name, true, nil
}

// sifted leaves the rows that the conditions of a pass on single columns hold of.
func (p *pass) sifted(v *view, chosen []int32) []int32 {
	for _, t := range p.wants.tests {
		chosen = t.choose(v, chosen)
	}
	return chosen
}

// wantedOf returns the visitors of a segment of whom a pass wants rows, by what sieve says of it, and how many
// rows; ok is false where these must be looked at.
func (r *run) wantedOf(p *pass, s *sealed, sieve string) (counted, bool, error) {
	if sieve == "" {
		return r.peopleOf(s)
	}
	return again(r, s, memoSifted, sieve, func() (counted, bool, error) {
		var list visitorList
		rows := 0
		err := r.eachChunk(p, s, func() int { return len(list.ordinals) / 4 }, func(v *view, chosen []int32) {
			chosen = p.sifted(v, chosen)
			rows += len(chosen)
			for _, at := range chosen {
				list.meet(v.come(int(at)))
			}
		})
		return counted{visitors: bitmap.Of(list.ordinals), rows: rows}, err == nil, err
	})
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

// peopleOf returns the visitors of a segment without those whose rows are all left out as bots', and how many
// rows aren't; ok is false where no sets tell.
func (r *run) peopleOf(s *sealed) (counted, bool, error) {
	return remembered(r, s, memoPeople, "", func() (counted, bool, error) {
		machines, ok, err := r.machines(s)
		if err != nil || !ok {
			return counted{}, false, err
		}
		visitors, err := s.visitorsBut(machines)
		return counted{visitors: visitors, rows: s.segment.Rows() - machines.Count()}, err == nil, err
	})
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

// visitorsNamed returns the visitors of a segment with an event of a name that isn't left out as a bot's;
// ok is false where no sets tell.
func (r *run) visitorsNamed(s *sealed, name string) (visitors bitmap.Set, ok bool, err error) {
	found, ok, err := remembered(r, s, memoNamed, name, func() (counted, bool, error) {
		visitors, ok, err := r.findNamed(s, name)
		return counted{visitors: visitors}, ok, err
	})
	return found.visitors, ok, err
}

func (r *run) findNamed(s *sealed, name string) (visitors bitmap.Set, ok bool, err error) {
	code, found, err := s.column(colName).dict.Find(name)
	if err != nil || !found {
		return bitmap.Set{}, err == nil, err
	}
	machines, ok, err := r.machines(s)
	if err != nil || !ok {
		return bitmap.Set{}, false, err
	}
	visitors, ok, err = s.segment.VisitorsWith(code)
	if err != nil || !ok || machines.Count() == 0 {
		return visitors, ok, err
	}
	gone, err := r.goneWith(s, code, machines)
	return visitors.Without(gone), err == nil, err
}

// goneWith returns the visitors with some rows left out who have no other row with a code of a name.
func (r *run) goneWith(s *sealed, code uint32, without bitmap.Set) (bitmap.Set, error) {
	if err := s.openRuns(); err != nil {
		return bitmap.Set{}, err
	}
	var gone []uint32
	v, runs, rows := r.viewOf(), s.runs, without.Numbers()
	for run := 0; len(rows) > 0; {
		for rows[0] >= runs.Starts[run+1] {
			run++
		}
		own := 0
		for own < len(rows) && rows[own] < runs.Starts[run+1] {
			own++
		}
		if uint32(own) == runs.Starts[run+1]-runs.Starts[run] || !v.hasOther(s, run, code, rows[:own]) {
			gone = append(gone, runs.Ordinals[run])
		}
		rows = rows[own:]
	}
	return bitmap.Of(gone), v.err
}

// hasOther tells whether a run has a row with a code of a name that is none of those given, which rise.
func (v *view) hasOther(s *sealed, run int, code uint32, without []uint32) bool {
	for row := s.runs.Starts[run]; row < s.runs.Starts[run+1]; row++ {
		if len(without) > 0 && without[0] == row {
			without = without[1:]
			continue
		}
		v.reach(s, int(row), s.segment.Rows())
		if v.codesOf(colName)[int(row)-v.first] == code {
			return true
		}
	}
	return false
}

// oneBucket returns the bucket in which all of a segment lies; ok is false where it lies in several.
func (c *calendar) oneBucket(s *sealed) (bucket uint32, ok bool) {
	first, last := s.segment.TimeRange()
	bucket = c.number(first)
	return bucket, last < c.latest.end
}
