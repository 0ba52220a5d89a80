package admin

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"millimetric/index/event"
)

// bodyBytesMax bounds the body of a request: a hundred origins of the greatest length fit.
const bodyBytesMax = 256 << 10

const codeUnsupported = "unsupported_media_type"

// fields are the members of a request's body, or the parameters of its URL. Each is taken once, by its
// name; one that nobody takes is refused: a setting that is misspelt must not be lost in silence.
type fields struct {
	code   string
	values map[string]jsontext.Value
	errs   event.FieldErrors
}

// body reads the members of a body: one JSON object, or nothing.
func body(ctx *fasthttp.RequestCtx) (*fields, error) {
	f := &fields{code: event.CodeInvalidPayload, errs: event.FieldErrors{}}
	if coding := ctx.Request.Header.ContentEncoding(); len(coding) > 0 && string(coding) != "identity" {
		return nil, &event.Error{Kind: event.ErrInput, Code: codeUnsupported}
	}
	if ctx.QueryArgs().Len() > 0 {
		return nil, event.Invalid(event.CodeInvalidParams, "All must stand in the body")
	}
	text := ctx.Request.Body()
	switch {
	case len(text) > bodyBytesMax:
		return nil, &event.Error{Kind: event.ErrLimit, Code: event.CodeTooLarge}
	case len(text) == 0:
		return f, nil
	}
	if err := json.Unmarshal(text, &f.values); err != nil {
		return nil, event.Invalid(event.CodeInvalidPayload, "The body must be a JSON object, with no name in it twice")
	}
	return f, nil
}

// params reads the parameters of a URL. Numbers among them may be taken as such.
func params(ctx *fasthttp.RequestCtx) *fields {
	f := &fields{code: event.CodeInvalidParams, values: map[string]jsontext.Value{}, errs: event.FieldErrors{}}
	for name, value := range ctx.QueryArgs().All() {
		if f.values[string(name)] != nil {
			f.errs.Add(string(name), "Must be given once")
		}
		text, err := jsontext.AppendQuote(nil, value)
		if err != nil {
			f.errs.Add(string(name), "Must be UTF-8")
			continue
		}
		f.values[string(name)] = text
	}
	return f
}

// end returns what is wrong with the fields, those that nobody took included.
func (f *fields) end() error {
	for name := range f.values {
		f.errs.Add(name, "Unknown field")
	}
	if len(f.errs) == 0 {
		return nil
	}
	return &event.Error{Kind: event.ErrInput, Code: f.code, Fields: f.errs}
}

// take returns a field, nil where it is missing or null.
func take[T any](f *fields, name string) *T {
	text, sent := f.values[name]
	delete(f.values, name)
	if !sent || text.Kind() == jsontext.KindNull {
		return nil
	}
	value := new(T)
	if err := json.Unmarshal(text, value); err != nil {
		f.errs.Add(name, "Expected "+typeName[T]())
		return nil
	}
	return value
}

func typeName[T any]() string {
	switch kind := reflect.TypeFor[T](); kind.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list of strings"
	default:
		panic(fmt.Sprintf("%v is no type of a field", kind))
	}
}

// text returns a field of text, "" where it is missing.
func (f *fields) text(name string) string {
	if value := take[string](f, name); value != nil {
		return *value
	}
	return ""
}

// list returns a list of strings, nil where it is missing.
func (f *fields) list(name string) []string {
	if value := take[[]string](f, name); value != nil {
		return append([]string{}, *value...)
	}
	return nil
}

// object returns the members of an object, nil where it is missing.
func (f *fields) object(name string) (members map[string]jsontext.Value) {
	text, sent := f.values[name]
	delete(f.values, name)
	if !sent || text.Kind() == jsontext.KindNull {
		return nil
	}
	if err := json.Unmarshal(text, &members); err != nil {
		f.errs.Add(name, "Expected an object")
	}
	return members
}

// moment returns a time, nil where it is missing.
func (f *fields) moment(name string) *time.Time {
	text := take[string](f, name)
	if text == nil {
		return nil
	}
	at, err := event.ParseTime(*text, time.UTC)
	if err != nil {
		f.errs.Add(name, err.Error())
		return nil
	}
	t := at.Std()
	return &t
}

// number returns a parameter of a URL that is a whole number; otherwise where it is missing.
func (f *fields) number(name string, otherwise, most uint64) uint64 {
	text := f.text(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < 1 || n > most {
		f.errs.Add(name, fmt.Sprintf("Expected a whole number from 1 to %d", most))
		return otherwise
	}
	return n
}

// length returns a length of time such as 12h or 7d; otherwise where it is missing.
func (f *fields) length(name string, otherwise time.Duration) time.Duration {
	text := take[string](f, name)
	if text == nil {
		return otherwise
	}
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if *text == "0" {
		return 0
	}
	if size := len(*text); size > 1 {
		n, err := strconv.ParseUint((*text)[:size-1], 10, 16)
		if unit, known := units[(*text)[size-1]]; known && err == nil {
			return time.Duration(n) * unit
		}
	}
	f.errs.Add(name, "Expected a length of time such as 30m, 12h or 7d")
	return otherwise
}

// oneOf notes a text that is none of those expected.
func (f *fields) oneOf(name, text string, expected ...string) {
	if text != "" && !slices.Contains(expected, text) {
		f.errs.Add(name, "Expected one of "+strings.Join(expected, ", "))
	}
}
