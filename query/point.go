package query

import (
	"cmp"
	"slices"

	"millimetric/index"
	"millimetric/index/event"
)

// VisitorFinder is what a Source may offer beside: the ordinal of a visitor. Where it doesn't, a question
// about a visitor looks through the segments until one has it.
type VisitorFinder interface {
	Ordinal(anonymousID string) (ordinal uint32, known bool, err error)
}

// one is a user or a visitor that a question is about, of whom there are a few rows in a segment: these
// are found and read by themselves, as most of the segment is about others.
type one struct {
	column event.Column // anonymous_id or user_id
	value  string
	known  bool
	number uint32 // the visitor's ordinal, if known
	nobody bool   // there is no such visitor
}

// oneOf returns whom the conditions are about, nil where they are about more than one.
func oneOf(matches []Match, filters []Filter) *one {
	for _, column := range []event.Column{event.ColumnAnonymousID, event.ColumnUserID} {
		for _, m := range matches {
			if m.Column == column && m.Value != "" {
				return &one{column: column, value: m.Value}
			}
		}
		for _, f := range filters {
			if f.Join == JoinNone && f.Column == column && f.Property == "" && f.Op == OpEq && f.Values[0].Text != "" {
				return &one{column: column, value: f.Values[0].Text}
			}
		}
	}
	return nil
}

// pointRowsMax is how many rows are read one by one: beyond, reading all of the segment's columns that
// matter takes less.
const pointRowsMax = 2048

// pointBatch is how many rows are read at most between two looks at whether older ones can still matter, and
// pointBatchLeast at least: the rows of a page are read at once, and then a few at a time, as most of them aren't shown.
const (
	pointBatch      = 128
	pointBatchLeast = 16
)

// timedRow is a row of a segment and its time.
type timedRow struct {
	row  uint32
	time event.Time
}

// eachOfOne visits the rows of the one whom a pass is about; ok is false where they are too many. Times
// are looked at first, as they take little to read: where only the newest rows matter, most of them need
// not be read at all.
func (r *run) eachOfOne(p *pass, s *sealed) (ok bool, err error) {
	rows, err := r.rowsOfOne(p, s)
	if err != nil || len(rows) > pointRowsMax && p.tooOld == nil {
		return false, err
	}
	if len(rows) == 0 {
		return true, nil
	}
	s.used = true
	r.keepsPieces = r.common.Memo != nil && !s.segment.Hides()
	defer func() { r.keepsPieces = false }()
	reader, err := s.events()
	if err != nil {
		return false, err
	}
	if s.segment.Hides() {
		hidden := s.segment.Hidden()
		rows = slices.DeleteFunc(rows, hidden.Has)
	}
	timed, err := r.inRange(p, reader, rows)
	if err != nil {
		return false, err
	}
	if p.tooOld == nil {
		return true, r.showOne(p, s, reader, timed)
	}
	slices.SortFunc(timed, func(a, b timedRow) int { return cmp.Compare(b.time, a.time) })
	for len(timed) > 0 && !p.tooOld(timed[0].time) {
		batch := timed[:min(len(timed), pointBatch, max(p.lacks(), pointBatchLeast))]
		timed = timed[len(batch):]
		// Readers are best asked for rows that rise.
		slices.SortFunc(batch, func(a, b timedRow) int { return cmp.Compare(a.row, b.row) })
		if err := r.showOne(p, s, reader, batch); err != nil {
			return false, err
		}
	}
	return true, nil
}

// inRange returns those of some rows that lie in the range of a pass, with their times.
func (r *run) inRange(p *pass, reader *index.Reader, rows []uint32) ([]timedRow, error) {
	r.cost.Scanned += len(rows)
	r.work += 1 + len(rows)/rowsPerWork
	if err := r.look(p); err != nil {
		return nil, err
	}
	times, err := reader.Times(rows)
	if err != nil {
		return nil, err
	}
	timed := make([]timedRow, 0, len(rows))
	for i, t := range times {
		if t >= p.from && t < p.to {
			timed = append(timed, timedRow{rows[i], t})
		}
	}
	return timed, nil
}

// showOne reads the events of rows, which rise, and visits those that are wanted.
func (r *run) showOne(p *pass, s *sealed, reader *index.Reader, rows []timedRow) error {
	defer func() { s.fetched = nil }()
	if err := r.fetchOne(reader, rows); err != nil {
		return err
	}
	for _, at := range rows {
		r.work += 1 + p.wants.leaves/leavesPerWork
		if err := r.look(p); err != nil {
			return err
		}
		if err := r.noteRest(s, at.row); err != nil {
			return err
		}
		e, visitor, err := reader.Event(at.row)
		if err != nil {
			return err
		}
		if e.Seq > r.asOf || e.Bot != "" && !r.common.IncludeBots {
			continue
		}
		if shown := liveRow(&e, visitor); p.wants.hold(shown) {
			p.visit(shown)
		}
	}
	return nil
}

// fetchOne has what rows are made of fetched at the same time, where that isn't near: whole events are made of all
// columns, which lie far apart.
func (r *run) fetchOne(reader *index.Reader, rows []timedRow) error {
	numbers := make([]uint32, min(len(rows), pointBatch))
	for i := range numbers {
		numbers[i] = rows[i].row
	}
	return reader.Ahead(numbers)
}

// rowsOfOne returns the rows of the one whom a pass is about, and maybe others.
func (r *run) rowsOfOne(p *pass, s *sealed) ([]uint32, error) {
	o := p.one
	if o.column == event.ColumnUserID {
		users, ok, err := r.usersOf(p, s)
		if err != nil {
			return nil, err
		}
		if ok {
			return users.of(o.value), nil
		}
		code, found, err := s.column(colUser).dict.Find(o.value)
		if err != nil || !found {
			return nil, err
		}
		reader, err := s.events()
		if err != nil {
			return nil, err
		}
		return reader.RowsWith(event.ColumnUserID, code)
	}
	if err := o.find(r, s); err != nil || !o.known {
		return nil, err
	}
	reader, err := s.events()
	if err != nil {
		return nil, err
	}
	from, to, err := reader.RowsOf(o.number)
	if err != nil {
		return nil, err
	}
	rows := make([]uint32, 0, to-from)
	for row := from; row < to; row++ {
		rows = append(rows, row)
	}
	return rows, nil
}

// find looks for the ordinal of the visitor: in the source, or in this segment.
func (o *one) find(r *run, s *sealed) error {
	if o.known || o.nobody {
		return nil
	}
	if finder, ok := r.source.(VisitorFinder); ok {
		number, known, err := finder.Ordinal(o.value)
		o.number, o.known, o.nobody = number, known, !known && err == nil
		return err
	}
	visitors := s.segment.AnonymousIDs()
	for i := range uint32(visitors.Len()) {
		id, err := visitors.At(i)
		if err != nil {
			return err
		}
		if id != o.value {
			continue
		}
		if err := s.openRuns(); err != nil {
			return err
		}
		o.number, o.known = s.runs.Ordinals[i], true
		return nil
	}
	return nil
}

// newestFirst brings segments into the order of their last events, the newest first.
func newestFirst(segments []*index.Segment) []*index.Segment {
	segments = slices.Clone(segments)
	slices.SortStableFunc(segments, func(a, b *index.Segment) int { return cmp.Compare(lastOf(b), lastOf(a)) })
	return segments
}

func lastOf(s *index.Segment) event.Time {
	_, last := s.TimeRange()
	return last
}
