// Package reply says on the command line what came back from a server that doesn't do what it was asked:
// nothing, a refusal, or text that strangers sent.
//
// It doesn't ask; the commands do. It starts no goroutines and writes nothing to disk.
package reply

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"unicode"
)

// Unreachable says why no answer came, without the URL that net/http repeats.
func Unreachable(server string, err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing answers at %s; start the server with: millimetric serve", server)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("ask %s: %w", server, err)
}

// Refused says in one line what a server has against a request. Named is what the command line calls a
// field; hint is added where the key is the matter, "" adds nothing.
func Refused(status int, body []byte, named func(field string) string, hint string) error {
	var said struct {
		Code    string `json:"error"`
		Details struct {
			FieldErrors map[string][]string `json:"fieldErrors"`
			FormErrors  []string            `json:"formErrors"`
		} `json:"details"`
		Allowed []string `json:"allowed"`
	}
	if json.Unmarshal(body, &said) != nil || said.Code == "" {
		return fmt.Errorf("the server answered %d, and not as the API does: is --server right?", status)
	}
	var parts []string
	for _, field := range slices.Sorted(maps.Keys(said.Details.FieldErrors)) {
		parts = append(parts, named(field)+": "+strings.Join(said.Details.FieldErrors[field], ", "))
	}
	parts = append(parts, said.Details.FormErrors...)
	if len(said.Allowed) > 0 {
		parts = append(parts, "allowed are "+strings.Join(said.Allowed, ", "))
	}
	text := said.Code
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, "; ")
	}
	if hint != "" && (status == http.StatusUnauthorized || status == http.StatusForbidden) {
		text += "; " + hint
	}
	return fmt.Errorf("the server answered %d: %s", status, Printable(text))
}

// Printable replaces what would steer the terminal: much of what a server says was sent by strangers.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return '\uFFFD'
	}, text)
}
