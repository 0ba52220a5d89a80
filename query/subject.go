package query

import (
	"time"

	"millimetric/index/event"
)

// Subject asks for all that is kept on one person, bots' events included: of a user the events with that
// user_id, and those without one that the person rule gives to the user; of a visitor all its events. It
// is what erasing that person would take.
type Subject struct {
	Common
	UserID      string // one of the two is set
	AnonymousID string

	devices map[string]bool // of the batch at hand
}

// NameSubject is the name of its path in the API.
const NameSubject = "subject"

// ParseSubject reads whom it is about.
func ParseSubject(form Form) (*Subject, error) {
	r := newReader(form.limited())
	q := &Subject{Common: r.listed(time.UTC, FormatNDJSON, FormatCSV)}
	user, isUser := r.text("user_id")
	visitor, isVisitor := r.text("anonymous_id")
	if isUser == isVisitor && len(r.errs) == 0 {
		r.errs.Add("user_id", "Exactly one of user_id and anonymous_id is required")
	}
	q.From, q.To, q.IncludeBots = event.TimeMin, event.TimeMax+1, true
	q.UserID, q.AnonymousID = user, visitor
	return q, r.finish()
}

// DescribeSubject says what it takes.
func DescribeSubject() Description {
	return Description{Name: NameSubject, Short: "Stream all that is kept on one person: what forgetting would erase", Params: []Param{
		{Name: "user_id", Kind: KindText, Help: "the person, by user"},
		{Name: "anonymous_id", Kind: KindText, Help: "the person, by visitor; one of the two is required"},
		{Name: "format", Kind: KindFormat, Words: []string{string(FormatNDJSON), string(FormatCSV)}, Default: string(FormatNDJSON), Help: "how it is written"},
		{Name: "as_of", Kind: KindPosition, Help: "as it was at this position"},
		{Name: "project_id", Kind: KindProject, Help: "project that is asked about; an account key (ak_…) must name one"},
		{Name: "project_slug", Kind: KindProject, Help: "the same, by its slug"},
	}}
}

func (q *Subject) after() event.Seq { return 0 }

// devicesAlone is up to how many linked visitors are looked up one by one: beyond, to look at all events
// takes less.
const devicesAlone = 16

func (q *Subject) looks(r *run) ([]look, error) {
	if q.AnonymousID != "" {
		return []look{lookAt(event.ColumnAnonymousID, q.AnonymousID, nil)}, nil
	}
	devices, err := r.devicesOf(q.UserID)
	if err != nil {
		return nil, err
	}
	q.devices = devices
	looks := []look{lookAt(event.ColumnUserID, q.UserID, nil)}
	userless := func(e *scanRow) bool { return e.user() == "" }
	if len(devices) <= devicesAlone {
		for device := range devices {
			looks = append(looks, lookAt(event.ColumnAnonymousID, device, userless))
		}
		return looks, nil
	}
	return append(looks, look{wants: conditionsOf(nil, nil), holds: func(e *scanRow) bool {
		return userless(e) && devices[e.anonymousID()]
	}}), nil
}

// Devices returns the visitors that are linked with the user, as the last batch found them.
func (q *Subject) Devices() map[string]bool { return q.devices }

func lookAt(column event.Column, value string, holds func(*scanRow) bool) look {
	matches := []Match{{Param: string(column), Column: column, Value: value}}
	return look{wants: conditionsOf(matches, nil), one: oneOf(matches, nil), holds: holds}
}

// devicesOf returns the visitors whose first link is with a user. Links are gone through twice, so that
// only those of visitors who have one with the user are held.
func (r *run) devicesOf(user string) (map[string]bool, error) {
	r.reads(event.TimeMin, event.TimeMax+1)
	floor := linkFloor(r.source)
	counts := func(l event.Link) bool { return l.Seq <= r.asOf && l.Time >= floor }
	first := map[string]event.Link{}
	var over error
	look := func(held int) bool {
		if r.work++; r.work >= lookEvery {
			r.work, over = 0, r.overBudget(held)
		}
		return over == nil
	}
	err := r.source.Links(func(l event.Link) bool {
		if counts(l) && l.UserID == user {
			first[l.AnonymousID] = l
		}
		return look(len(first))
	})
	if err != nil || over != nil || len(first) == 0 {
		return nil, either(over, err)
	}
	err = r.source.Links(func(l event.Link) bool {
		if known, ok := first[l.AnonymousID]; ok && counts(l) && l.Before(known) {
			first[l.AnonymousID] = l
		}
		return look(len(first))
	})
	devices := map[string]bool{}
	for device, l := range first {
		if l.UserID == user {
			devices[device] = true
		}
	}
	return devices, either(over, err)
}

func either(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
