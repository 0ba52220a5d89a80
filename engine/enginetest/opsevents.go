package enginetest

import (
	"cmp"
	"fmt"
	"strconv"

	"millimetric/index/event"
)

// idDays is for how many days a repeat is known for certain, even where the event itself is gone.
const idDays = 34

// events makes some events about now: late ones, repeats of all kinds and links among them.
func (r *opsRun) events(p event.Project, n int) []event.Event {
	all := r.gen.Events(n)
	for i := range all {
		e := &all[i]
		r.names++
		e.ID = ""
		e.Time = r.now() - event.Time(r.random.Int64N(600_000))
		switch r.random.IntN(24) {
		case 0:
			r.late(p, e, r.random.Int64N(3*dayMillis))
		case 1:
			r.late(p, e, r.random.Int64N(120*dayMillis))
		case 2: // at the very edge of a day
			r.late(p, e, int64(e.Time)%dayMillis+int64(r.random.IntN(3))-1)
		}
		if r.random.IntN(2) == 0 {
			e.SessionID, e.SessionDerived = e.AnonymousID+"-"+strconv.FormatInt(int64(e.Time)/1000/1800, 10), true
		}
		if r.random.IntN(9) == 0 {
			e.Name, e.UserID = "$identify", fmt.Sprint("u", r.random.IntN(4))
			r.count("a link")
		}
		if r.random.IntN(3) > 0 {
			e.ID = fmt.Sprint("id-", r.names)
		}
		if r.random.IntN(6) == 0 {
			e.ID = cmp.Or(r.repeat(p, all[:i]), e.ID)
		}
	}
	return all
}

func (r *opsRun) late(p event.Project, e *event.Event, by int64) {
	e.Time = max(event.TimeMin, e.Time-event.Time(by))
	r.count("a late event")
	if e.Time < r.model.Floor(p) {
		r.count("an event that comes too late")
	}
	if e.UserID != "" {
		r.count("a late link")
	}
}

// repeat picks the id of an earlier event of the project, of this request or of one before it.
func (r *opsRun) repeat(p event.Project, now []event.Event) string {
	if len(now) > 0 && r.random.IntN(3) == 0 {
		id := now[r.random.IntN(len(now))].ID
		if id != "" {
			r.count("a repeat within a request")
		}
		return id
	}
	known := r.sent[p]
	if len(known) == 0 {
		return ""
	}
	picked := known[r.random.IntN(len(known))]
	if r.elapsed.Load()-picked.at > idDays*dayMillis {
		return ""
	}
	r.mu.Lock()
	sealed, reopened := picked.seq <= r.watermark[p], picked.seq <= r.reopened[p]
	r.mu.Unlock()
	switch {
	case reopened:
		r.count("a repeat of what was there before a start")
	case sealed:
		r.count("a repeat of a sealed event")
	default:
		r.count("a repeat of a live event")
	}
	return picked.id
}
