package privacy

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The walk over JSON that is known to be valid: it looks for ends and checks nothing.

// blank returns where the first byte from a place on stands that isn't white space.
func (p *Properties) blank(at int) int {
	for at < len(p.raw) && p.raw[at] <= ' ' {
		at++
	}
	return at
}

// stringEnd returns the place behind the string that begins at a place.
func (p *Properties) stringEnd(at int) int {
	for at++; ; at++ {
		switch p.raw[at] {
		case '"':
			return at + 1
		case '\\':
			at++ // the loop goes on behind what is escaped
		}
	}
}

// valueEnd returns the place behind the value that begins at a place.
func (p *Properties) valueEnd(at int) int {
	switch p.raw[at] {
	case '"':
		return p.stringEnd(at)
	case '{', '[':
		for depth := 0; ; {
			switch p.raw[at] {
			case '"':
				at = p.stringEnd(at)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if at++; depth == 0 {
				return at
			}
		}
	}
	for at < len(p.raw) && p.raw[at] > ' ' && p.raw[at] != ',' && p.raw[at] != '}' && p.raw[at] != ']' {
		at++
	}
	return at
}

// unquoted is what a string says, of which text is the inside.
func unquoted(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	plain, err := jsontext.AppendUnquote(nil, `"`+text+`"`)
	if err != nil {
		return text
	}
	return string(plain)
}
