package query

import (
	"cmp"

	"millimetric/index/event"
)

// slot keeps a live event, or where a sealed one lies.
type slot struct {
	live   *event.Event
	sealed *sealed
	row    uint32
}

func (s *slot) keep(e *scanRow) {
	if e.live != nil {
		live := *e.live
		*s = slot{live: &live}
		return
	}
	*s = slot{sealed: e.view.sealed, row: uint32(e.view.first + e.at)}
}

// compare orders slots so that the rows of each segment stand together, and rise.
func (s *slot) compare(o *slot) int {
	return cmp.Or(cmp.Compare(s.ordered(), o.ordered()), cmp.Compare(s.row, o.row))
}

func (s *slot) ordered() int {
	if s.sealed == nil {
		return -1
	}
	return s.sealed.number
}

// read makes the whole event of a slot.
func (r *run) read(s *slot) error {
	if s.live != nil {
		return nil
	}
	reader, err := s.sealed.events()
	if err != nil {
		return err
	}
	if err := r.noteRest(s.sealed, s.row); err != nil {
		return err
	}
	e, _, err := reader.Event(s.row)
	s.live = &e
	return err
}

// bare makes the event of a slot without its properties and its id. Slots are best asked for in their
// order.
func (r *run) bare(s *slot) (event.Event, error) {
	if s.live != nil {
		return *s.live, nil
	}
	v := r.viewOf()
	v.reach(s.sealed, int(s.row), s.sealed.segment.Rows())
	row := scanRow{view: v, at: int(s.row) - v.first}
	row.time = v.timesOf()[row.at]
	row.visitor = v.come(row.at)
	e := event.Event{
		Time: row.time, Seq: row.seq(), Name: row.name(), AnonymousID: row.anonymousID(), UserID: row.user(), SessionID: row.sessionID(),
		SessionDerived: row.sessionDerived(), URL: row.url(), Path: row.path(), Referrer: row.text(colReferrer),
		Source: row.text(colSource), Medium: row.text(colMedium), Campaign: row.text(colCampaign),
		SourceConfidence: row.text(colConfidence), SourceRule: row.text(colRule),
		Country: row.text(colCountry), Device: row.text(colDevice), Browser: row.text(colBrowser), OS: row.text(colOS), Bot: row.text(colBot),
	}
	return e, v.err
}
