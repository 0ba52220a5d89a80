package query

import (
	"millimetric/index"
	"millimetric/index/event"
)

// column numbers the columns that have codes in a segment.
type column int8

// The columns. Those from colSource on say where a visit came from: a segment keeps one code for what they
// say together. noColumn is for what has no codes: ids, addresses as a whole, properties.
const (
	colName column = iota
	colUser
	colPath
	colSite
	colRest
	colReferrer
	colCountry
	colDevice
	colBrowser
	colOS
	colBot
	colSource
	colMedium
	colCampaign
	colConfidence
	colRule
	columnCount

	noColumn column = -1
)

var columnNames = [columnCount]event.Column{
	colName: event.ColumnName, colUser: event.ColumnUserID, colPath: event.ColumnPath, colSite: index.ColumnSite, colRest: index.ColumnRest,
	colReferrer: event.ColumnReferrer, colCountry: event.ColumnCountry, colDevice: event.ColumnDevice, colBrowser: event.ColumnBrowser,
	colOS: event.ColumnOS, colBot: index.ColumnBot, colSource: event.ColumnSource, colMedium: event.ColumnMedium,
	colCampaign: event.ColumnCampaign, colConfidence: event.ColumnSourceConfidence, colRule: event.ColumnSourceRule,
}

// columnOf returns the number of a column, noColumn where it has none.
func columnOf(name event.Column) column {
	for c, n := range columnNames {
		if n == name {
			return column(c)
		}
	}
	return noColumn
}

// scanRow is one event as a scan shows it: a live event, or a row of a segment, of which only those
// columns are read that are asked for. It is only valid during the call that it is shown in; texts
// that it gave stay.
type scanRow struct {
	time    event.Time
	visitor uint32       // the ordinal of its visitor
	live    *event.Event // nil for a row of a segment
	view    *view        // nil for a live event
	at      int          // the row's place in the view
}

// liveRow shows an event that is at hand as a whole.
func liveRow(e *event.Event, visitor uint32) *scanRow {
	return &scanRow{time: e.Time, visitor: visitor, live: e}
}

func (e *scanRow) seq() event.Seq {
	if e.live != nil {
		return e.live.Seq
	}
	return e.view.seq(e.at)
}

// place is where the event stands in the order of events.
func (e *scanRow) place() place { return place{time: e.time, seq: e.seq()} }

// text returns the text of a column that has codes.
func (e *scanRow) text(c column) string {
	if e.live == nil {
		return e.view.text(c, e.at)
	}
	switch c {
	case colName:
		return e.live.Name
	case colUser:
		return e.live.UserID
	case colPath:
		return e.live.Path
	case colSource:
		return e.live.Source
	case colMedium:
		return e.live.Medium
	case colCampaign:
		return e.live.Campaign
	case colCountry:
		return e.live.Country
	case colDevice:
		return e.live.Device
	case colBot:
		return e.live.Bot
	}
	text, _ := e.live.Text(columnNames[c])
	return text
}

func (e *scanRow) name() string { return e.text(colName) }
func (e *scanRow) user() string { return e.text(colUser) }
func (e *scanRow) path() string { return e.text(colPath) }

func (e *scanRow) anonymousID() string {
	if e.live != nil {
		return e.live.AnonymousID
	}
	return e.view.anonymousID(e.at)
}

func (e *scanRow) sessionID() string {
	if e.live != nil {
		return e.live.SessionID
	}
	return e.view.sessionID(e.at, e.time)
}

func (e *scanRow) sessionDerived() bool {
	if e.live != nil {
		return e.live.SessionDerived
	}
	return e.view.flag(flagDerived, e.at)
}

func (e *scanRow) url() string {
	if e.live != nil {
		return e.live.URL
	}
	return e.view.url(e.at)
}

// hasAddress tells whether the event carries a URL or a referrer.
func (e *scanRow) hasAddress() bool {
	if e.live != nil {
		return e.live.URL != "" || e.live.Referrer != ""
	}
	return e.text(colReferrer) != "" || e.text(colSite) != "" || e.text(colRest) != "" || e.view.flag(flagInURL, e.at)
}

func (e *scanRow) eventID() string {
	if e.live != nil {
		return e.live.ID
	}
	return e.view.eventID(e.at)
}

// code returns the code of a column in the row's segment.
func (e *scanRow) code(c column) uint32 { return e.view.codesOf(c)[e.at] }

// codeMemo remembers what the codes of the segment at hand stand for elsewhere: a number above 0.
type codeMemo struct {
	of      *sealed
	numbers []uint32
}

// slot returns where the memo keeps what a code of a row's segment stands for; it holds 0 as long as
// that isn't known.
func (m *codeMemo) slot(s *sealed, code uint32) *uint32 {
	if m.of != s {
		m.of = s
		clear(m.numbers)
	}
	return at(&m.numbers, code)
}

// perSegment keeps something for each segment, as those may be walked side by side.
type perSegment[T any] struct {
	of   *sealed
	own  *T
	kept []*T // by number of the segment
}

// turn returns what is kept for a segment; found is false the first time.
func (p *perSegment[T]) turn(s *sealed) (own *T, found bool) {
	if p.of == s {
		return p.own, true
	}
	kept := at(&p.kept, uint32(s.number))
	if found = *kept != nil; !found {
		*kept = new(T)
	}
	p.of, p.own = s, *kept
	return p.own, found
}

// sessionNumbers numbers session ids. In a segment each session's id is made and looked up once.
type sessionNumbers struct {
	*numbering[string]
	memos perSegment[[]uint32] // by session
}

func newSessionNumbers() *sessionNumbers { return &sessionNumbers{numbering: newNumbering[string]()} }

// slot is where the number of a row's session is kept.
func (n *sessionNumbers) slot(v *view, row int) *uint32 {
	memo, found := n.memos.turn(v.sealed)
	if !found {
		*memo = make([]uint32, v.sealed.segment.Sessions())
		v.run.viewRoom().lend(4 * int64(len(*memo)))
	}
	return at(memo, v.session(row))
}

// number returns the number of an event's session id.
func (n *sessionNumbers) number(e *scanRow) uint32 {
	if e.live != nil {
		return n.numbering.number(e.live.SessionID)
	}
	slot := n.slot(e.view, e.at)
	if *slot <= sessionUnknown {
		*slot = n.numbering.number(e.sessionID()) + sessionUnknown + 1
	}
	return *slot - sessionUnknown - 1
}

// sessionUnknown stands in the memo for an id that has no number.
const sessionUnknown = 1

// find returns the number of an event's session id, if it has one.
func (n *sessionNumbers) find(e *scanRow) (number uint32, ok bool) {
	if e.live != nil {
		number, ok = n.of[e.live.SessionID]
		return number, ok
	}
	slot := n.slot(e.view, e.at)
	if *slot == 0 {
		*slot = sessionUnknown
		if number, ok := n.of[e.sessionID()]; ok {
			*slot = number + sessionUnknown + 1
		}
	}
	return *slot - sessionUnknown - 1, *slot != sessionUnknown
}
