package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
	"millimetric/ingest/privacy"
)

// reader walks the JSON of one body. Duplicate keys, bad UTF-8 and everything else that strict
// JSON forbids end the walk with an error.
type reader struct {
	source  bytes.Buffer
	decoder jsontext.Decoder
	body    []byte

	// text is the body as a string, in the body's own memory. Values without escapes are cut out of it, so that
	// reading a request costs no allocation for each of its strings, and leaves no copy of what must not be kept.
	// Nothing but events and errors outlives the body, and own.go moves what these keep.
	text string

	request request // that is read, here because it is greater than most bodies
	caller  Caller  // who sent it

	owner      owner
	visits     *visitMemo // the pipeline's
	properties privacy.Properties
	places     placeMemo
}

func (r *reader) open(body []byte) {
	r.body, r.text = body, unsafe.String(unsafe.SliceData(body), len(body))
}

// rewind puts the decoder at the beginning of the body.
func (r *reader) rewind() {
	// Over a bytes.Buffer the decoder reads in place: it neither copies nor changes the body.
	r.source = *bytes.NewBuffer(r.body)
	r.decoder.Reset(&r.source)
}

// close lets go of the body.
func (r *reader) close() {
	if r.source.Cap() > 0 {
		r.source = bytes.Buffer{}
		r.decoder.Reset(&r.source)
	}
	r.body, r.text = nil, ""
	r.owner.texts.text = nil
	r.owner.words.text = nil
	r.owner.name = ""
	r.request, r.caller = request{}, Caller{}
	r.places.forget()
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

// value is one value of the body.
type value struct {
	kind    jsontext.Kind
	raw     string // as written; a part of the reader's text
	outline outline
}

// unquote returns what a string says.
func (v value) unquote() string {
	if strings.IndexByte(v.raw, '\\') < 0 {
		return v.raw[1 : len(v.raw)-1]
	}
	plain, err := jsontext.AppendUnquote(nil, v.raw)
	if err != nil {
		panic(fmt.Sprintf("a string was accepted that can't be unquoted: %v", err))
	}
	return string(plain)
}

// value reads the next value whole. Of an object or array it first looks at the outline, because
// the decoder bounds neither its recursion nor its memory closely enough for strangers.
func (r *reader) value() (value, error) {
	var o outline
	if kind := r.decoder.PeekKind(); kind == '{' || kind == '[' {
		o = outlineOf(r.decoder.UnreadBuffer())
		if o.depth > depthMax {
			return value{}, r.stop("JSON too deep")
		}
		if o.members > membersMax {
			return value{}, r.stop("Too many keys")
		}
	}
	v, err := r.decoder.ReadValue()
	if err != nil {
		return value{}, err
	}
	end := int(r.decoder.InputOffset())
	return value{kind: v.Kind(), raw: r.text[end-len(v) : end], outline: o}, nil
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
		key, err := r.value()
		if err != nil {
			return err
		}
		if err := member(key.unquote()); err != nil {
			return err
		}
	}
	_, err := r.decoder.ReadToken()
	return err
}

// request is the walk over one request: what was read, what is wrong with it, what came of it.
type request struct {
	*reader
	many     bool // a batch
	form     form
	enricher enricher
	events   []event.Event
	unkept   int // events that are acknowledged and not kept
}

// walk reads the whole body, strictly, and says of a bad one what is wrong with it.
func (q *request) walk() error {
	q.rewind()
	var err error
	switch {
	case q.decoder.PeekKind() != '{':
		err = q.noObject()
	case q.many:
		err = q.batch()
	default:
		err = q.one()
	}
	if err != nil {
		return err
	}
	return q.end()
}

// noObject reads a body that is no object, so that malformed JSON is called that.
func (q *request) noObject() error {
	v, err := q.value()
	if err != nil {
		return err
	}
	return event.Invalid(event.CodeInvalidPayload, expected("object", v.kind))
}

// batch walks the body of many events.
func (q *request) batch() error {
	found := false
	member := func(key string) error {
		if key == "events" && q.decoder.PeekKind() == '[' {
			found = true
			return q.list()
		}
		v, err := q.value()
		if err == nil && key == "events" && v.kind != 'n' {
			found = true
			q.form.fail(key, expected("array", v.kind))
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
	count := 0
	for ; q.decoder.PeekKind() != ']'; count++ {
		q.form.place = count
		if q.decoder.PeekKind() == '{' && count < event.BatchEventsMax {
			if err := q.one(); err != nil {
				return err
			}
			continue
		}
		v, err := q.value()
		if err != nil {
			return err
		}
		if count < event.BatchEventsMax && v.kind != '{' {
			q.form.fail("", expected("object", v.kind))
		}
	}
	q.form.place = placeNone
	if count == 0 || count > event.BatchEventsMax {
		q.form.fail("events", countMessage(count))
	}
	_, err := q.decoder.ReadToken()
	return err
}

// one walks the object of one event and, unless the request is bad already, makes the event.
func (q *request) one() error {
	q.begin()
	member := func(key string) error {
		v, err := q.value()
		if err == nil {
			q.field(key, v)
		}
		return err
	}
	if err := q.object(member); err != nil {
		return err
	}
	return q.finish(len(q.body) - int(q.decoder.InputOffset()))
}

// begin starts the draft of the next event.
func (q *request) begin() {
	q.form.draft = draft{}
	if q.form.identify {
		q.form.draft.name = event.EventIdentify
	}
}

// finish makes an event of a draft that was read to its end, unless the request is bad already. Behind it are rest
// bytes of the body.
func (q *request) finish(rest int) error {
	q.recall()
	q.form.finish()
	if q.form.failed() {
		return nil
	}
	if q.enricher.caller.Private {
		if q.form.draft.name == event.EventIdentify {
			q.unkept++
			return nil
		}
		q.form.draft.unlink()
	}
	if len(q.events) == cap(q.events) {
		q.events = slices.Grow(q.events, 1)
	}
	q.events = q.events[:len(q.events)+1]
	q.owner.rest = rest
	return q.enricher.enrich(&q.events[len(q.events)-1], &q.form.draft)
}

// recall finds the draft's visit where it is remembered. Else its URL is looked at. Visits of who asked not to be
// followed aren't remembered.
func (q *request) recall() {
	if !q.form.failed() && !q.enricher.caller.Private {
		q.form.draft.visit = q.visits.find(&q.enricher.caller.Site, &q.form.draft)
	}
	if q.form.draft.visit == nil {
		q.form.webURL()
	}
}

// field takes one member of an event or of a call to identify. A null counts as absent, as clients
// mean it. Unknown fields, and those that only the server fills, are ignored: a client that copies
// back what it read, or that is newer than this server, must not lose its events.
func (q *request) field(key string, v value) {
	if v.kind == 'n' {
		return
	}
	d := &q.form.draft
	switch key {
	case "event_id":
		d.id = q.take(key, v, bounds{1, event.IDMax})
	case "timestamp":
		if text, ok := q.string(key, v); ok {
			d.time, d.timed = q.form.moment(key, text), true
		}
	case "anonymous_id":
		d.anonymousID = q.take(key, v, bounds{1, event.AnonymousIDMax})
	case "user_id":
		d.userID = q.take(key, v, bounds{1, event.UserIDMax})
	case "ip":
		if text, ok := q.serverString(key, v); ok {
			d.addr = q.form.address(key, text)
		}
	case "user_agent":
		if text, ok := q.serverString(key, v); ok {
			d.agent = text[:min(len(text), agentMax)]
		}
	case "traits":
		if q.form.identify {
			q.takeObject(key, v)
		}
	default:
		if !q.form.identify {
			q.eventField(key, v)
		}
	}
}

// eventField takes a member that calls to identify don't have.
func (q *request) eventField(key string, v value) {
	d := &q.form.draft
	switch key {
	case "event":
		d.name = q.take(key, v, bounds{1, event.NameMax})
	case "session_id":
		d.sessionID = q.take(key, v, bounds{1, event.SessionIDMax})
	case "url":
		d.url = q.take(key, v, bounds{1, event.URLMax}) // recall looks at the rest of it
	case "path":
		d.path = q.take(key, v, bounds{0, event.PathMax})
	case "referrer":
		d.referrer = q.take(key, v, bounds{0, event.ReferrerMax})
	case "properties":
		q.takeObject(key, v)
	}
}

// string reads a string.
func (q *request) string(field string, v value) (string, bool) {
	if v.kind != '"' {
		q.form.fail(field, expected("string", v.kind))
		return "", false
	}
	return v.unquote(), true
}

// serverString reads a string that only servers may send. From anyone else it is not looked at.
func (q *request) serverString(field string, v value) (string, bool) {
	if !q.form.server {
		return "", false
	}
	return q.string(field, v)
}

// take reads a string of bounded length, "" where it is bad.
func (q *request) take(field string, v value, b bounds) string {
	text, ok := q.string(field, v)
	if !ok {
		return ""
	}
	return q.form.bounded(field, text, b)
}

// takeObject takes the properties, as they were written.
func (q *request) takeObject(field string, v value) {
	if v.kind != '{' {
		q.form.fail(field, expected("object", v.kind))
		return
	}
	if q.form.fits(field, v.outline) {
		q.form.draft.properties, q.form.draft.propertiesBytes = v.raw, v.outline.bytes
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
