package index

import (
	"errors"
	"slices"

	"millimetric/index/bitmap"
	"millimetric/index/event"
)

// Check reads all of the segment and says whether its parts agree: rows in their order, every bound
// of the header reached, every code in use, sets equal to the columns that they repeat, typed
// properties equal to the raw ones. A nil error means that every answer from it is right.
func (s *Segment) Check() error {
	c := &checker{segment: s}
	reader, err := s.Reader()
	if err != nil {
		return err
	}
	runs, err := s.Runs()
	if err != nil {
		return err
	}
	return errors.Join(c.rows(reader, runs), c.texts(runs), c.sets(runs), c.properties(reader))
}

type checker struct {
	segment *Segment
}

// rows makes every event once, and checks their order.
func (c *checker) rows(r *Reader, runs *Runs) error {
	s := c.segment
	if !slices.IsSorted(runs.Ordinals) {
		return damaged("the visitors aren't sorted")
	}
	seqs := make([]event.Seq, 0, s.rows)
	minTime, maxTime := s.maxTime, s.minTime
	var last event.Event
	lastRun := -1
	for row := range uint32(s.rows) {
		e, _, err := r.Event(row)
		if err != nil {
			return err
		}
		run := int(r.run)
		if run == lastRun && !last.Before(&e) {
			return damaged("row %d doesn't come behind the one before", row)
		}
		seqs = append(seqs, e.Seq)
		minTime, maxTime = min(minTime, e.Time), max(maxTime, e.Time)
		last, lastRun = e, run
	}
	slices.Sort(seqs)
	if minTime != s.minTime || maxTime != s.maxTime || seqs[0] != s.minSeq || seqs[len(seqs)-1] != s.maxSeq {
		return damaged("the bounds of times or positions aren't those of the rows")
	}
	if len(slices.Compact(seqs)) != s.rows {
		return damaged("two rows have the same position")
	}
	return nil
}

// texts checks that each dictionary rises and that each of its texts is used.
func (c *checker) texts(runs *Runs) error {
	s := c.segment
	columns := []event.Column{}
	for _, spec := range columnSpecs {
		columns = append(columns, spec.name)
	}
	for _, name := range append(columns, touchNames[:]...) {
		d := s.Dict(name)
		last := ""
		for code := range uint32(d.Len()) {
			text, err := d.At(code)
			if err != nil {
				return err
			}
			if d.Sorted() && code > 0 && text <= last {
				return damaged("text %d of column %s doesn't rise", code, name)
			}
			if !s.MayHold(name, text) {
				return damaged("the bounds of column %s leave out text %d", name, code)
			}
			last = text
		}
		if err := c.allUsed(name, runs, d.Len()); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) allUsed(name event.Column, runs *Runs, limit int) error {
	used := make([]bool, limit)
	var codes []uint32
	for chunk := range c.segment.Chunks() {
		var err error
		if codes, err = c.segment.Codes(name, runs, chunk, codes); err != nil {
			return err
		}
		for _, code := range codes {
			used[code] = true
		}
	}
	if at := slices.Index(used, false); at >= 0 {
		return damaged("no row has text %d of column %s", at, name)
	}
	return nil
}

// sets compares the sets with the columns.
func (c *checker) sets(runs *Runs) error {
	s := c.segment
	for _, name := range setColumns {
		limit := s.store(name).count
		if s.sets[name] == nil {
			if limit >= 2 && limit <= setValuesMax {
				return damaged("column %s has no sets", name)
			}
			continue
		}
		rows, err := c.rowsByCode(name, runs, limit)
		if err != nil {
			return err
		}
		for code, want := range rows {
			got, ok, err := s.RowsWith(name, uint32(code))
			if err != nil || !ok || !got.Equal(bitmap.Of(want)) {
				return errors.Join(err, damaged("the rows with code %d of column %s", code, name))
			}
		}
	}
	return c.nameVisitors(runs)
}

func (c *checker) rowsByCode(name event.Column, runs *Runs, limit int) ([][]uint32, error) {
	rows := make([][]uint32, limit)
	var codes []uint32
	for chunk := range c.segment.Chunks() {
		var err error
		if codes, err = c.segment.Codes(name, runs, chunk, codes); err != nil {
			return nil, err
		}
		from, _ := c.segment.ChunkBounds(chunk)
		for i, code := range codes {
			rows[code] = append(rows[code], uint32(from+i))
		}
	}
	return rows, nil
}

func (c *checker) nameVisitors(runs *Runs) error {
	s := c.segment
	limit := s.store(event.ColumnName).count
	if len(s.nameVisitors) == 0 {
		if limit <= namesWithSets {
			return damaged("the names have no visitors")
		}
		return nil
	}
	rows, err := c.rowsByCode(event.ColumnName, runs, limit)
	if err != nil {
		return err
	}
	for code, list := range rows {
		for i, row := range list {
			list[i] = runs.Ordinals[runs.Of(row)]
		}
		got, ok, err := s.VisitorsWith(uint32(code))
		if err != nil || !ok || !got.Equal(bitmap.Of(slices.Compact(list))) {
			return errors.Join(err, damaged("the visitors with name %d", code))
		}
	}
	return nil
}

// properties compares each typed column with the raw texts.
func (c *checker) properties(r *Reader) error {
	for _, name := range c.segment.PropertyNames() {
		p := c.segment.Property(name)
		var members []member
		for row := range uint32(c.segment.rows) {
			object, err := r.Properties(row)
			if err != nil {
				return err
			}
			if value, ok := findMember(object, name); ok {
				members = append(members, member{row, value})
			}
		}
		if err := p.check(members); err != nil {
			return err
		}
	}
	return nil
}

func (p *Property) check(members []member) error {
	set, err := p.Rows()
	if err != nil {
		return err
	}
	rows := set.Numbers()
	if len(rows) != len(members) {
		return damaged("property %s: %d rows, the raw texts have %d", p.Name, len(rows), len(members))
	}
	for i, m := range members {
		if rows[i] != m.row {
			return damaged("property %s: row %d has it", p.Name, m.row)
		}
	}
	if p.Kind == PropertyNumbers {
		got, err := p.Numbers()
		if err != nil {
			return err
		}
		want, scale, ok := integersOf(members)
		if !ok || scale != p.Scale || !slices.Equal(got, want) {
			return damaged("property %s: its numbers aren't those of the raw texts", p.Name)
		}
		return nil
	}
	codes, err := p.Codes()
	if err != nil {
		return err
	}
	d := p.Dict()
	for i, m := range members {
		text, err := d.At(codes[i])
		if err != nil {
			return err
		}
		if text != valueOf(m.value) {
			return damaged("property %s: the value of row %d isn't that of the raw text", p.Name, m.row)
		}
	}
	return nil
}
