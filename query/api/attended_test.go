package api

import (
	"errors"
	"net"
	"testing"

	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/querytest"
)

// long is a source whose events never end, unless whoever asks wants no more of them.
type long struct {
	querytest.Slice
	given int
}

func (l *long) Live(from, to event.Time, yield func(*event.Event, uint32) bool) error {
	for e := l.Slice[0]; yield(&e, uint32(l.given)); l.given++ {
	}
	return nil
}

func TestAQuestionEndsWhenTheClientIsGone(t *testing.T) {
	source := &long{Slice: twoEvents}
	asked := 0
	door := &Door{
		Snapshot: func(event.Project) query.Source { return source },
		Gone:     func(net.Conn) bool { asked++; return asked == 3 },
	}
	err := door.Stats(request("GET", "/v1/stats?from=2026-01-01&to=2026-01-02", ""), 1)
	var e *event.Error
	if !errors.As(err, &e) || e.Code != event.CodeOverloaded || !errors.Is(e.Cause, errGone) {
		t.Errorf("got %v", err)
	}
	if asked != 3 || source.given == 0 {
		t.Errorf("the connection was looked at %d times over %d events", asked, source.given)
	}
}

// TestQuestionsThatUseTooMuchAreRefusedAndGiveItBack asks for as many groups as there are events.
func TestQuestionsThatUseTooMuchAreRefusedAndGiveItBack(t *testing.T) {
	source := &long{Slice: twoEvents}
	door := &Door{Snapshot: func(event.Project) query.Source { return source }, Allowance: query.NewAllowance(16 << 20)}
	for range 3 {
		err := door.Stats(request("GET", "/v1/stats?metric=uniques&actor=visitor&group_by=source&interval=day&from=2026-01-01&to=2026-01-02", ""), 1)
		var e *event.Error
		if !errors.As(err, &e) || e.Code != "query_too_large" || len(e.Notes) == 0 {
			t.Errorf("got %v", err)
		}
		if used := door.Allowance.Used(); used != 0 {
			t.Errorf("%d bytes stay taken", used)
		}
	}
	if source.given > 3<<20 {
		t.Errorf("%d visitors were taken in", source.given)
	}
}
