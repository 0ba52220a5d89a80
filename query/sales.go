package query

import (
	"strconv"

	"millimetric/index/event"
)

// sales are the conversions of a segment, where the name of an event says all that makes it one. The memo
// keeps them where they are few; that they are many it keeps, too.
type sales struct {
	list []conversion
	many bool
}

// salesMin is how many conversions of a segment are few, whatever part of it they are.
const salesMin = 256

// saleBytes is about what a conversion takes that is worth something.
const saleBytes = 128

func (s *sales) bytes() int64 { return int64(saleBytes * cap(s.list)) }

// soldPlainly tells whether the name of an event says all that makes it a conversion.
func (q *Attribution) soldPlainly() bool {
	return q.Actor == ActorVisitor && len(q.Filters) == 0 && len(q.Conversion.AnyOf) == 0 && len(q.Conversion.Filters) == 0
}

// sold takes in the conversions of a segment from the memo; taken is false where it has none of it.
func (q *Attribution) sold(r *run, p *pass, s *sealed, c *conversions) (taken bool, err error) {
	first, last := s.segment.TimeRange()
	if _, greatest := s.segment.SeqRange(); r.common.Memo == nil || first < p.from || last >= p.to || greatest > r.asOf {
		return false, nil
	}
	// The length of the first tells where the second begins.
	name := strconv.Itoa(len(q.Conversion.Event)) + " " + q.Conversion.Event + q.Value
	found, _, err := remembered(r, s, memoSales, name, func() (*sales, bool, error) {
		found, err := q.findSales(r, p, s, c)
		return found, true, err
	})
	if err != nil || found.many {
		return false, err
	}
	for _, one := range found.list {
		c.enter(one)
	}
	return true, nil
}

// findSales finds the conversions of a segment.
func (q *Attribution) findSales(r *run, p *pass, s *sealed, c *conversions) (*sales, error) {
	code, found, err := s.column(colName).dict.Find(q.Conversion.Event)
	if err != nil || !found {
		return &sales{}, err
	}
	rows, ok, err := s.segment.RowsWith(event.ColumnName, code)
	if err != nil || !ok || rows.Count() > max(salesMin, s.segment.Rows()/fewShare) {
		return &sales{many: true}, err
	}
	before := len(c.list)
	inner := *p
	inner.parted = nil
	err = r.eachOf(&inner, s.original)
	own := &sales{list: append([]conversion(nil), c.list[before:]...)}
	c.list = c.list[:before]
	return own, err
}
