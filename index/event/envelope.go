package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AppendJSON appends {"error":…,"details":…} and what else the error carries, in this order: what a
// client gets to see of it. There are no details where there is nothing to say.
func (e *Error) AppendJSON(dst []byte) []byte {
	var details struct {
		FieldErrors FieldErrors `json:"fieldErrors,omitempty"`
		FormErrors  []string    `json:"formErrors,omitempty"`
	}
	details.FieldErrors, details.FormErrors = e.Fields, e.Notes
	b := bytes.NewBuffer(dst)
	b.WriteByte('{')
	member(b, "error", e.Code)
	if len(e.Fields)+len(e.Notes) > 0 {
		b.WriteByte(',')
		member(b, "details", details)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extra)) {
		b.WriteByte(',')
		member(b, name, e.Extra[name])
	}
	b.WriteByte('}')
	return b.Bytes()
}

func member(b *bytes.Buffer, name string, value any) {
	encode(b, name)
	b.WriteByte(':')
	encode(b, value)
}

func encode(b *bytes.Buffer, value any) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(fmt.Sprintf("%T has no JSON: %v", value, err))
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
}

// Sentence says what is wrong, for people; "" where the code says it all.
func (e *Error) Sentence() string {
	var parts []string
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		parts = append(parts, field+": "+strings.Join(e.Fields[field], ", "))
	}
	return strings.Join(append(parts, e.Notes...), "; ")
}
