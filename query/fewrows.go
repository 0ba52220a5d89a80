package query

import (
	"slices"

	"millimetric/index/bitmap"
)

// rowList is rows of a segment, rising, of which those before next are done with.
type rowList struct {
	rows []uint32
	next int
}

// fewShare is the share of rows below which it takes less to look at them alone than to unpack the columns
// of all, and fewCodes how many codes are looked up for it at most.
const (
	fewShare = 16
	fewCodes = 8
)

// fewRows returns the rows of a segment that a pass can want by one of its tests, where there are few of
// them and sets tell; else nil.
func (r *run) fewRows(p *pass, s *sealed) (*rowList, error) {
	for _, t := range p.wants.tests {
		own, err := t.open(s)
		if err != nil {
			return nil, err
		}
		codes, ok := t.rare(s, own)
		if !ok {
			continue
		}
		sets := make([]bitmap.Set, len(codes))
		for i, code := range codes {
			if sets[i], ok, err = s.segment.RowsWith(columnNames[t.column], code); err != nil || !ok {
				return nil, err
			}
		}
		if set := bitmap.Any(sets...); set.Count() <= s.segment.Rows()/fewShare {
			return &rowList{rows: set.Numbers()}, nil
		}
	}
	return nil, nil
}

// rare returns the codes that a test holds of, if it holds of a few known ones that aren't the most frequent.
func (t *columnTest) rare(s *sealed, own *verdicts) (codes []uint32, ok bool) {
	frequent, ok := s.segment.Frequent(columnNames[t.column])
	if !ok || !t.only {
		return nil, false
	}
	for code, verdict := range own.of {
		switch {
		case verdict == verdictOpen || verdict == verdictYes && (uint32(code) == frequent || len(codes) == fewCodes):
			return nil, false
		case verdict == verdictYes:
			codes = append(codes, uint32(code))
		}
	}
	return codes, len(codes) > 0
}

// seek moves to the first row that isn't below a row. What is asked for mostly rises.
func (l *rowList) seek(row uint32) {
	if l.next > 0 && l.rows[l.next-1] >= row {
		l.next = 0
	}
	at, _ := slices.BinarySearch(l.rows[l.next:], row)
	l.next += at
}

// from returns the first of the rows that isn't below a row, or a great number.
func (l *rowList) from(row int) int {
	if l.seek(uint32(row)); l.next == len(l.rows) {
		return noVisitor
	}
	return int(l.rows[l.next])
}

// rowsOf returns those of a list from from up to to, less first, in memory that is used again.
func (r *run) rowsOf(l *rowList, first, from, to int) []int32 {
	l.seek(uint32(from))
	r.chosen = r.chosen[:0]
	for ; l.next < len(l.rows) && int(l.rows[l.next]) < to; l.next++ {
		r.chosen = append(r.chosen, int32(int(l.rows[l.next])-first))
	}
	return r.chosen
}
