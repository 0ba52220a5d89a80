package query

import (
	"fmt"
	"strings"

	"millimetric/index"
	"millimetric/index/event"
)

// sealedProperty is a property in the segment at hand: the columns that have it, if any do.
type sealedProperty struct {
	of      *sealed
	literal *propertyColumn // of the whole name
	first   *propertyColumn // of its first step, where it has dots
}

// of returns the JSON of an event's property, "" where it is missing.
func (p *propertyReader) of(e *scanRow) string {
	if e.live != nil {
		return p.find(e.live.Properties)
	}
	s := &p.sealed
	if s.of != e.view.sealed {
		s.of = e.view.sealed
		s.literal, s.first = nil, nil
		s.literal = newPropertyColumn(s.of.segment.Property(p.name))
		if len(p.steps) > 1 {
			s.first = newPropertyColumn(s.of.segment.Property(p.steps[0]))
		}
	}
	if s.literal != nil {
		if value, ok := s.literal.at(e.view, e.at); ok || len(p.steps) == 1 {
			return value
		}
		if s.first != nil {
			value, _ := s.first.at(e.view, e.at)
			return p.follow(value)
		}
	}
	return p.find(e.view.properties(e.at, p.mayStand))
}

// propertyColumn reads the column of a property, chunk by chunk.
type propertyColumn struct {
	property *index.Property
	dict     *index.Dict
	json     []string // of the values met, by code
	chunk    int      // that was read last, -1 before
	rows     []uint32 // of that chunk which have the property, less its first
	values   []int64
	next     int // the first of rows that isn't before the row asked for last
	text     strings.Builder
	buffer   []byte
}

func newPropertyColumn(p *index.Property) *propertyColumn {
	if p == nil {
		return nil
	}
	c := &propertyColumn{property: p, chunk: -1}
	if p.Kind == index.PropertyValues {
		c.dict = p.Dict()
	}
	return c
}

// turn reads the chunk of a view.
func (c *propertyColumn) turn(v *view) error {
	if c.chunk == v.chunk {
		return nil
	}
	c.chunk, c.next, c.rows = v.chunk, 0, c.rows[:0]
	set, err := c.property.RowsIn(v.chunk)
	if err != nil {
		return err
	}
	c.rows = set.Between(c.rows, 0, index.ChunkRows)
	c.values, err = c.property.IntegersIn(v.chunk, len(c.rows), c.values)
	if err != nil {
		c.rows = c.rows[:0]
	}
	return err
}

// find looks for a row of the chunk; they mostly rise.
func (c *propertyColumn) find(at int) (value int64, ok bool) {
	if c.next > 0 && c.rows[c.next-1] >= uint32(at) {
		c.next = 0
	}
	for c.next < len(c.rows) && c.rows[c.next] < uint32(at) {
		c.next++
	}
	if c.next == len(c.rows) || c.rows[c.next] != uint32(at) {
		return 0, false
	}
	return c.values[c.next], true
}

// at returns the JSON that a row of a view has; ok is false where it has none.
func (c *propertyColumn) at(v *view, at int) (value string, ok bool) {
	if err := c.turn(v); err != nil {
		v.fail(err)
		return "", false
	}
	n, ok := c.find(v.first + at - v.chunk*index.ChunkRows)
	if !ok {
		return "", false
	}
	if c.dict == nil {
		return c.number(n), true
	}
	if c.json == nil {
		c.json = make([]string, c.dict.Len())
	}
	if c.json[n] == "" {
		text, err := c.dict.At(uint32(n))
		if err == nil && text == "" {
			err = &event.Error{Kind: event.ErrDamaged, Code: event.CodeDamaged, Cause: fmt.Errorf("value %d of a property is empty", n)}
		}
		if err != nil {
			v.fail(err)
			return "", false
		}
		if value, plain := c.property.JSON(text); plain {
			c.json[n] = value
		} else {
			c.json[n] = string(appendText(nil, text[1:]))
		}
	}
	return c.json[n], true
}

// numberBytes is how much memory the texts of numbers share.
const numberBytes = 4 << 10

// number spells a number.
func (c *propertyColumn) number(n int64) string {
	c.buffer = c.property.AppendNumber(c.buffer[:0], n)
	if c.text.Cap()-c.text.Len() < len(c.buffer) {
		c.text.Reset()
		c.text.Grow(numberBytes)
	}
	from := c.text.Len()
	c.text.Write(c.buffer)
	return c.text.String()[from:]
}
