package ingest

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// fieldErrorsMax bounds the answer to a request in which everything is wrong.
const fieldErrorsMax = 50

// agentMax is how many bytes are read of a user agent that a server passes on. Real ones stay below
// 500. A longer one is cut, not refused: it is its visitor's doing, and must not cost the server the
// rest of its batch.
const agentMax = 2048

// What clients are told. Programs match on some of these, so they don't change.
const (
	msgRequired = "Required"
	msgNUL      = "Must not contain U+0000"
	msgURL      = "Invalid url: expected an absolute http or https URL"
	msgIP       = "Invalid ip: expected an IPv4 or IPv6 address"
	msgAhead    = "Must not be more than 24 hours in the future"
	msgTooOld   = "too_old: before the retention window of the project"
	msgBytes    = "Must be at most 8192 bytes of JSON"
	msgDepth    = "Must be nested at most 64 levels deep"
)

// draft is an event as its client sent it. Its strings lie in the text of the request.
type draft struct {
	name, id, anonymousID, userID, sessionID string
	url, path, referrer                      string
	page                                     event.URL   // url, taken apart, unless the visit is known
	visit                                    *knownVisit // where it is remembered

	time  event.Time
	timed bool // a timestamp was sent

	properties      string // as written, white space and all; "" where none were sent
	propertiesBytes int    // their size without white space

	addr  netip.Addr // of the visitor that a server speaks for
	agent string
}

// form holds the fields of a request against their rules and notes all that is wrong.
type form struct {
	server   bool // the caller may name an ip and a user_agent
	identify bool // a call to identify, which has rules of its own
	now      event.Time
	oldest   event.Time

	draft  draft
	place  int // of the event in its batch, placeNone outside of one
	fields event.FieldErrors
	count  int
}

const placeNone = -1

// path names a field of the request; "" is the event itself.
func (f *form) path(field string) string {
	if f.place == placeNone {
		return field
	}
	path := "events." + strconv.Itoa(f.place)
	if field == "" {
		return path
	}
	return path + "." + field
}

// fail notes what is wrong with a field.
func (f *form) fail(field, message string) {
	if f.count == fieldErrorsMax {
		return
	}
	if f.fields == nil {
		f.fields = event.FieldErrors{}
	}
	f.fields.Add(f.path(field), message)
	f.count++
}

func (f *form) failed() bool { return f.count > 0 }

// err returns all that is wrong, nil where nothing is.
func (f *form) err() error {
	if !f.failed() {
		return nil
	}
	return &event.Error{Kind: event.ErrInput, Code: event.CodeInvalidPayload, Fields: f.fields}
}

// bounds are the least and the greatest length of a string, in code points.
type bounds struct{ min, max int }

// bounded checks a string that is kept; "" stands for a bad one.
func (f *form) bounded(field, text string, b bounds) string {
	switch {
	case len(text) < b.min: // the least length is 0 or 1, for which bytes and code points agree
		f.fail(field, "String must contain at least "+strconv.Itoa(b.min)+" character(s)")
	case len(text) > b.max && utf8.RuneCountInString(text) > b.max:
		f.fail(field, "String must contain at most "+strconv.Itoa(b.max)+" character(s)")
	case strings.IndexByte(text, 0) >= 0:
		f.fail(field, msgNUL)
	default:
		return text
	}
	return ""
}

// webURL looks whether the URL is one of the web. Its query and its escapes are the site's own affair.
func (f *form) webURL() {
	d := &f.draft
	if d.url == "" {
		return // none, or bad already
	}
	var ok bool
	if d.page, ok = event.SplitURL(d.url); !ok || !d.page.IsWeb() {
		f.fail("url", msgURL)
	}
}

// moment checks a timestamp.
func (f *form) moment(field, text string) event.Time {
	t, err := event.ParseTime(text, time.UTC)
	switch {
	case err != nil:
		f.fail(field, err.Error())
	case t > f.now+event.Time(event.AheadMax/time.Millisecond):
		f.fail(field, msgAhead)
	case t < f.oldest:
		f.fail(field, msgTooOld)
	}
	return t
}

// address checks an ip. A zone names an interface of the sender and no place in the world.
func (f *form) address(field, text string) netip.Addr {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		f.fail(field, msgIP)
		return netip.Addr{}
	}
	return addr.Unmap()
}

// fits checks the size of properties.
func (f *form) fits(field string, o outline) bool {
	if o.bytes > event.PropertiesBytesMax {
		f.fail(field, msgBytes)
		return false
	}
	if o.depth > event.PropertiesDepthMax {
		f.fail(field, msgDepth)
		return false
	}
	return true
}

// finish notes what is missing from a draft that was read to its end.
func (f *form) finish() {
	if f.identify {
		f.require("anonymous_id", f.draft.anonymousID)
		f.require("user_id", f.draft.userID)
		return
	}
	f.require("event", f.draft.name)
}

// require notes a missing field, unless it was sent and is bad.
func (f *form) require(field, value string) {
	if value == "" && f.fields[f.path(field)] == nil {
		f.fail(field, msgRequired)
	}
}

func expected(want string, got jsontext.Kind) string {
	return "Expected " + want + ", received " + kindName(got)
}

// kindName names a kind of JSON value.
func kindName(k jsontext.Kind) string {
	switch k {
	case '"':
		return "string"
	case '0':
		return "number"
	case 't', 'f':
		return "boolean"
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return "null"
}

func countMessage(count int) string {
	if count == 0 {
		return "Array must contain at least 1 element(s)"
	}
	return "Array must contain at most " + strconv.Itoa(event.BatchEventsMax) + " element(s)"
}
