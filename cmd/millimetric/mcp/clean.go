package mcp

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// textRunesMax is how much of one text an agent sees: enough for any path that people read, too
	// little for a page of instructions.
	textRunesMax = 256
	// propertiesBytesMax bounds the properties of one event, whose texts are bounded each: members
	// beyond it are left out.
	propertiesBytesMax = 2048
)

// cleaner copies JSON and makes the texts in it harmless. It counts those that it changed.
type cleaner struct {
	changed int
}

// value returns a JSON value with clean text: each string, each name in an object, and the strings in
// the JSON that the properties of an event are.
func (c *cleaner) value(value jsontext.Value) (jsontext.Value, error) {
	var out bytes.Buffer
	in := jsontext.NewDecoder(bytes.NewReader(value))
	// Two names may become the same once they are clean; the properties of events are the only ones
	// that strangers chose.
	enc := jsontext.NewEncoder(&out, jsontext.AllowDuplicateNames(true))
	name := ""
	for {
		token, err := in.ReadToken()
		if err == io.EOF {
			return bytes.TrimSpace(out.Bytes()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("clean answer: %w", err)
		}
		if token.Kind() == jsontext.KindString {
			text := token.String()
			kind, length := in.StackIndex(in.StackDepth())
			isName := kind == jsontext.KindBeginObject && length%2 == 1
			switch {
			case isName:
				name = text
				token = jsontext.String(c.text(text))
			case name == "properties" && strings.HasPrefix(text, "{"):
				token = jsontext.String(c.properties(text))
			default:
				token = jsontext.String(c.text(text))
			}
		}
		if err := enc.WriteToken(token); err != nil {
			return nil, fmt.Errorf("clean answer: %w", err)
		}
	}
}

// properties cleans an object that is written as a string, and leaves out what is too much.
func (c *cleaner) properties(text string) string {
	clean, err := c.value(jsontext.Value(text))
	if err != nil {
		return c.text(text)
	}
	if len(clean) <= propertiesBytesMax {
		return string(clean)
	}
	c.changed++
	in := jsontext.NewDecoder(bytes.NewReader(clean), jsontext.AllowDuplicateNames(true))
	if _, err := in.ReadToken(); err != nil {
		return "{}"
	}
	short := []byte{'{'}
	for in.PeekKind() == jsontext.KindString {
		name, err := in.ReadValue()
		if err != nil {
			break
		}
		member := append(bytes.Clone(name), ':')
		of, err := in.ReadValue()
		if err != nil {
			break
		}
		if member = append(member, of...); len(short)+len(member)+2 > propertiesBytesMax {
			continue
		}
		if len(short) > 1 {
			short = append(short, ',')
		}
		short = append(short, member...)
	}
	return string(append(short, '}'))
}

// text returns a text that is short, visible throughout, and plain where it is rendered: no markup and
// no address in it is one that a program would follow by itself.
func (c *cleaner) text(text string) string {
	clean := neutral.Replace(strings.Map(visible, text))
	if utf8.RuneCountInString(clean) > textRunesMax {
		clean = string([]rune(clean)[:textRunesMax-1]) + "…"
	}
	if clean != text {
		c.changed++
	}
	return clean
}

// neutral takes the meaning out of Markdown, HTML and addresses, and leaves them readable.
var neutral = strings.NewReplacer(
	"://", "{:}//",
	"](", "] (",
	"][", "] [",
	"![", "! [",
	"`", "'",
	"<", "‹",
	">", "›",
)

// visible drops what can't be seen and can carry a message all the same: controls, marks that change
// the direction of writing, characters without width, tags, variation selectors and private ones. White
// space is one space.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case !unicode.IsGraphic(r), unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
		return -1
	case r == '\u2800': // braille without dots
		return -1
	}
	return r
}
