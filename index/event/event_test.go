package event

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

func TestEventsOfOneMillisecondComeInTheOrderOfArrival(t *testing.T) {
	early, late := Event{Time: 5, Seq: 2}, Event{Time: 5, Seq: 9}
	if !early.Before(&late) || late.Before(&early) || early.Before(&early) {
		t.Error("equal times must be ordered by position")
	}
	backdated := Event{Time: 4, Seq: 10}
	if !backdated.Before(&early) {
		t.Error("time comes before position")
	}
}

func TestEveryTextColumnIsReadable(t *testing.T) {
	e := Event{
		Name: "n", ID: "i", AnonymousID: "a", UserID: "u", SessionID: "s", Source: "so", Medium: "me", Campaign: "ca",
		SourceConfidence: "sc", SourceRule: "sr", Referrer: "re", URL: "ur", Path: "pa", Country: "co", Device: "de", Browser: "br", OS: "os",
	}
	seen := map[string]bool{}
	for _, c := range []Column{
		ColumnName, ColumnID, ColumnAnonymousID, ColumnUserID, ColumnSessionID, ColumnSource, ColumnMedium, ColumnCampaign,
		ColumnSourceConfidence, ColumnSourceRule, ColumnReferrer, ColumnURL, ColumnPath, ColumnCountry, ColumnDevice, ColumnBrowser, ColumnOS,
	} {
		value, ok := e.Text(c)
		if !ok || value == "" || seen[value] {
			t.Errorf("%s: %q, %v", c, value, ok)
		}
		seen[value] = true
	}
	if _, ok := e.Text(ColumnTimestamp); ok {
		t.Error("the timestamp is no text")
	}
}

func TestErrorsKeepTheirKindThroughWrapping(t *testing.T) {
	err := fmt.Errorf("batch: %w", InvalidField(CodeInvalidPayload, "events.3.url", "Required"))
	if !errors.Is(err, ErrInput) || errors.Is(err, ErrLimit) {
		t.Error("kind lost")
	}
	var e *Error
	if !errors.As(err, &e) || e.Fields["events.3.url"][0] != "Required" {
		t.Errorf("field lost: %v", err)
	}
}

func TestAFullDiskIsToldFromWhatIsOurFault(t *testing.T) {
	denied := &Error{Kind: ErrDenied, Code: "insufficient_scope"}
	for _, c := range []struct {
		err  error
		code string
		kind error
	}{
		{fmt.Errorf("seal: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}), CodeDiskLow, ErrLimit},
		{fmt.Errorf("seal: %w", syscall.EDQUOT), CodeDiskLow, ErrLimit},
		{fmt.Errorf("seal: %w", syscall.EIO), CodeInternal, ErrInternal},
		{errors.Join(syscall.ENOSPC, denied), denied.Code, ErrDenied},
	} {
		e := AsError(c.err)
		if e.Code != c.code || e.Kind != c.kind || (c.kind == ErrLimit) != (e.RetryIn > 0) {
			t.Errorf("%v: %+v", c.err, e)
		}
	}
}
