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
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/reply"
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
		return nil, reply.Unreachable(*s.address, err)
	}
	defer resp.Body.Close() // nothing was written
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(answer) > answerBytesMax:
		return nil, fmt.Errorf("the answer is larger than %d MiB", answerBytesMax>>20)
	case resp.StatusCode >= http.StatusMultipleChoices:
		return nil, reply.Refused(resp.StatusCode, answer, asItIs, "")
	}
	return answer, nil
}

// asItIs names a field of the API: no flag of these commands stands for one.
func asItIs(field string) string { return field }
