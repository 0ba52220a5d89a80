package query

import (
	"slices"
	"strconv"
	"weak"

	"millimetric/index"
	"millimetric/index/event"
)

// sales are the conversions of a segment, where the name of an event says all that makes it one, by actor and in
// order, as the rows are. The memo keeps them where they are few; that they are many it keeps, too.
type sales struct {
	list []conversion
	many bool
}

// salesMin is how many conversions of a segment are few, whatever part of it they are.
const salesMin = 256

// saleBytes is about what a conversion takes.
const saleBytes = 64

func (s *sales) bytes() int64 { return int64(saleBytes * cap(s.list)) }

// soldPlainly tells whether the name of an event says all that makes it a conversion.
func (q *Attribution) soldPlainly() bool {
	return q.Actor == ActorVisitor && len(q.Filters) == 0 && len(q.Conversion.AnyOf) == 0 && len(q.Conversion.Filters) == 0
}

// sold takes in the conversions of a segment from the memo; taken is false where it has none of it.
func (q *Attribution) sold(r *run, p *pass, s *sealed, c *conversions) (taken bool, err error) {
	if _, greatest := s.segment.SeqRange(); r.common.Memo == nil || greatest > r.asOf || s.segment.Hides() {
		return false, nil
	}
	found, _, err := remembered(r, s, memoSales, q.saleName(), func() (*sales, bool, error) {
		found, err := q.findSales(r, p, s, c)
		return found, true, err
	})
	if err != nil || found.many {
		return false, err
	}
	if first, last := s.segment.TimeRange(); first < p.from || last >= p.to {
		for i := range found.list {
			if one := &found.list[i]; one.at.time >= p.from && one.at.time < p.to {
				c.list = append(c.list, *one)
			}
		}
	} else if len(found.list) > 0 {
		c.sold = append(c.sold, soldIn{s, found})
	}
	return true, nil
}

// findSales finds the conversions of a segment, whenever they were.
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
	inner.from, inner.to, inner.parted = event.TimeMin, event.TimeMax+1, nil
	err = r.eachOf(&inner, s.original)
	own := &sales{list: append([]conversion(nil), c.list[before:]...)}
	c.list = c.list[:before]
	return own, err
}

// saleName says what the conversions are that the memo keeps.
func (q *Attribution) saleName() string {
	// The length of the first tells where the second begins.
	return strconv.Itoa(len(q.Conversion.Event)) + " " + q.Conversion.Event + q.Value
}

// soldIn are the conversions of a segment.
type soldIn struct {
	in    *sealed
	sales *sales
}

// joinedSales are the conversions of several segments, by actor and in order.
type joinedSales struct {
	segments []weak.Pointer[index.Segment]
	list     []conversion
}

func (s *joinedSales) bytes() int64 { return int64(saleBytes*cap(s.list) + 8*cap(s.segments)) }

func (s *joinedSales) about() []weak.Pointer[index.Segment] { return s.segments }

// joinSold takes the conversions of whole segments into the list. Those of the same segments together the memo keeps,
// so the list is not to be changed after.
func (c *conversions) joinSold(r *run, q *Attribution) {
	if len(c.sold) == 0 {
		return
	}
	joined := c.sold[0].sales.list
	if len(c.sold) > 1 {
		c.together = c.soldTogether(r, q)
		joined = c.together.list
	}
	if len(c.list) == 0 {
		c.list = joined
		return
	}
	c.list = mergeSorted([][]conversion{joined, c.list}, (*conversion).compare)
}

// soldKey names what is kept about the conversions of several segments.
func (c *conversions) soldKey(r *run, q *Attribution, kind memoKind) memoKey {
	key := r.memoKey(c.sold[0].in, kind, q.saleName())
	key.number = len(c.sold) // as there may be several ranges that end alike
	return key
}

func (c *conversions) soldTogether(r *run, q *Attribution) *joinedSales {
	own := &joinedSales{}
	for _, of := range c.sold {
		own.segments = append(own.segments, weak.Make(of.in.original))
	}
	key := c.soldKey(r, q, memoSoldTogether)
	if known, ok := r.common.Memo.get(key); ok && slices.Equal(known.(*joinedSales).segments, own.segments) {
		return known.(*joinedSales)
	}
	lists := make([][]conversion, len(c.sold))
	for i, of := range c.sold {
		lists[i] = of.sales.list
	}
	own.list = mergeSorted(lists, (*conversion).compare)
	r.common.Memo.replace(key, own)
	return own
}
