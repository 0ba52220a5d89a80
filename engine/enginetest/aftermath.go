package enginetest

import (
	"bytes"
	"context"

	"millimetric/engine"
	"millimetric/index/event"
)

// aftermath checks what one cut left.
type aftermath struct {
	*Result
	dir   string
	name  string
	plans []plan
	cut   *cut
	more  func(*engine.Engine) // looks at more than events; may be nil
}

// check opens what is left and looks at it; again sends what wasn't acknowledged once more, too.
func (a aftermath) check(opt engine.Options, again bool) {
	a.Points++
	for s, p := range a.plans {
		for _, r := range p[:a.cut.acked[s]] {
			a.Acked += len(r.kept)
		}
	}
	e, err := engine.Open(a.dir, opt)
	if err != nil {
		a.problem("%s: open: %v", a.name, err)
		for s, p := range a.plans {
			for _, r := range p[:a.cut.acked[s]] {
				a.Lost += len(r.kept)
			}
		}
		return
	}
	a.senders(a.found(e))
	a.readers(e)
	if a.more != nil {
		a.more(e)
	}
	if again {
		a.sendAgain(e)
	}
	if err := e.Close(); err != nil {
		a.problem("%s: close: %v", a.name, err)
	}
	if again {
		report, err := engine.Check(a.dir, opt)
		if err != nil || len(report.Problems) > 0 {
			a.problem("%s: check: %v, %v", a.name, err, report.Problems)
		}
	}
}

// place is where an event was found. Its session tells events apart.
type place struct {
	project event.Project
	session string
}

// found returns how often each event is there. It compares them with what was sent, too.
func (a aftermath) found(e *engine.Engine) map[place]int {
	found := map[place]int{}
	sent := map[place]event.Event{}
	for _, p := range a.plans {
		for _, r := range p {
			for _, ev := range r.kept {
				sent[place{r.project, ev.SessionID}] = ev
			}
		}
	}
	for p := range event.Project(projects) {
		snapshot := e.Snapshot(1 + p)
		events := Events(snapshot)
		if len(events) != int(snapshot.AsOf()) {
			a.problem("%s: project %d as of %d has %d events", a.name, 1+p, snapshot.AsOf(), len(events))
		}
		for i, ev := range events {
			at := place{1 + p, ev.SessionID}
			found[at]++
			want, ok := sent[at]
			want.Seq = event.Seq(i + 1)
			if !ok || ev != want {
				a.problem("%s: project %d holds %+v, sent was %+v", a.name, 1+p, ev, want)
			}
		}
	}
	return found
}

// senders checks that of each sender's requests a prefix is there, as long as what was acknowledged.
func (a aftermath) senders(found map[place]int) {
	for s, p := range a.plans {
		ended := false
		for i, r := range p {
			there, twice := 0, 0
			for _, ev := range r.kept {
				n := found[place{r.project, ev.SessionID}]
				there += min(n, 1)
				twice += max(n-1, 0)
			}
			if twice > 0 {
				a.Lost += twice
				a.problem("%s: %d events of request %d of sender %d are there twice", a.name, twice, i, s)
			}
			if len(r.kept) == 0 {
				continue
			}
			whole := there == len(r.kept)
			if !whole && there > 0 {
				a.Torn++
				a.problem("%s: request %d of sender %d is there in part", a.name, i, s)
			}
			if i < a.cut.acked[s] {
				a.Lost += len(r.kept) - there
			} else {
				a.Unacked += there
			}
			if whole && ended {
				a.problem("%s: request %d of sender %d is there, one before it isn't", a.name, i, s)
			}
			ended = ended || !whole
		}
	}
}

// readers checks that all that was visible before the cut is there unchanged.
func (a aftermath) readers(e *engine.Engine) {
	for p, before := range a.cut.events {
		now := Events(e.Snapshot(event.Project(1 + p)))
		for i, ev := range before {
			a.Seen++
			if i >= len(now) || now[i] != ev {
				a.Unseen++
			}
		}
	}
}

// record checks that a record is there as it was put.
func (a aftermath) record(e *engine.Engine, want engine.Record) {
	records, err := e.Records(want.Kind)
	if err != nil {
		a.problem("%s: records: %v", a.name, err)
	}
	for _, got := range records {
		if got.ID == want.ID && bytes.Equal(got.Value, want.Value) {
			return
		}
	}
	a.Lost++
	a.problem("%s: record %s is lost", a.name, want.ID)
}

// sendAgain does what clients do after a failure: send all that wasn't acknowledged, and a bit of
// what was. After that each event must be there once.
func (a aftermath) sendAgain(e *engine.Engine) {
	for s, p := range a.plans {
		for _, r := range p[max(0, a.cut.acked[s]-2):] {
			if err := e.Append(context.Background(), r.project, append([]event.Event{}, r.events...)); err != nil {
				a.problem("%s: append again: %v", a.name, err)
				return
			}
		}
	}
	found := a.found(e)
	for s, p := range a.plans {
		for i, r := range p {
			for _, ev := range r.kept {
				if n := found[place{r.project, ev.SessionID}]; n != 1 && i >= a.cut.acked[s]-2 {
					a.problem("%s: after sending again, event %s of sender %d is there %d times", a.name, ev.SessionID, s, n)
				}
			}
		}
	}
}
