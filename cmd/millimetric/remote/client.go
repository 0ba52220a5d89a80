// Package remote is the administrators' side of the command line: each command sends one request to a
// running server, through the same API that every other client uses, and prints the answer as a table,
// or as the server gave it.
//
// It decides nothing: what is allowed and what is right, the server says. It starts no goroutines and
// writes nothing to disk.
package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"
)

// KeyVariable names the environment variable with the account key. A flag would show the key to everyone
// who can list processes.
const KeyVariable = "MILLIMETRIC_KEY"

// answerBytesMax bounds what is held of an answer. A thousand entries of the audit log fit.
const answerBytesMax = 64 << 20

// UsageError is an error of the command line itself.
type UsageError struct{ error }

// ExitCode is the status with which the process exits.
func (UsageError) ExitCode() int { return 2 }

func (e UsageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Server is where a command finds its server.
type Server struct{ address *string }

// Flags gives cmd the flag that names a server.
func Flags(cmd *cobra.Command) Server {
	otherwise := cmp.Or(os.Getenv("MILLIMETRIC_SERVER"), "http://127.0.0.1:8787")
	return Server{cmd.Flags().String("server", otherwise, "address of the server [MILLIMETRIC_SERVER]")}
}

// HasKey reports whether the environment holds an account key: without one, a running server can't be
// asked for anything here.
func HasKey() bool { return strings.HasPrefix(os.Getenv(KeyVariable), "ak_") }

// Ask sends a request and returns the answer. A body that is nil is none.
func (s Server) Ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	if !HasKey() {
		return nil, usage("set %s to an account key (ak_…)", KeyVariable)
	}
	base, err := url.Parse(*s.address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usage("--server must be an address such as http://127.0.0.1:8787")
	}
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("ask %s: %w", path, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(*s.address, "/")+path, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv(KeyVariable))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, unreachable(*s.address, err)
	}
	defer resp.Body.Close() // nothing was written
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(answer) > answerBytesMax:
		return nil, fmt.Errorf("the answer is larger than %d MiB", answerBytesMax>>20)
	case resp.StatusCode >= http.StatusMultipleChoices:
		return nil, refused(resp.StatusCode, answer)
	}
	return answer, nil
}

// unreachable says why no answer came, without the URL that net/http repeats.
func unreachable(server string, err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing answers at %s; start the server with: millimetric serve", server)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("ask %s: %w", server, err)
}

// refused says in one line what the server has against a request.
func refused(status int, body []byte) error {
	var said struct {
		Code    string `json:"error"`
		Details struct {
			FieldErrors map[string][]string `json:"fieldErrors"`
			FormErrors  []string            `json:"formErrors"`
		} `json:"details"`
	}
	if json.Unmarshal(body, &said) != nil || said.Code == "" {
		return fmt.Errorf("the server answered %d, and not as the API does: is --server right?", status)
	}
	var parts []string
	for _, field := range slices.Sorted(maps.Keys(said.Details.FieldErrors)) {
		parts = append(parts, field+": "+strings.Join(said.Details.FieldErrors[field], ", "))
	}
	parts = append(parts, said.Details.FormErrors...)
	text := said.Code
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, "; ")
	}
	return fmt.Errorf("the server answered %d: %s", status, Printable(text))
}

// Printable leaves out what would steer a terminal.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
}
