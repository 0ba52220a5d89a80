package index

import "millimetric/index/bitmap"

// Without returns the segment with some rows hidden, and no others. They are still there: columns and sets
// have them, and so do the counts of rows and visitors. Whoever reads rows leaves them out, and asks Hides
// before it goes by sets alone; Links leaves them out itself. Merge makes a segment that doesn't have
// them.
func (s *Segment) Without(rows bitmap.Set) *Segment {
	c := *s
	c.hides, c.hidden = rows.Count() > 0, rows
	return &c
}

// Hides reports whether some rows are hidden.
func (s *Segment) Hides() bool { return s.hides }

// Hidden returns the rows that are.
func (s *Segment) Hidden() bitmap.Set { return s.hidden }
