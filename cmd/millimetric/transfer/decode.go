package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"millimetric/index/event"
)

// memberCopy is what a line has beside the columns where it is sent to a server: how many equal rows of
// the same millisecond stand before it.
const memberCopy = "copy"

// parseLine reads a row from a line as an export writes it. All columns must be there, and no others.
func parseLine(text []byte, row *Row) (copies int, err error) {
	*row = Row{}
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	if begin, err := dec.ReadToken(); err != nil || begin.Kind() != jsontext.KindBeginObject {
		return 0, errors.New("no JSON object")
	}
	seen := 0
	for dec.PeekKind() == jsontext.KindString {
		name, err := dec.ReadToken()
		if err != nil {
			return 0, err
		}
		member := name.String() // a copy: the token's text is the decoder's
		value, err := dec.ReadValue()
		if err != nil {
			return 0, err
		}
		if member == memberCopy {
			if copies, err = strconv.Atoi(string(value)); err != nil || copies < 0 {
				return 0, fmt.Errorf("%s: expected a number", memberCopy)
			}
			continue
		}
		if err := row.set(member, value); err != nil {
			return 0, err
		}
		seen++
	}
	if _, err := dec.ReadToken(); err != nil {
		return 0, err
	}
	if rest := bytes.TrimSpace(text[dec.InputOffset():]); len(rest) > 0 {
		return 0, errors.New("something stands behind the object")
	}
	if seen != len(columns) { // the decoder refuses names that come twice
		return 0, fmt.Errorf("%d of %d columns", seen, len(columns))
	}
	return copies, nil
}

// set sets one column.
func (r *Row) set(name string, value jsontext.Value) error {
	c, err := columnNamed(name)
	if err != nil {
		return err
	}
	wrong := func(want string) error { return fmt.Errorf("%s: expected %s", name, want) }
	switch c.kind {
	case kindFlag:
		r.SessionDerived = value.Kind() == jsontext.KindTrue
		if !r.SessionDerived && value.Kind() != jsontext.KindFalse {
			return wrong("true or false")
		}
		return nil
	case kindSeq:
		if r.Seq, err = strconv.ParseUint(string(value), 10, 64); err != nil {
			return wrong("a position")
		}
		return nil
	}
	if value.Kind() == jsontext.KindNull && c.kind == kindMaybe {
		return nil
	}
	if value.Kind() != jsontext.KindString {
		return wrong("a string")
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return err
	}
	if c.kind == kindTime {
		at, err := event.ParseTime(string(text), time.UTC)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.Timestamp = int64(at)
		return nil
	}
	*c.field(r) = string(text)
	return nil
}
