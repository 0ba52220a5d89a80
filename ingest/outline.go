package ingest

import (
	"bytes"
)

// depthMax bounds the nesting of any value in a body, known field or not: the JSON decoder recurses
// over it. It is far above event.PropertiesDepthMax, so that properties that are merely too deep
// get an answer that names the field.
const depthMax = 1000

// membersMax bounds the keys in one value of a body. To refuse duplicates, the decoder remembers
// every key of an object; 16 MiB of tiny keys would cost it ten times that. Properties within
// their limit of bytes cannot come near this number.
const membersMax = 10_000

// outline is the shape of a JSON object or array, found without checking its grammar.
type outline struct {
	bytes   int // the size without white space
	depth   int // of nesting; a flat object has 1
	members int // keys, counted over all objects inside
}

// outlineOf walks text from its first bracket (what stands before it, a comma or a colon, is no part
// of the value) to the one that closes it, or to the end of text. Of
// a valid value the outline is exact. A value that breaks the grammar breaks it inside the stretch
// that was walked, because up to that point the decoder sees the same strings and brackets, so a
// decoder that reads the same text meets no deeper nesting and no more keys than the outline says.
// The walk stops early where it passes depthMax or membersMax.
func outlineOf(text []byte) outline {
	var o outline
	depth := 0
	for i := max(bytes.IndexAny(text, "{["), 0); i < len(text); i++ {
		switch text[i] {
		case ' ', '\t', '\n', '\r':
			continue
		case '"':
			end := stringEnd(text, i)
			o.bytes += end - i
			i = end - 1
			continue
		case '{', '[':
			depth++
			o.depth = max(o.depth, depth)
		case '}', ']':
			depth--
		case ':':
			o.members++
		}
		o.bytes++
		if depth == 0 || o.depth > depthMax || o.members > membersMax {
			return o
		}
	}
	return o
}

// stringEnd returns the index after the string that begins at start, or len(text).
func stringEnd(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// appendCompact appends a valid JSON value without its white space; numbers and strings stay as they
// were written.
func appendCompact(to []byte, text string) []byte {
	kept := 0 // text[:kept] is written or left out
	inside := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inside = !inside
		case c == '\\':
			i++ // only strings hold backslashes: the next byte ends no string
		case !inside && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			to = append(to, text[kept:i]...)
			kept = i + 1
		}
	}
	return append(to, text[kept:]...)
}
