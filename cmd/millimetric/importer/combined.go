package importer

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"millimetric/index/event"
)

// What can be wrong with a line of a log, and why a sound one is passed over.
const (
	badNoTime    = "no time in brackets"
	badNoRequest = "no quoted request"
	badNoStatus  = "no status and size after the request"
	badNoAgent   = "no quoted referrer and user agent; is the log in the common format?"
	badOpenQuote = "a quoted field has no end"
	badCutOff    = "cut off"
	badTarget    = "the request names no path"
	badLongURL   = "url too long"
	badLongRef   = "referrer too long"
	badLongLine  = "line too long"

	skipBlank  = "blank"
	skipMethod = "method"
	skipStatus = "status"
	skipAsset  = "asset"
)

// entry is one line of a log in combined format:
//
//	host ident user [time] "request" status size "referrer" "user agent" …
type entry struct {
	host     string
	at       time.Time
	request  string
	status   int
	referrer string
	agent    string
	more     bool // fields follow that the format doesn't have
}

// parseEntry reads a line. What nginx or Apache escaped is unescaped.
func parseEntry(text string) (e entry, bad string) {
	var ok bool
	e.host, _, _ = strings.Cut(text, " ")
	if e.at, text, ok = cutTime(text); !ok {
		return e, badNoTime
	}
	if e.request, text, bad = cutQuoted(text, badNoRequest); bad != "" {
		return e, bad
	}
	status, text, _ := strings.Cut(text, " ")
	size, text, more := strings.Cut(text, " ")
	var err error
	if e.status, err = strconv.Atoi(status); err != nil || len(status) != 3 || !isSize(size) {
		return e, badNoStatus
	}
	if !more {
		return e, badNoAgent
	}
	if e.referrer, text, bad = cutQuoted(text, badNoAgent); bad != "" {
		return e, bad
	}
	if e.agent, text, bad = cutQuoted(text, badNoAgent); bad != "" {
		return e, bad
	}
	e.more = strings.TrimSpace(text) != ""
	return e, ""
}

// cutTime finds the first bracketed time. The user's name before it may hold spaces and brackets.
func cutTime(text string) (at time.Time, rest string, ok bool) {
	const layout = "02/Jan/2006:15:04:05 -0700"
	for {
		open := strings.IndexByte(text, '[')
		if open < 0 {
			return at, "", false
		}
		text = text[open+1:]
		if len(text) < len(layout)+2 || text[len(layout)] != ']' || text[len(layout)+1] != ' ' {
			continue
		}
		if at, err := time.Parse(layout, text[:len(layout)]); err == nil {
			return at, text[len(layout)+2:], true
		}
	}
}

// cutQuoted reads a field in double quotes and the space after it; bad is missing where there is no
// such field.
func cutQuoted(text, missing string) (value, rest, bad string) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", missing
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return unescape(text[1:i]), strings.TrimPrefix(text[i+1:], " "), ""
		}
	}
	return "", "", badOpenQuote
}

func isSize(text string) bool {
	return text == "-" || text != "" && strings.Trim(text, "0123456789") == ""
}

// unescape undoes what Apache (\" \\ \n \t \xhh) and nginx (\xhh) do to what clients sent.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\\' || i+1 == len(text) {
			b.WriteByte(c)
			continue
		}
		i++
		switch c := text[i]; c {
		case 'x':
			if i+2 < len(text) {
				if code, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
					b.WriteByte(byte(code))
					i += 2
					continue
				}
			}
			b.WriteString(`\x`)
		case '"', '\\':
			b.WriteByte(c)
		case 'n', 't', 'r', 'b', 'v':
			b.WriteByte(map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'v': '\v'}[c])
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

// combined makes page views of a log's lines.
type combined struct {
	ids  *identities
	site string
}

// pageview is an event as the server takes it. The address and the agent are the visitor's, which
// the server uses and drops.
type pageview struct {
	Name      string `json:"event"`
	ID        string `json:"event_id"`
	Timestamp string `json:"timestamp"`
	URL       string `json:"url"`
	Referrer  string `json:"referrer,omitempty"`
	Address   string `json:"ip,omitempty"`
	Agent     string `json:"user_agent,omitempty"`
}

func (c combined) event(l line) ([]byte, fate) {
	switch {
	case l.long:
		return nil, fate{bad: badLongLine}
	case strings.TrimSpace(string(l.text)) == "":
		return nil, fate{skip: skipBlank}
	}
	e, bad := parseEntry(string(l.text))
	// Where fields may follow, only the newline tells that the last one is whole; taken now, the
	// line would be another event once the file has grown.
	if !l.ended && (bad != "" || e.more) {
		return nil, fate{bad: badCutOff}
	}
	if bad != "" {
		return nil, fate{bad: bad}
	}
	target, skip := e.page()
	if skip != "" {
		return nil, fate{skip: skip}
	}
	view := pageview{
		Name: event.EventPageview, Timestamp: e.at.Format(time.RFC3339),
		URL: c.site + target, Referrer: given(e.referrer), Agent: given(e.agent),
	}
	switch {
	case !strings.HasPrefix(target, "/"):
		return nil, fate{bad: badTarget}
	case utf8.RuneCountInString(view.URL) > event.URLMax:
		return nil, fate{bad: badLongURL}
	case utf8.RuneCountInString(view.Referrer) > event.ReferrerMax:
		return nil, fate{bad: badLongRef}
	}
	if addr, err := netip.ParseAddr(e.host); err == nil {
		view.Address = addr.WithZone("").String()
	}
	view.ID = c.ids.next(l.text)
	body, err := json.Marshal(view)
	if err != nil {
		panic(fmt.Sprintf("a page view has no JSON: %v", err))
	}
	return body, fate{noAddress: view.Address == ""}
}

// page returns the path and query of a request that viewed a page, or why it didn't.
func (e *entry) page() (target, skip string) {
	method, target, _ := strings.Cut(e.request, " ")
	if method != "GET" {
		return "", skipMethod
	}
	if e.status/100 != 2 && e.status != 304 {
		return "", skipStatus
	}
	if space := strings.LastIndexByte(target, ' '); space >= 0 && strings.HasPrefix(target[space+1:], "HTTP/") {
		target = strings.TrimRight(target[:space], " ")
	}
	// A proxy's clients name the whole URL.
	if whole, ok := event.SplitURL(target); ok && whole.IsWeb() {
		at := strings.Index(target, "://") + len("://")
		at += strings.IndexAny(target[at:]+"/", "/?#")
		target = target[at:]
		if !strings.HasPrefix(target, "/") {
			target = "/" + target
		}
	}
	path, _, _ := strings.Cut(target, "?")
	path, _, _ = strings.Cut(path, "#")
	if !isPage(path) {
		return "", skipAsset
	}
	return escapeTarget(target), ""
}

// isPage reports whether a path is that of a page, going by its extension.
func isPage(path string) bool {
	segment := path[strings.LastIndexByte(path, '/')+1:]
	dot := strings.LastIndexByte(segment, '.')
	if dot < 0 {
		return true
	}
	switch strings.ToLower(segment[dot+1:]) {
	case "", "html", "htm", "php":
		return true
	}
	return false
}

// escapeTarget writes the bytes that no URL can hold as percent escapes.
func escapeTarget(target string) string {
	clean := utf8.ValidString(target) && !strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f })
	if clean {
		return target
	}
	var b strings.Builder
	for i, r := range target {
		_, size := utf8.DecodeRuneInString(target[i:])
		if r <= ' ' || r == 0x7f || r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, "%%%02X", target[i])
			continue
		}
		b.WriteString(target[i : i+size])
	}
	return b.String()
}

// given is "" for the dash that stands for a missing value. JSON holds text only, so that stray
// bytes become the replacement character.
func given(field string) string {
	if field == "-" {
		return ""
	}
	return strings.ToValidUTF8(field, "\uFFFD")
}
