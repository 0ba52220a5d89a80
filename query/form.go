package query

import (
	"bytes"
	"iter"
	"maps"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// Limits on a question as it is sent. Each bounds what a stranger's question can make us hold.
const (
	formFieldsMax = 64   // more than any question has
	fieldNameMax  = 64   // longer names are cut before they are repeated in an error
	textBytesMax  = 8192 // of one parameter that isn't a list of filters; four times the longest column
)

// paramRepeated is the one parameter of a URL that may come several times: its values are a list.
const paramRepeated = "step"

// Form is the fields of a question as they were sent, not yet understood. A field came either as
// the text of a URL's parameter or as JSON.
type Form struct {
	fields  map[string]field
	project event.Project // whose cursors are taken and given
	limit   int           // what it is, whatever was sent; 0 leaves it as it is
}

// For returns the form as one that asks a project: cursors that another project gave are refused.
func (f Form) For(project event.Project) Form {
	f.project = project
	return f
}

// WithLimit returns the form as one whose limit is n, whatever it says itself or the cursor in it holds:
// for doors with less room than the client asked for. The question must have a limit.
func (f Form) WithLimit(n int) Form {
	f.limit = n
	return f
}

// limited applies WithLimit.
func (f Form) limited() Form {
	if f.limit == 0 {
		return f
	}
	f.fields = maps.Clone(f.fields)
	f.fields["limit"] = field{text: strconv.Itoa(f.limit)}
	return f
}

// WithZone returns the form with a time zone where it names none. A cursor names one: it holds the whole
// question.
func (f Form) WithZone(zone string) Form {
	_, named := f.fields["tz"]
	if _, goesOn := f.fields["cursor"]; named || goesOn || zone == "" {
		return f
	}
	fields := maps.Clone(f.fields)
	fields["tz"] = field{text: zone}
	f.fields = fields
	return f
}

type field struct {
	text string
	more []string       // the further values of paramRepeated
	json jsontext.Value // nil for a parameter
}

// FormOfParams reads the parameters of a URL. One that comes twice is refused, as either could be
// meant; only the steps of a funnel may come one by one.
func FormOfParams(params iter.Seq2[string, string]) (Form, error) {
	form := Form{fields: map[string]field{}}
	errs := event.FieldErrors{}
	count := 0
	for name, value := range params {
		switch first, twice := form.fields[name]; {
		case !utf8.ValidString(name) || !utf8.ValidString(value):
			errs.Add(shortName(name), "Must be UTF-8")
		case twice && name == paramRepeated:
			first.more = append(first.more, value)
			form.fields[name] = first
		case twice:
			errs[shortName(name)] = []string{"Must be given once"}
		default:
			form.fields[name] = field{text: value}
		}
		if count++; count > formFieldsMax {
			return Form{}, event.Invalid(event.CodeInvalidParams, "Too many parameters")
		}
	}
	return form, refusal(errs)
}

// FormOfJSON reads a body: one JSON object. Duplicate names and bad UTF-8 are refused.
func FormOfJSON(body []byte) (Form, error) {
	if !jsontext.Value(body).IsValid() {
		return Form{}, event.Invalid(event.CodeInvalidParams, "The body must be JSON, with no name twice in one object")
	}
	members, ok := membersOf(body)
	if !ok {
		return Form{}, event.Invalid(event.CodeInvalidParams, "The body must be a JSON object")
	}
	if len(members) > formFieldsMax {
		return Form{}, event.Invalid(event.CodeInvalidParams, "Too many fields")
	}
	form := Form{fields: make(map[string]field, len(members))}
	for _, m := range members {
		// null is a client's way to say that it doesn't set the field.
		if m.value.Kind() != jsontext.KindNull {
			form.fields[m.name] = field{json: m.value}
		}
	}
	return form, nil
}

// Text returns a field of text, "" where it is missing.
func (f Form) Text(name string) (string, error) {
	sent, ok := f.fields[name]
	if !ok || sent.json == nil {
		return sent.text, nil
	}
	text, ok := textOf(sent.json)
	if !ok {
		return "", event.InvalidField(event.CodeInvalidParams, name, "Expected a string")
	}
	return text, nil
}

type jsonMember struct {
	name  string
	value jsontext.Value
}

// membersOf takes a valid JSON value apart if it is an object.
func membersOf(object jsontext.Value) (members []jsonMember, ok bool) {
	if object.Kind() != jsontext.KindBeginObject {
		return nil, false
	}
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		text := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		members = append(members, jsonMember{name: text, value: value.Clone()})
	}
	return members, true
}

// elementsOf takes a valid JSON value apart if it is an array.
func elementsOf(array jsontext.Value) (elements []jsontext.Value, ok bool) {
	if array.Kind() != jsontext.KindBeginArray {
		return nil, false
	}
	dec := jsontext.NewDecoder(bytes.NewReader(array))
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		elements = append(elements, value.Clone())
	}
	return elements, true
}

// textOf reads a JSON string.
func textOf(value jsontext.Value) (text string, ok bool) {
	if value.Kind() != jsontext.KindString {
		return "", false
	}
	out, err := jsontext.AppendUnquote(nil, value)
	return string(out), err == nil
}

func shortName(name string) string {
	if len(name) > fieldNameMax {
		name = name[:fieldNameMax]
	}
	return string(bytes.ToValidUTF8([]byte(name), []byte("\uFFFD")))
}

// refusal makes an error of what was found wrong, nil where nothing was.
func refusal(errs event.FieldErrors) error {
	if len(errs) == 0 {
		return nil
	}
	return &event.Error{Kind: event.ErrInput, Code: event.CodeInvalidParams, Fields: errs}
}
