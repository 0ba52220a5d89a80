package transfer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// wordMax bounds what the server itself finds out about an event: sources and campaigns come from URLs.
const wordMax = event.URLMax

// lengths are the bounds of texts, in code points. What isn't here is a word of the server's.
var lengths = map[string]struct{ least, most int }{
	"event_name": {1, event.NameMax}, "event_id": {0, event.IDMax}, "anonymous_id": {1, event.AnonymousIDMax},
	"user_id": {0, event.UserIDMax}, "session_id": {1, event.SessionIDMax + len("-") + 20}, // a derived one has the half-hour behind the visitor
	// Twice what may be sent: stripping personal data puts a word in its place.
	"url": {0, 2 * event.URLMax}, "path": {0, 2 * event.PathMax}, "referrer": {0, 2 * event.ReferrerMax},
	"properties": {2, event.PropertiesBytesMax},
}

// check holds a row against what a server would have kept: what comes back must not be what could never
// have gone out. now is the clock. It returns "" for a sound row.
func (r *Row) check(now event.Time) (column, problem string) {
	if at := event.Time(r.Timestamp); at < event.TimeMin || at > now+event.Time(event.AheadMax.Milliseconds()) {
		return "timestamp", "Must be from 1970 on, and not more than 24 hours in the future"
	}
	for _, c := range columns {
		if c.field == nil {
			continue
		}
		text := *c.field(r)
		bound, ok := lengths[c.name]
		if !ok {
			bound.most = wordMax
		}
		switch {
		case !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0:
			return c.name, "Must be valid UTF-8 without U+0000"
		case len(text) < bound.least:
			return c.name, "String must contain at least " + strconv.Itoa(bound.least) + " character(s)"
		case len(text) > bound.most && utf8.RuneCountInString(text) > bound.most:
			return c.name, "String must contain at most " + strconv.Itoa(bound.most) + " character(s)"
		}
	}
	for _, rule := range rules {
		if !rule.holds(r) {
			return rule.column, rule.message
		}
	}
	return "", ""
}

// rules are what columns must look like that are the server's own work.
var rules = []struct {
	column, message string
	holds           func(*Row) bool
}{
	{"country", "Must be two upper-case letters, or empty", func(r *Row) bool {
		return r.Country == "" || len(r.Country) == 2 && strings.Trim(r.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	}},
	{"device_type", "Must be desktop, mobile, tablet or empty", func(r *Row) bool { return oneOf(r.Device, "desktop", "mobile", "tablet", "") }},
	{"source_confidence", "Must be high, medium, low or empty", func(r *Row) bool { return oneOf(r.SourceConfidence, "high", "medium", "low", "") }},
	{"ip_hash", "Must be 32 hex digits, or null", func(r *Row) bool {
		return r.IPHash == "" || len(r.IPHash) == 32 && strings.Trim(r.IPHash, "0123456789abcdef") == ""
	}},
	{"session_id", "Isn't the one that is derived from the visitor and the half-hour", func(r *Row) bool {
		return !r.SessionDerived || r.SessionID == fmt.Sprintf("%s-%d", r.AnonymousID, r.Timestamp/(30*60*1000))
	}},
	{"properties", "Must be a JSON object without white space, nested at most 64 levels deep", func(r *Row) bool { return isObject(r.Properties) }},
}

func oneOf(text string, words ...string) bool {
	for _, word := range words {
		if text == word {
			return true
		}
	}
	return false
}

// isObject tells whether text is a JSON object as it is kept: strict, not too deep, without white space.
func isObject(text string) bool {
	depth, deepest := 0, 0
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			return false
		}
	}
	return deepest <= event.PropertiesDepthMax && text[0] == '{' && jsontext.Value(text).IsValid()
}
