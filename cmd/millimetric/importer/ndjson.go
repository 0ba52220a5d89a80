package importer

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	badJSON   = "no sound JSON"
	badObject = "no JSON object"
)

// ndjson makes events of lines that are events already, giving an id to those that have none. A
// line is sent as it stands otherwise: what its fields may hold is for the server to say.
type ndjson struct {
	ids *identities
}

func (n ndjson) event(l line) ([]byte, fate) {
	text := bytes.TrimSpace(l.text)
	switch {
	case l.long:
		return nil, fate{bad: badLongLine}
	case len(text) == 0:
		return nil, fate{skip: skipBlank}
	case !jsontext.Value(text).IsValid(): // strict about duplicate names and UTF-8, as the server is
		if !l.ended {
			return nil, fate{bad: badCutOff}
		}
		return nil, fate{bad: badJSON}
	case text[0] != '{':
		return nil, fate{bad: badObject}
	}
	start, end := findID(text)
	switch {
	case end == 0:
		id := `"event_id":"` + n.ids.next(l.text) + `"`
		if len(bytes.TrimSpace(text[1:len(text)-1])) > 0 {
			id += ","
		}
		return splice(text, 1, 1, id), fate{}
	case string(text[start:end]) == "null":
		return splice(text, start, end, `"`+n.ids.next(l.text)+`"`), fate{}
	}
	return bytes.Clone(text), fate{}
}

// findID returns where the value of event_id stands in a sound JSON object; end is 0 if nowhere.
func findID(object []byte) (start, end int) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object))
	if _, err := dec.ReadToken(); err != nil {
		return 0, 0
	}
	for dec.PeekKind() == jsontext.KindString {
		name, err := dec.ReadToken()
		if err != nil {
			return 0, 0
		}
		found := name.String() == "event_id"
		value, err := dec.ReadValue()
		if err != nil {
			return 0, 0
		}
		if found {
			end := int(dec.InputOffset())
			return end - len(value), end
		}
	}
	return 0, 0
}

// splice returns a copy of text with what stands from start to end replaced.
func splice(text []byte, start, end int, by string) []byte {
	out := make([]byte, 0, len(text)+len(by))
	out = append(out, text[:start]...)
	out = append(out, by...)
	return append(out, text[end:]...)
}
