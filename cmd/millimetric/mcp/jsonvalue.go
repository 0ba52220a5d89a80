package mcp

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// membersOf takes an object of our own making apart.
func membersOf(object jsontext.Value) ([]member, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := dec.ReadToken(); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	var all []member
	for dec.PeekKind() == jsontext.KindString {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		text := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		all = append(all, member{text, value.Clone()})
	}
	return all, nil
}

// elementsOf takes a list apart; what is no list has no elements.
func elementsOf(list jsontext.Value) (all []jsontext.Value) {
	dec := jsontext.NewDecoder(bytes.NewReader(list), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != jsontext.KindBeginArray {
		return nil
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		value, err := dec.ReadValue()
		if err != nil {
			return all
		}
		all = append(all, value.Clone())
	}
	return all
}

func appendMembers(dst []byte, members []member) jsontext.Value {
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, quote(m.name)...), ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}')
}

func listOf(values []jsontext.Value) jsontext.Value {
	out := []byte{'['}
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, v...)
	}
	return append(out, ']')
}

// quote writes a string; bad UTF-8, which no answer holds, would be replaced.
func quote(text string) jsontext.Value {
	out, _ := jsontext.AppendQuote(nil, text)
	return out
}

// withMember puts a member before those of an object.
func withMember(object jsontext.Value, m member) jsontext.Value {
	head := append(append([]byte{'{'}, quote(m.name)...), ':')
	head = append(head, m.value...)
	if len(object) > 2 {
		head = append(head, ',')
	}
	return append(head, object[1:]...)
}
