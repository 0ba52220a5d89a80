package history

import "strconv"

const timeLayout = "2006-01-02T15:04:05.000Z"

// AppendJSON appends the event as a client's server sends it.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(append(dst, `{"event":"`...), e.Name...)
	if !e.noID {
		dst = appendUUID(append(dst, `","event_id":"`...), e.ID)
	}
	dst = e.Time.Std().AppendFormat(append(dst, `","timestamp":"`...), timeLayout)
	dst = appendUUID(append(dst, `","anonymous_id":"`...), e.Visitor)
	dst = appendMember(dst, "user_id", e.User)
	dst = appendMember(dst, "session_id", e.Session)
	dst = append(append(append(dst, `","url":"`...), host...), e.Page...)
	if e.Query != "" {
		dst = append(append(dst, '?'), e.Query...)
	}
	dst = appendMember(dst, "referrer", e.Referrer)
	if e.person.address.IsValid() {
		dst = e.person.address.AppendTo(append(dst, `","ip":"`...))
		dst = appendMember(dst, "user_agent", e.person.agent)
	}
	return append(append(append(dst, `","properties":`...), e.Properties...), '}')
}

// appendMember appends a member after one whose closing quote isn't written yet.
func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(dst, `","`...), name...)
	return append(append(dst, `":"`...), value...)
}

// Batch makes the bodies of requests to /v1/batch out of a history. Events of one visitor and time stay
// together.
type Batch struct {
	history *History
	ahead   *Event // read, and in no batch yet
}

// Batches returns a source of batches, which takes all of the history's events.
func Batches(h *History) *Batch { return &Batch{history: h, ahead: h.Next()} }

// tiedMost bounds how many events of one time a visit has in a row: each of them has the next one's
// chance of one in 64.
const tiedMost = 8

// Append appends the body of the next request, of at most size events, and says how many it has; 0 at
// the end.
func (b *Batch) Append(dst []byte, size int) ([]byte, int) {
	if b.ahead == nil {
		return dst, 0
	}
	count := 0
	dst = append(dst, `{"events":[`...)
	for b.ahead != nil && (count == 0 || count < size-tiedMost || count < size && b.ahead.Tied) {
		if count > 0 {
			dst = append(dst, ',')
		}
		dst = b.ahead.AppendJSON(dst)
		count++
		b.ahead = b.history.Next()
	}
	return append(dst, `]}`...), count
}

// Columns are those of AppendRow, in order: what the server keeps of an event.
var Columns = []string{
	"seq", "ts_ms", "event_name", "event_id", "anonymous_id", "user_id", "session_id", "session_derived", "url", "path", "referrer",
	"source", "medium", "campaign", "source_confidence", "source_rule_id", "country", "device_type", "browser", "os", "bot", "ip_hash", "properties",
}

// AppendRow appends the event as a line of values with tabs between; missing ones are empty. No value
// holds a tab, a line's end or a backslash.
func (e *Event) AppendRow(dst []byte) []byte {
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = strconv.AppendInt(append(dst, '\t'), int64(e.Time), 10)
	dst = append(append(dst, '\t'), e.Name...)
	dst = appendUUID(append(dst, '\t'), e.ID)
	dst = appendUUID(append(dst, '\t'), e.Visitor)
	dst = append(append(dst, '\t'), e.User...)
	dst = append(append(dst, '\t'), e.SessionKept()...)
	dst = strconv.AppendBool(append(dst, '\t'), e.Session == "")
	dst = append(append(dst, '\t'), e.URL()...)
	t, p := e.traffic, e.person
	for _, text := range [...]string{e.Page, e.Referrer, t.Source, t.Medium, t.Campaign, t.Confidence, t.Rule, p.Country, p.Device, p.Browser, p.OS} {
		dst = append(append(dst, '\t'), text...)
	}
	dst = strconv.AppendBool(append(dst, '\t'), p.bot)
	dst = append(dst, '\t')
	if p.address.IsValid() {
		// As many bits as the server's, which nobody can foretell, and as often the same.
		var hash [16]byte
		four := p.address.As4()
		of := uint64(e.Time/day)<<32 | uint64(four[0])<<24 | uint64(four[1])<<16 | uint64(four[2])<<8 | uint64(four[3])
		putBits(&hash, mix(of), mix(^of))
		dst = appendUUID(dst, hash)
	}
	return append(append(append(dst, '\t'), e.Properties...), '\n')
}
