package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// reader walks the JSON of one body. Duplicate keys, bad UTF-8 and everything else that strict
// JSON forbids end the walk with an error.
type reader struct {
	source  bytes.Buffer
	decoder jsontext.Decoder

	// text is the body as a string. Values without escapes are cut out of it, so that reading a
	// request costs one allocation and not one for each of its strings.
	text string
}

func (r *reader) open(body []byte) {
	// Over a bytes.Buffer the decoder reads in place: it neither copies nor changes the body.
	r.source = *bytes.NewBuffer(body)
	r.decoder.Reset(&r.source)
	r.text = string(body)
}

// close lets go of the body.
func (r *reader) close() {
	r.source = bytes.Buffer{}
	r.decoder.Reset(&r.source)
	r.text = ""
}

// end checks that nothing comes after the value.
func (r *reader) end() error {
	_, err := r.decoder.ReadToken()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	return r.stop("Unexpected bytes after the end of the JSON value")
}

// stop is the error for a body that is refused as a whole, at the place that was read last.
func (r *reader) stop(why string) error {
	return event.Invalid(event.CodeInvalidPayload, why+" at byte "+strconv.FormatInt(r.decoder.InputOffset(), 10))
}

// value reads the next value whole. Of an object or array it first looks at the outline, because
// the decoder bounds neither its recursion nor its memory closely enough for strangers.
func (r *reader) value() (jsontext.Value, outline, error) {
	var o outline
	if kind := r.decoder.PeekKind(); kind == '{' || kind == '[' {
		o = outlineOf(r.decoder.UnreadBuffer())
		if o.depth > depthMax {
			return nil, o, r.stop("JSON too deep")
		}
		if o.members > membersMax {
			return nil, o, r.stop("Too many keys")
		}
	}
	v, err := r.decoder.ReadValue()
	return v, o, err
}

// object walks the object that comes next; member is called before each value and must read it.
func (r *reader) object(member func(key string) error) error {
	if _, err := r.decoder.ReadToken(); err != nil {
		return err
	}
	for members := 0; r.decoder.PeekKind() != '}'; members++ {
		if members == membersMax {
			return r.stop("Too many keys")
		}
		key, err := r.decoder.ReadValue()
		if err != nil {
			return err
		}
		if err := member(r.unquote(key)); err != nil {
			return err
		}
	}
	_, err := r.decoder.ReadToken()
	return err
}

// unquote returns the string that was read last.
func (r *reader) unquote(v jsontext.Value) string {
	if bytes.IndexByte(v, '\\') < 0 {
		quoted := r.raw(v)
		return quoted[1 : len(quoted)-1]
	}
	plain, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		panic(fmt.Sprintf("the decoder accepted a string that can't be unquoted: %v", err))
	}
	return string(plain)
}

// raw returns the value that was read last, as written.
func (r *reader) raw(v jsontext.Value) string {
	end := int(r.decoder.InputOffset())
	return r.text[end-len(v) : end]
}

// request is the walk over one request: what was read, what is wrong with it, what came of it.
type request struct {
	*reader
	form     form
	enricher enricher
	events   []event.Event
}

// track walks the body of a single event.
func (q *request) track() error {
	return q.single(q.eventMember)
}

// identify walks the body of a call to identify.
func (q *request) identify() error {
	q.form.identify = true
	return q.single(q.identifyMember)
}

func (q *request) single(member func(key string) error) error {
	if q.decoder.PeekKind() != '{' {
		return q.noObject()
	}
	return q.one(member)
}

// noObject reads a body that is no object, so that malformed JSON is called that.
func (q *request) noObject() error {
	v, _, err := q.value()
	if err != nil {
		return err
	}
	return event.Invalid(event.CodeInvalidPayload, expected("object", v.Kind()))
}

// batch walks the body of many events.
func (q *request) batch() error {
	if q.decoder.PeekKind() != '{' {
		return q.noObject()
	}
	found := false
	member := func(key string) error {
		if key == "events" && q.decoder.PeekKind() == '[' {
			found = true
			return q.list()
		}
		v, _, err := q.value()
		if err == nil && key == "events" && v.Kind() != 'n' {
			found = true
			q.form.fail(key, expected("array", v.Kind()))
		}
		return err
	}
	if err := q.object(member); err != nil {
		return err
	}
	if !found {
		q.form.fail("events", msgRequired)
	}
	return nil
}

// list walks the array of events. Beyond the limit it goes on, so that malformed JSON is called
// that, but keeps nothing.
func (q *request) list() error {
	if _, err := q.decoder.ReadToken(); err != nil {
		return err
	}
	start := q.decoder.InputOffset()
	count := 0
	for ; q.decoder.PeekKind() != ']'; count++ {
		q.form.place = count
		if q.decoder.PeekKind() == '{' && count < event.BatchEventsMax {
			if err := q.one(q.eventMember); err != nil {
				return err
			}
			if count == 0 {
				q.expect(q.decoder.InputOffset() - start)
			}
			continue
		}
		v, _, err := q.value()
		if err != nil {
			return err
		}
		if count < event.BatchEventsMax && v.Kind() != '{' {
			q.form.fail("", expected("object", v.Kind()))
		}
	}
	q.form.place = placeNone
	if count == 0 || count > event.BatchEventsMax {
		q.form.fail("events", countMessage(count))
	}
	_, err := q.decoder.ReadToken()
	return err
}

// expect makes room for the events of a batch whose first took size bytes.
func (q *request) expect(size int64) {
	left := int64(len(q.decoder.UnreadBuffer())) / size
	if len(q.events) == 1 && left > 0 {
		grown := make([]event.Event, 1, 1+min(left, event.BatchEventsMax-1))
		grown[0] = q.events[0]
		q.events = grown
	}
}

// one walks the object of one event and, unless the request is bad already, makes the event.
func (q *request) one(member func(key string) error) error {
	q.form.draft = draft{}
	if q.form.identify {
		q.form.draft.name = event.EventIdentify
	}
	if err := q.object(member); err != nil {
		return err
	}
	q.form.finish()
	if q.form.failed() {
		return nil
	}
	e, err := q.enricher.enrich(&q.form.draft)
	if err != nil {
		return err
	}
	q.events = append(q.events, e)
	return nil
}

// eventMember reads one member of an event. A null counts as absent, as clients mean it.
func (q *request) eventMember(key string) error {
	v, o, err := q.value()
	if err != nil || v.Kind() == 'n' {
		return err
	}
	d := &q.form.draft
	switch key {
	case "event":
		d.name = q.take(key, v, bounds{1, event.NameMax})
	case "session_id":
		d.sessionID = q.take(key, v, bounds{1, event.SessionIDMax})
	case "url":
		q.form.webURL(key, q.take(key, v, bounds{1, event.URLMax}))
	case "path":
		d.path = q.take(key, v, bounds{0, event.PathMax})
	case "referrer":
		d.referrer = q.take(key, v, bounds{0, event.ReferrerMax})
	case "properties":
		q.takeObject(key, v, o)
	default:
		q.sharedMember(key, v)
	}
	return nil
}

// identifyMember reads one member of a call to identify.
func (q *request) identifyMember(key string) error {
	v, o, err := q.value()
	if err != nil || v.Kind() == 'n' {
		return err
	}
	if key == "traits" {
		q.takeObject(key, v, o)
	} else {
		q.sharedMember(key, v)
	}
	return nil
}

// sharedMember takes the fields that events and calls to identify have in common. Unknown fields,
// and those that only the server fills, are ignored: a client that copies back what it read, or
// that is newer than this server, must not lose its events.
func (q *request) sharedMember(key string, v jsontext.Value) {
	d := &q.form.draft
	switch key {
	case "event_id":
		d.id = q.take(key, v, bounds{1, event.IDMax})
	case "timestamp":
		if text, ok := q.text(key, v); ok {
			d.time, d.timed = q.form.moment(key, text), true
		}
	case "anonymous_id":
		d.anonymousID = q.take(key, v, bounds{1, event.AnonymousIDMax})
	case "user_id":
		d.userID = q.take(key, v, bounds{1, event.UserIDMax})
	case "ip":
		if text, ok := q.serverText(key, v); ok {
			d.addr = q.form.address(key, text)
		}
	case "user_agent":
		if text, ok := q.serverText(key, v); ok {
			d.agent = text[:min(len(text), agentMax)]
		}
	}
}

// text reads a string.
func (q *request) text(field string, v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		q.form.fail(field, expected("string", v.Kind()))
		return "", false
	}
	return q.unquote(v), true
}

// serverText reads a string that only servers may send. From anyone else it is not looked at.
func (q *request) serverText(field string, v jsontext.Value) (string, bool) {
	if !q.form.server {
		return "", false
	}
	return q.text(field, v)
}

// take reads a string of bounded length, "" where it is bad.
func (q *request) take(field string, v jsontext.Value, b bounds) string {
	text, ok := q.text(field, v)
	if !ok {
		return ""
	}
	return q.form.bounded(field, text, b)
}

// takeObject takes the properties, as they were written.
func (q *request) takeObject(field string, v jsontext.Value, o outline) {
	if v.Kind() != '{' {
		q.form.fail(field, expected("object", v.Kind()))
		return
	}
	if q.form.fits(field, o) {
		q.form.draft.properties, q.form.draft.propertiesBytes = q.raw(v), o.bytes
	}
}

// syntaxTextMax cuts what the decoder says about malformed JSON; it may quote the body.
const syntaxTextMax = 120

// readError turns what ended a walk into what the client sees.
func readError(err error) error {
	var syntax *jsontext.SyntacticError
	var known *event.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, io.EOF):
		return event.Invalid(event.CodeInvalidPayload, "The body is empty")
	case !errors.As(err, &syntax):
		return fmt.Errorf("read request: %w", err)
	}
	at := " at byte " + strconv.FormatInt(syntax.ByteOffset, 10)
	switch {
	case errors.Is(syntax.Err, jsontext.ErrDuplicateName):
		return event.Invalid(event.CodeInvalidPayload, "Duplicate key"+at)
	case errors.Is(syntax.Err, io.ErrUnexpectedEOF):
		return event.Invalid(event.CodeInvalidPayload, "Unexpected end of JSON"+at)
	}
	why := "syntax error"
	if syntax.Err != nil {
		why = syntax.Err.Error()
	}
	why = strings.ToValidUTF8(why[:min(len(why), syntaxTextMax)], "")
	return event.Invalid(event.CodeInvalidPayload, "Malformed JSON"+at+": "+why)
}
